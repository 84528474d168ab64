import type { LogLevel } from '../platform/log.ts';

/**
 * The keys of a configuration file as data. Each key is written once, as convict takes it (`doc`, `format`, `default`,
 * `sensitive`), with what convict does not know beside it (`min`, `max`, `unit`, `when`). Everything else is derived: the
 * types, the names in the program (names.ts), the shipped .conf files and the reference in docs/ (describe.ts).
 */
export interface ConfigSchema {
  readonly [section: string]: SectionSpec;
}

export interface SectionSpec {
  /** What the section is about, for the annotated file. */
  readonly doc: string;
  readonly keys: { readonly [key: string]: KeySpec };
  /** Keys of older versions: accepted with a warning. A retired name never gets another meaning. */
  readonly retired?: { readonly [key: string]: RetiredKey };
}

export interface RetiredKey {
  /** Why it has no effect, and what to use instead. */
  readonly reason: string;
  /** Values that ask for what happens anyway, so they need no warning. */
  readonly silentFor?: readonly string[];
}

export type KeySpec = KeyDoc &
  (
    | TextSpec
    | IdSpec
    | NumberSpec<'number'>
    | NumberSpec<'integer'>
    | NumberSpec<'address'>
    | QuantitySpec
    | YesNoSpec
    | AutoYesNoSpec
    | ChoiceSpec
    | LogLevelSpec
  );

interface KeyDoc {
  /** For the person who edits the file: what it does, when to change it. */
  readonly doc: string;
  /** A secret: masked in messages and printed configurations. */
  readonly sensitive?: true;
  /** `restart`: a new value waits for the next start. Absent: a new value takes effect at once. */
  readonly when?: 'restart';
}

/**
 * `text`: any text on one line. `host`: a name or an IP address. `path`: a file or folder. `topic`: one or more levels of a
 * topic. `time-zone`: an IANA name. `time-of-day`: such as 03:10, or `never`. `url-prefix`: the path below which a proxy shows something. These may be empty only where
 * the default is empty. `origin-list`, `network-list`, `name-list`: several values with commas between them; may be empty.
 */
interface TextSpec {
  readonly format:
    | 'text'
    | 'host'
    | 'path'
    | 'topic'
    | 'time-zone'
    | 'time-of-day'
    | 'url-prefix'
    | 'origin-list'
    | 'network-list'
    | 'name-list';
  readonly default: string;
}

/** One level of a topic. */
interface IdSpec {
  readonly format: 'id';
  readonly default: string;
  /** Whether `+`, which means all of them, is allowed too. */
  readonly orAll?: true;
}

/** `number`: decimals allowed. `integer`: decimal digits. `address`: a whole number, decimal or 0x…, printed as 0x…. */
interface NumberSpec<F extends 'number' | 'integer' | 'address'> {
  readonly format: F;
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** For messages and for the name in the program: "°C". */
  readonly unit?: string;
}

/**
 * A time or a size. The text may name its unit (`5 min`, `64 MB`). The format names the unit of a number without one, of
 * `default`, `min` and `max`, and of the value that comes out. `whole-seconds` allows no fraction of a second.
 */
interface QuantitySpec {
  readonly format: 'seconds' | 'whole-seconds' | 'kB' | 'MB';
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

interface YesNoSpec {
  readonly format: 'yes-no';
  readonly default: boolean;
}

interface AutoYesNoSpec {
  readonly format: 'auto-yes-no';
  readonly default: AutoYesNo;
}

interface ChoiceSpec {
  readonly format: 'choice';
  /** Lower case; capitals are accepted. */
  readonly values: readonly string[];
  readonly default: string;
}

interface LogLevelSpec {
  readonly format: 'log-level';
  readonly default: LogLevel;
}

export type AutoYesNo = 'auto' | 'yes' | 'no';
export type ConfigValue = string | number | boolean;

export type ValueOf<K extends KeySpec> = K extends { readonly values: readonly (infer Value)[] }
  ? Value
  : K extends { readonly format: 'log-level' }
    ? LogLevel
    : K extends { readonly format: 'auto-yes-no' }
      ? AutoYesNo
      : K['default'] extends number
        ? number
        : K['default'] extends boolean
          ? boolean
          : string;

/** What a schema's file says, once it is valid: `values.mqtt.broker_port`. */
export type ValuesOf<S extends ConfigSchema> = {
  readonly [Section in keyof S]: { readonly [Key in keyof S[Section]['keys']]: ValueOf<S[Section]['keys'][Key]> };
};

/** `section.key` of every key in a schema. */
export type KeyName<S extends ConfigSchema> = {
  [Section in keyof S & string]: `${Section}.${keyof S[Section]['keys'] & string}`;
}[keyof S & string];

const ENV_PREFIX = 'TECHTEMP';

/** `mqtt`, `broker_host` -> `TECHTEMP_MQTT_BROKER_HOST` */
export function environmentVariable(section: string, key: string): string {
  return [ENV_PREFIX, section, key].join('_').toUpperCase();
}

/** A section of the schema, if it has one of that name. A name from a file never reaches a prototype. */
export function sectionOf(schema: ConfigSchema, section: string): SectionSpec | undefined {
  return Object.hasOwn(schema, section) ? schema[section] : undefined;
}

export function keyOf(section: SectionSpec, key: string): KeySpec | undefined {
  return Object.hasOwn(section.keys, key) ? section.keys[key] : undefined;
}

export function retiredKeyOf(section: SectionSpec, key: string): RetiredKey | undefined {
  return section.retired !== undefined && Object.hasOwn(section.retired, key) ? section.retired[key] : undefined;
}
