import type { Clock } from './clock.ts';

/** Runs until its signal is aborted. Rejects only with an error that it may not handle itself. */
export type Loop = (signal: AbortSignal) => Promise<void>;

/** Told about each loop that failed, at once: the first failure ends all loops, later ones happen while they end. */
export type LoopFailed = (name: string, error: unknown) => void;

/** A loop came back although it was not asked to stop: a program that goes on without one of its loops is lying. */
export class LoopEndedError extends Error {
  readonly code = 'INTERNAL';

  constructor(name: string) {
    super(`The ${name} loop ended although nothing had stopped it. This is a bug; please report it.`);
  }
}

/**
 * Runs named loops side by side. When `signal` is aborted they all end and this resolves; the first loop that fails ends the
 * others, and this rejects with its error. Either way it settles only after the last loop has: nothing runs on behind it.
 */
export async function supervise(
  loops: Readonly<Record<string, Loop>>,
  signal: AbortSignal,
  onFailed: LoopFailed = () => undefined,
): Promise<void> {
  const end = new AbortController();
  const failures: unknown[] = [];
  const follow = (): void => end.abort(signal.reason);
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });

  const watch = async (name: string, loop: Loop): Promise<void> => {
    try {
      await loop(end.signal);
      if (!end.signal.aborted) throw new LoopEndedError(name);
    } catch (error) {
      if (isAbortOf(end.signal, error)) return;
      failures.push(error);
      onFailed(name, error);
      end.abort(error);
    }
  };
  await Promise.all(Object.entries(loops).map(([name, loop]) => watch(name, loop)));
  signal.removeEventListener('abort', follow);
  if (failures.length > 0) throw failures[0];
}

/** Whether this error only says "I was told to stop": the signal's reason, something caused by it, or the platform's AbortError. */
function isAbortOf(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false;
  if (error === signal.reason) return true;
  return error instanceof Error && (error.cause === signal.reason || error.name === 'AbortError');
}

/** A wait that can be called off; must reject soon after its signal is aborted. */
export type Wait = (signal: AbortSignal) => Promise<unknown>;

/**
 * Resolves when the first of several waits does and calls the others off; rejects with the first failure, or with the
 * signal's reason when that is aborted. Leaves no listener on the signal behind (AbortSignal.any would, on Node 20).
 */
export async function waitAny(signal: AbortSignal, waits: readonly Wait[]): Promise<void> {
  signal.throwIfAborted();
  const calledOff = new AbortController();
  const callOff = (): void => calledOff.abort(signal.reason);
  signal.addEventListener('abort', callOff, { once: true });
  const running = waits.map((wait) => wait(calledOff.signal));
  try {
    await Promise.race(running);
  } finally {
    signal.removeEventListener('abort', callOff);
    calledOff.abort(new Error('another wait was over first'));
    await Promise.allSettled(running);
  }
}

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
 * signal's reason when that is aborted. The work goes on unattended then, and its late failure is ignored. Leaves no
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
export async function withGrace<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { clock, graceMs, signal }: Grace,
): Promise<T> {
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

/** Wakes the one loop that waits for it. A ring that no loop waits for is remembered, and several of them are one. */
export class WakeUp {
  #rung = false;
  #wake: (() => void) | undefined;

  notify(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when it rings, or after `limitMs`; rejects with the signal's reason. One waiter; leaves no listener behind. */
  async wait(clock: Pick<Clock, 'sleep'>, limitMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#rung && limitMs > 0) {
      const over = new AbortController();
      const wake = (): void => over.abort();
      signal.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
      try {
        await clock.sleep(limitMs, over.signal);
      } catch (error) {
        if (!over.signal.aborted) throw error;
      } finally {
        this.#wake = undefined;
        signal.removeEventListener('abort', wake);
      }
      signal.throwIfAborted();
    }
    this.#rung = false;
  }
}

/**
 * Makes a function that asks for `work` to be done: at once, or, while it is being done, once more afterwards, however often
 * it was asked for meanwhile. So every request is followed by a whole run that began after it, and runs never overlap.
 * `work` must not reject.
 */
export function oneAtATime(work: () => Promise<void>): () => void {
  let asked = 0;
  let answered = 0;
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    while (answered !== asked) {
      answered = asked;
      await work();
    }
    running = false;
  };
  return () => {
    asked += 1;
    // Not awaited: the caller is a signal handler, and the work logs its own end.
    if (!running) void run();
  };
}
