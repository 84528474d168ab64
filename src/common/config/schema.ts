import type { LogLevel } from '../../platform/log.ts';

/**
 * The keys of a configuration file, as data: src/common/config/load.ts reads files by it, describe.ts writes the annotated
 * default file from it, so neither can disagree with the other.
 */
export interface ConfigSchema {
  readonly [section: string]: SectionSpec;
}

export interface SectionSpec {
  /** What the section is about, for the annotated file. */
  readonly doc: string;
  readonly keys: { readonly [key: string]: KeySpec };
  /** Keys of older versions, still accepted with a warning. A name is never given another meaning. */
  readonly retired?: { readonly [key: string]: RetiredKey };
}

export interface RetiredKey {
  /** Why it has no effect, and what takes its place. */
  readonly reason: string;
  /** Values that say what happens anyway, and so deserve no warning. */
  readonly silentFor?: readonly string[];
}

export type KeySpec = KeyDoc &
  (
    | TextSpec<'text'>
    | IdSpec
    | TextSpec<'time-zone'>
    | TextSpec<'url-prefix'>
    | TextSpec<'origin-list'>
    | TextSpec<'name-list'>
    | TextSpec<'network-list'>
    | TextSpec<'host'>
    | TextSpec<'path'>
    | TextSpec<'topic'>
    | NumberSpec<'number'>
    | NumberSpec<'integer'>
    | NumberSpec<'address'>
    | YesNoSpec
    | AutoYesNoSpec
    | ChoiceSpec
    | LogLevelSpec
  );

interface KeyDoc {
  /** For the person who edits the file: what it does, when to change it. */
  readonly doc: string;
  /** Never shown in messages or dumps. */
  readonly secret?: true;
  /** Holds for as long as the program runs: a new value waits for the next start. */
  readonly restart?: true;
}

/**
 * `text`: one line of anything. `host`: a name or an IP address. `path`: a file or folder. `topic`: one or more levels of a
 * topic. `time-zone`: an IANA name. `url-prefix`: the path below which a proxy shows something. Each may be empty only where
 * its default is. `origin-list`, `network-list`, `name-list`: several with commas between them; may be empty.
 */
interface TextSpec<
  F extends
    | 'text'
    | 'host'
    | 'path'
    | 'topic'
    | 'time-zone'
    | 'url-prefix'
    | 'origin-list'
    | 'network-list'
    | 'name-list',
> {
  readonly format: F;
  readonly default: string;
}

/** One level of a topic. */
interface IdSpec {
  readonly format: 'id';
  readonly default: string;
  /** Whether `+`, for all of them, is one too. */
  readonly orAll?: true;
}

/** `number`: decimals allowed. `integer`: decimal digits. `address`: a whole number, decimal or 0x…, shown as 0x…. */
interface NumberSpec<F extends 'number' | 'integer' | 'address'> {
  readonly format: F;
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** For messages: "seconds". */
  readonly unit?: string;
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
  : {
      readonly text: string;
      readonly id: string;
      readonly host: string;
      readonly path: string;
      readonly topic: string;
      readonly 'time-zone': string;
      readonly 'url-prefix': string;
      readonly 'origin-list': string;
      readonly 'name-list': string;
      readonly 'network-list': string;
      readonly number: number;
      readonly integer: number;
      readonly address: number;
      readonly 'yes-no': boolean;
      readonly 'auto-yes-no': AutoYesNo;
      readonly choice: string;
      readonly 'log-level': LogLevel;
    }[K['format']];

/** What a schema's file says, once it is valid: `values.mqtt.broker_port`. */
export type ValuesOf<S extends ConfigSchema> = {
  readonly [Section in keyof S]: { readonly [Key in keyof S[Section]['keys']]: ValueOf<S[Section]['keys'][Key]> };
};

/** `section.key` of every key that a schema has. */
export type KeyName<S extends ConfigSchema> = {
  [Section in keyof S & string]: `${Section}.${keyof S[Section]['keys'] & string}`;
}[keyof S & string];

const ENV_PREFIX = 'TECHTEMP';

/** `mqtt`, `broker_host` -> `TECHTEMP_MQTT_BROKER_HOST` */
export function environmentVariable(section: string, key: string): string {
  return [ENV_PREFIX, section, key].join('_').toUpperCase();
}

/** The keys of a section; undefined when the schema has no such section. Names out of files never reach a prototype. */
export function sectionOf(schema: ConfigSchema, section: string): SectionSpec | undefined {
  return Object.hasOwn(schema, section) ? schema[section] : undefined;
}

export function keyOf(section: SectionSpec, key: string): KeySpec | undefined {
  return Object.hasOwn(section.keys, key) ? section.keys[key] : undefined;
}

export function retiredKeyOf(section: SectionSpec, key: string): RetiredKey | undefined {
  return section.retired !== undefined && Object.hasOwn(section.retired, key) ? section.retired[key] : undefined;
}
