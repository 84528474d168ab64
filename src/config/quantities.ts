import type { ConfigValue } from './schema.ts';

/** Limits of a key that holds a number. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
}

const DECIMAL_NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const DECIMAL_INTEGER = /^[+-]?\d+$/;
const HEX_INTEGER = /^0[xX][0-9a-fA-F]+$/;
const WITH_UNIT = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*([a-zA-Z]+)$/;

/** A family of units: times or sizes. */
interface Family {
  /** "a time" */
  readonly noun: string;
  /** The smallest steps of the family (ms, bytes) in each unit, by the name that messages use. */
  readonly units: Readonly<Record<string, number>>;
  /** Other spellings, in small letters, of these units. */
  readonly spellings: Readonly<Record<string, readonly string[]>>;
}

const TIME: Family = {
  noun: 'a time',
  units: { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 },
  spellings: {
    ms: ['ms', 'msec', 'millisecond', 'milliseconds'],
    s: ['s', 'sec', 'secs', 'second', 'seconds'],
    min: ['min', 'mins', 'minute', 'minutes'],
    h: ['h', 'hr', 'hrs', 'hour', 'hours'],
    d: ['d', 'day', 'days'],
  },
};

/** Powers of 1024 under both spellings, so that `64`, `64 MB` and `64 MiB` are the same for a key in MB. */
const SIZE: Family = {
  noun: 'a size',
  units: { B: 1, kB: 1_024, MB: 1_024 ** 2, GB: 1_024 ** 3 },
  spellings: {
    B: ['b', 'byte', 'bytes'],
    kB: ['kb', 'kib'],
    MB: ['mb', 'mib'],
    GB: ['gb', 'gib'],
  },
};

/** One way of writing numbers: see Format in formats.ts. */
interface NumberFormat {
  readonly read: (text: string) => ConfigValue;
  readonly complain: (value: unknown, range: Range) => string | undefined;
  readonly allowed: (range: Range) => string;
  readonly print: (value: ConfigValue) => string;
}

/** A number without a unit of its own. */
export function plainNumber(kind: 'number' | 'integer' | 'address'): NumberFormat {
  const allowed = (range: Range): string => {
    if (kind === 'address') return `a whole number from ${hex(range.min)} to ${hex(range.max)}`;
    return `${kind === 'number' ? 'a number' : 'a whole number'}${rangeOf(range)}`;
  };
  return {
    read: (text) => {
      const digits = text.trim();
      const fits = (kind === 'number' ? DECIMAL_NUMBER : DECIMAL_INTEGER).test(digits);
      return fits || (kind === 'address' && HEX_INTEGER.test(digits)) ? Number(digits) : text;
    },
    complain: (value, range) => {
      if (isWithin(value, range)) return undefined;
      const rule = `must be ${allowed(range)}`;
      if (typeof value === 'string' && /^[\d.]+\s*[a-zA-Z]+$/.test(value)) return `${rule}, without a unit after it`;
      return `${rule}${commaNote(value)}`;
    },
    allowed,
    print: (value) => (kind === 'address' ? hex(Number(value)) : String(value)),
  };
}

/** A time whose plain number counts seconds. Its value is in seconds. */
export function time(kind: 'seconds' | 'whole-seconds'): NumberFormat {
  const isWhole = kind === 'whole-seconds';
  return quantity({
    family: TIME,
    unit: 's',
    unitInWords: 'seconds',
    plain: isWhole ? DECIMAL_INTEGER : DECIMAL_NUMBER,
    noun: isWhole ? 'a whole number' : 'a number',
    isWhole,
  });
}

/** A size whose plain number counts kB or MB. Its value is in that unit; a text with a unit may make it a fraction. */
export function size(unit: 'kB' | 'MB'): NumberFormat {
  return quantity({
    family: SIZE,
    unit,
    unitInWords: unit,
    plain: DECIMAL_INTEGER,
    noun: 'a whole number',
    isWhole: false,
  });
}

interface QuantityParts {
  readonly family: Family;
  /** The unit of a plain number. */
  readonly unit: string;
  readonly unitInWords: string;
  /** What a text without a unit must look like. */
  readonly plain: RegExp;
  readonly noun: string;
  /** Whether a value with a unit must be whole in the plain unit too. */
  readonly isWhole: boolean;
}

function quantity({ family, unit, unitInWords, plain, noun, isWhole }: QuantityParts): NumberFormat {
  const base = family.units[unit] ?? 1;
  const allowed = (range: Range): string =>
    `${noun}${rangeOf({ ...range, unit: unitInWords })}, or ${family.noun} in ${oneOf(Object.keys(family.units))}`;
  return {
    read: (text) => {
      const trimmed = text.trim();
      if (plain.test(trimmed)) return Number(trimmed);
      const [, digits = '', word = ''] = WITH_UNIT.exec(trimmed) ?? [];
      const steps = stepsIn(family, word);
      // Whole steps: 1.1 min is 66 s, not 66.00000000000001.
      return steps === undefined ? text : Math.round(Number(digits) * steps) / base;
    },
    complain: (value, range) => {
      if (isWithin(value, range) && (!isWhole || Number.isInteger(value))) return undefined;
      return `must be ${allowed(range)}${commaNote(value)}${minuteNote(family, value)}`;
    },
    allowed,
    print: (value) => {
      const steps = Number(value) * base;
      // A fraction of a size is printed in a unit in which it is whole, since a plain number must be whole.
      if (family === TIME || Number.isInteger(value)) return String(value);
      const [name = '', length = 1] = Object.entries(family.units).findLast((entry) => steps % entry[1] === 0) ?? [];
      return `${steps / length} ${name}`;
    },
  };
}

function stepsIn({ units, spellings }: Family, word: string): number | undefined {
  const wanted = word.toLowerCase();
  const name = Object.keys(units).find((unit) => spellings[unit]?.includes(wanted) === true);
  return name === undefined ? undefined : units[name];
}

function isWithin(value: unknown, { min, max }: Range): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max;
}

function rangeOf({ min, max, unit }: Range): string {
  return ` from ${min} to ${max}${unit === undefined ? '' : ` (${unit})`}`;
}

function commaNote(value: unknown): string {
  const hasComma = typeof value === 'string' && /^[+-]?\d+,\d+\s*[a-zA-Z]*$/.test(value);
  return hasComma ? '; write the decimals after a point, not a comma' : '';
}

/** `5m` is minutes to one reader and milliseconds or metres to another, so it is not guessed. */
function minuteNote(family: Family, value: unknown): string {
  const isShort = family === TIME && typeof value === 'string' && /^[\d.]+\s*m$/i.test(value);
  return isShort ? '; write min for minutes' : '';
}

/** `auto, 5 or 3.1.1` */
export function oneOf(values: readonly string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(', ')} or ${values.at(-1) ?? ''}`;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}
