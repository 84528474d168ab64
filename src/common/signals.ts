/** What the system asks of a process. Made by the first statement of a program. */
export interface ProcessSignals {
  /** Aborted by SIGTERM or SIGINT; the reason is a StopRequest. */
  readonly stop: AbortSignal;
  /** From now on `handler` runs at each SIGHUP; at once if some came earlier. Replaces the handler before it. */
  onReload(handler: () => void): void;
}

/** Why a program ends: it was asked to. Not a fault. */
export class StopRequest extends Error {
  readonly signal: StopSignal;

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}

export type StopSignal = 'SIGTERM' | 'SIGINT';

/** What is used of `process`; tests pass their own. */
export interface SignalSource {
  on(signal: StopSignal | 'SIGHUP', handler: () => void): unknown;
  exit(code: number): unknown;
}

/** A shell's exit code of a program that a signal ended is this and the signal's number. */
const EXIT_BY_SIGNAL = 128;
const SIGNAL_NUMBERS: Readonly<Record<StopSignal, number>> = { SIGINT: 2, SIGTERM: 15 };

/**
 * Takes over SIGHUP, SIGTERM and SIGINT. To be called before anything else: a SIGHUP without a handler ends the process, and
 * systemd counts that as a clean exit (https://github.com/influxdata/telegraf/pull/1279). The first SIGTERM or SIGINT asks
 * for a stop in good order; the second exits at once, for a person who does not want to wait.
 */
export function installSignals(source: SignalSource): ProcessSignals {
  const stop = new AbortController();
  let reload: (() => void) | undefined;
  let askedEarly = false;

  source.on('SIGHUP', () => {
    if (reload === undefined) askedEarly = true;
    else reload();
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    source.on(signal, () => {
      if (stop.signal.aborted) source.exit(EXIT_BY_SIGNAL + SIGNAL_NUMBERS[signal]);
      else stop.abort(new StopRequest(signal));
    });
  }

  return {
    stop: stop.signal,
    onReload(handler) {
      reload = handler;
      const asked = askedEarly;
      askedEarly = false;
      if (asked) handler();
    },
  };
}
