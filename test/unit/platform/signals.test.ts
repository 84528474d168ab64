import { expect, test } from 'vitest';
import { installSignals, type SignalSource, StopRequest } from '../../../src/platform/signals.ts';

function fakeProcess(): SignalSource & { send(signal: string): void; readonly exits: number[] } {
  const handlers = new Map<string, () => void>();
  const exits: number[] = [];
  return {
    exits,
    on: (signal, handler) => handlers.set(signal, handler),
    exit: (code) => exits.push(code),
    send: (signal) => handlers.get(signal)?.(),
  };
}

test('a SIGHUP before the program is ready for it is remembered, several are one', () => {
  const process = fakeProcess();
  const signals = installSignals(process);
  process.send('SIGHUP');
  process.send('SIGHUP');
  let reloads = 0;
  signals.onReload(() => (reloads += 1));
  expect(reloads).toBe(1);
  process.send('SIGHUP');
  expect(reloads).toBe(2);
});

test('without an early SIGHUP the handler is not called', () => {
  const signals = installSignals(fakeProcess());
  let reloads = 0;
  signals.onReload(() => (reloads += 1));
  expect(reloads).toBe(0);
});

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('the first %s asks for a stop in good order, a second signal exits at once', (signal, code) => {
  const process = fakeProcess();
  const signals = installSignals(process);
  expect(signals.stop.aborted).toBe(false);
  process.send(signal);
  expect(signals.stop.reason).toBeInstanceOf(StopRequest);
  expect((signals.stop.reason as StopRequest).signal).toBe(signal);
  expect(process.exits).toEqual([]);
  process.send(signal);
  expect(process.exits).toEqual([code]);
});
