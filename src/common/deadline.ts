import type { Clock } from './clock.ts';

/** What was waited for did not come in time. It may still be running: only the waiting has ended. */
export class DeadlineError extends Error {
  readonly code = 'DEADLINE';
  readonly limitMs: number;

  constructor(what: string, limitMs: number) {
    super(`${what} took longer than ${limitMs} ms`);
    this.limitMs = limitMs;
  }
}

/**
 * A time limit is waited for in pieces. After the process was kept from running for longer than the limit one piece is over at once,
 * and an answer that came in time is still taken before the last one ends: our own lateness is not blamed on others.
 */
const PIECES = 4;

export interface Deadline {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly limitMs: number;
  /** Noun for the message: "closing the connection". */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits for a promise that cannot be cancelled, but not for ever: rejects with DeadlineError after `limitMs`, or with the
 * signal's reason when that is aborted. The work goes on unattended then, and its late failure is nobody's. Leaves no
 * listener and no timer behind; the promise itself keeps what waits for it, so do not wait for one long-lived promise often.
 */
export async function withDeadline<T>(work: Promise<T>, { clock, limitMs, what, signal }: Deadline): Promise<T> {
  const done = new AbortController();
  const stop = (): void => done.abort(signal?.reason);
  if (signal?.aborted === true) stop();
  else signal?.addEventListener('abort', stop, { once: true });
  const limit = sleepInPieces(clock, limitMs, done.signal).then(() => {
    throw new DeadlineError(what, limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    signal?.removeEventListener('abort', stop);
    done.abort();
  }
}

/** @throws the signal's reason */
export async function sleepInPieces(clock: Pick<Clock, 'sleep'>, ms: number, signal: AbortSignal): Promise<void> {
  for (let piece = 0; piece < PIECES; piece += 1) await clock.sleep(ms / PIECES, signal);
}

export interface Grace {
  readonly clock: Pick<Clock, 'sleep'>;
  /** How long the work may go on after the stop. */
  readonly graceMs: number;
  /** The stop. */
  readonly signal: AbortSignal;
}

/** Runs work that should be finished although a stop comes in between: its own signal is aborted only `graceMs` after the stop. */
export async function withGrace<T>(work: (signal: AbortSignal) => Promise<T>, { clock, graceMs, signal }: Grace): Promise<T> {
  const graceOver = new AbortController();
  const workDone = new AbortController();
  const stopped = (): void => {
    clock.sleep(graceMs, workDone.signal).then(
      () => graceOver.abort(signal.reason),
      () => undefined,
    );
  };
  if (signal.aborted) stopped();
  else signal.addEventListener('abort', stopped, { once: true });
  try {
    return await work(graceOver.signal);
  } finally {
    signal.removeEventListener('abort', stopped);
    workDone.abort();
  }
}
