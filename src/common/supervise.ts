/** Runs until its signal is aborted. Rejects only with an error that it may not handle itself. */
export type Loop = (signal: AbortSignal) => Promise<void>;

/** Told about each loop that failed, at once: the first failure ends all loops, later ones happen while they end. */
export type LoopFailed = (name: string, error: unknown) => void;

/** A loop came back although nobody had asked it to stop: a program that goes on without one of its loops is lying. */
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
