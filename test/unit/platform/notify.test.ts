import { expect, test } from 'vitest';
import { createNotifier } from '../../../src/platform/systemd.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const PID = 4711;

async function connected(env: Record<string, string> = {}) {
  const sent: string[] = [];
  const clock = new FakeClock({ monotonicMs: 81_234.5678 });
  const notifier = await createNotifier({
    env: { NOTIFY_SOCKET: '/run/systemd/notify', ...env },
    pid: PID,
    clock,
    load: async () => Promise.resolve((state) => void sent.push(state)),
  });
  return { notifier, sent, clock };
}

test('says each word in the form of sd_notify(3)', async () => {
  const { notifier, sent } = await connected();
  notifier.ready();
  notifier.reloading();
  notifier.watchdog();
  notifier.extendTimeout(30_000);
  notifier.stopping();
  expect(sent).toEqual([
    'READY=1',
    'RELOADING=1\nMONOTONIC_USEC=81234567',
    'WATCHDOG=1',
    'EXTEND_TIMEOUT_USEC=30000000',
    'STOPPING=1',
  ]);
  expect(notifier.state).toBe('connected');
});

test('a status is one line, whatever it is made of: it can never say another word', async () => {
  const { notifier, sent } = await connected();
  notifier.status('broker said: "no\r\nREADY=1\nSTOPPING=1\u0000\u2028" at 21.5 °C ');
  expect(sent).toEqual(['STATUS=broker said: "no READY=1 STOPPING=1 " at 21.5 °C']);
});

test('a status is sent when it differs, not at every beat, and is cut where nobody would read on', async () => {
  const { notifier, sent } = await connected();
  notifier.status('21.5 °C');
  notifier.status('21.5 °C');
  notifier.status('21.6 °C');
  notifier.status('𝟙'.repeat(2_000));
  expect(sent.slice(0, 2)).toEqual(['STATUS=21.5 °C', 'STATUS=21.6 °C']);
  expect(sent[2]).toBe(`STATUS=${'𝟙'.repeat(399)}…`);
});

test.each([
  ['is set', { WATCHDOG_USEC: '90000000' }, 90_000],
  ['is meant for this process', { WATCHDOG_USEC: '1500', WATCHDOG_PID: String(PID) }, 1.5],
  ['is meant for another process', { WATCHDOG_USEC: '90000000', WATCHDOG_PID: '1' }, undefined],
  ['is not set', {}, undefined],
  ['is zero', { WATCHDOG_USEC: '0' }, undefined],
  ['is no number', { WATCHDOG_USEC: '90s' }, undefined],
])('the watchdog’s time where it %s', async (_title, env, watchdogMs) => {
  const { notifier } = await connected(env);
  expect(notifier.watchdogMs).toBe(watchdogMs);
});

test.each([{}, { NOTIFY_SOCKET: '' }])(
  'outside systemd every call does nothing, and nothing native is loaded',
  async (env) => {
    let loaded = false;
    const notifier = await createNotifier({
      env: { ...env, WATCHDOG_USEC: '90000000' },
      pid: PID,
      clock: new FakeClock(),
      load: async () => {
        loaded = true;
        return Promise.reject(new Error('not here'));
      },
    });
    notifier.ready();
    notifier.status('x');
    expect({ loaded, state: notifier.state, problem: notifier.problem, watchdogMs: notifier.watchdogMs }).toEqual({
      loaded: false,
      state: 'silent',
      problem: undefined,
      watchdogMs: undefined,
    });
  },
);

test('under systemd without the package it says what will happen and what helps', async () => {
  const notifier = await createNotifier({
    env: { NOTIFY_SOCKET: '/run/systemd/notify' },
    pid: PID,
    clock: new FakeClock(),
    load: async () => Promise.reject(new Error("Cannot find package 'sd-notify'")),
  });
  notifier.ready();
  expect(notifier.state).toBe('missing');
  expect(notifier.problem).toMatch(/sd-notify is not installed: the start will time out.*npm rebuild sd-notify/);
});
