import { readFileSync } from 'node:fs';

/** What a sensor meant with one conversion that was read with nothing wrong. */
export interface Conversion {
  /** Names the start of the machine and the conversion since. */
  readonly id: string;
  /** As stored readings have them: two decimals. */
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
  /** By the clock of the machine, which may be wrong. */
  readonly wall: string;
}

const COLUMNS = ['boot', 'mono_ns', 'wall', 'conv', 'read', 'raw_h', 'raw_t', 'rh', 'temp', 'frame', 'fault'] as const;

/** The conversions of a ground-truth file that were read without a fault, from a given line on. */
export function readTruth(path: string, fromLine = 0): readonly Conversion[] {
  const conversions = linesOf(path)
    .slice(fromLine)
    .map((line) => line.split(','))
    // A power cut can leave half a line; a machine that starts may repeat the heading.
    .filter((cells) => cells.length === COLUMNS.length && cells[0] !== 'boot')
    .map((cells) => Object.fromEntries(COLUMNS.map((name, index) => [name, cells[index] ?? ''])))
    .filter((row) => row['fault'] === '')
    .map((row) => ({
      id: `${row['boot'] ?? ''}/${row['conv'] ?? ''}`,
      humidityPercent: Number(row['rh']),
      temperatureCelsius: Number(row['temp']),
      wall: row['wall'] ?? '',
    }));
  // A conversion can be read more than once.
  return [...new Map(conversions.map((conversion) => [conversion.id, conversion])).values()];
}

export function countTruthLines(path: string): number {
  return linesOf(path).length;
}

function linesOf(path: string): readonly string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
