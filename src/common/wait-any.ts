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
