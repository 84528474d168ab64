import type { Clock } from '../../../common/clock.ts';
import { sleepInPieces } from '../../../common/deadline.ts';
import type { Store, StoreHealth } from '../store.ts';
import type { Caller } from './caller.ts';
import { SCHEMA_VERSION } from './migrations/all.ts';
import { PlaceLostError } from './place/place.ts';

/** Asks both ends within a limit; says which one does not answer, or what it says. */
export function createHealth({
  writer,
  reader,
  clock,
  freeBytes,
}: {
  readonly writer: Caller<'writer'>;
  readonly reader: Caller<'reader'>;
  readonly clock: Clock;
  readonly freeBytes: () => Promise<number | null>;
}): Store['health'] {
  let sizeBytes = 0;
  return async (limitMs) => {
    const end = new AbortController();
    const problems: string[] = [];
    const lost: PlaceLostError[] = [];
    const within = async <T>(what: string, work: Promise<T>): Promise<T | undefined> => {
      const late = sleepInPieces(clock, limitMs, end.signal).then(
        () => problems.push(`${what} has not answered for ${limitMs} ms`),
        () => undefined,
      );
      try {
        return await Promise.race([work, late.then(() => undefined)]);
      } catch (error) {
        problems.push((error as Error).message);
        if (error instanceof PlaceLostError) lost.push(error);
        return undefined;
      }
    };
    const [facts, probe, free] = await Promise.all([
      within('The reading end of the database', reader.call('facts')),
      within('The writing end of the database', writer.call('probe')),
      within('The disk', freeBytes()),
    ]);
    end.abort();
    sizeBytes = facts?.sizeBytes ?? sizeBytes;
    const health: StoreHealth = {
      isOk: problems.length === 0,
      schemaVersion: facts?.schemaVersion ?? SCHEMA_VERSION,
      sizeBytes,
      logBytes: probe?.logBytes ?? null,
      freeBytes: free ?? null,
    };
    if (problems.length === 0) return health;
    const isLost = lost.some(({ isCuredByRestart }) => !isCuredByRestart);
    return { ...health, problem: problems.join('; '), ...(isLost && { isLost }) };
  };
}
