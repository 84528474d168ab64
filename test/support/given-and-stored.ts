import type { FrameEntry } from './emulator-log.ts';

/** Two decimals on the wire, and half a step of the chip's 20-bit scale. */
const TEMPERATURE_TOLERANCE = 0.005 + 200 / 2 ** 20 / 2 + 1e-9;
const HUMIDITY_TOLERANCE = 0.005 + 100 / 2 ** 20 / 2 + 1e-9;

/** The values of a stored reading. */
export interface StoredValues {
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
}

/** A row that was given and not stored: one of the rows `first` to `last`, which are equal and follow each other. */
export interface LostRow {
  readonly first: number;
  readonly last: number;
}

/**
 * Walks both in order: what the sensor gave and what was stored. A row that was given and not stored was lost; what is stored and
 * was never given is foreign.
 */
export function compareGivenAndStored<T extends StoredValues>(
  given: readonly FrameEntry[],
  stored: readonly T[],
): { readonly lost: readonly LostRow[]; readonly foreign: readonly T[] } {
  const lost: LostRow[] = [];
  let next = 0;
  given.forEach((frame, index) => {
    const reading = stored[next];
    if (reading !== undefined && isSame(frame, reading)) next += 1;
    // Of equal rows in a row the stored ones have been matched with the first, so it is the last that is left over.
    else lost.push({ first: firstOfEqual(given, index), last: frame.row });
  });
  return { lost, foreign: stored.slice(next) };
}

function firstOfEqual(given: readonly FrameEntry[], index: number): number {
  const frame = given[index]!;
  let first = index;
  while (
    first > 0 &&
    isSame(given[first - 1]!, { temperatureCelsius: frame.temperature, humidityPercent: frame.humidity })
  )
    first -= 1;
  return given[first]!.row;
}

function isSame(frame: FrameEntry, reading: StoredValues): boolean {
  return (
    Math.abs(frame.temperature - reading.temperatureCelsius) <= TEMPERATURE_TOLERANCE &&
    Math.abs(frame.humidity - reading.humidityPercent) <= HUMIDITY_TOLERANCE
  );
}
