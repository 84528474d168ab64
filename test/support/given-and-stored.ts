import type { FrameEntry } from './emulator-log.ts';

/** Two decimals on the wire, and half a step of the chip's 20-bit scale. */
const TEMPERATURE_TOLERANCE = 0.005 + 200 / 2 ** 20 / 2 + 1e-9;
const HUMIDITY_TOLERANCE = 0.005 + 100 / 2 ** 20 / 2 + 1e-9;

/** The values of a stored reading. */
export interface StoredValues {
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
}

/**
 * Walks both in order: what the sensor gave and what was stored. A row that was given and not stored was lost; what is stored and
 * was never given is foreign.
 */
export function compareGivenAndStored<T extends StoredValues>(
  given: readonly FrameEntry[],
  stored: readonly T[],
): { readonly lost: readonly number[]; readonly foreign: readonly T[] } {
  const lost: number[] = [];
  let next = 0;
  for (const frame of given) {
    const reading = stored[next];
    if (reading !== undefined && isSame(frame, reading)) next += 1;
    else lost.push(frame.row);
  }
  return { lost, foreign: stored.slice(next) };
}

function isSame(frame: FrameEntry, reading: StoredValues): boolean {
  return (
    Math.abs(frame.temperature - reading.temperatureCelsius) <= TEMPERATURE_TOLERANCE &&
    Math.abs(frame.humidity - reading.humidityPercent) <= HUMIDITY_TOLERANCE
  );
}
