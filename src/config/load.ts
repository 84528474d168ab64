import convict from 'convict';
import { FORMATS, formatOf } from './formats.ts';
import { oddNote } from './odd-characters.ts';
import { ConfigError, type ConfigProblem, type Origin } from './problem.ts';
import {
  type ConfigSchema,
  type ConfigValue,
  environmentVariable,
  type KeyName,
  type KeySpec,
  keyOf,
  sectionOf,
  type ValuesOf,
} from './schema.ts';
import { type Assignment, type ConfigSources, readAssignments } from './sources.ts';

export interface LoadedConfig<S extends ConfigSchema> {
  /** Deep-frozen. */
  readonly values: ValuesOf<S>;
  /** Where each value comes from, by `section.key`. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly warnings: readonly ConfigProblem[];
  /** Keys of the file that something else overrides. */
  readonly overridden: readonly Overridden[];
}

/** A value of the file in whose place another one is in force. */
export interface Overridden {
  /** `section.key` */
  readonly name: string;
  /** What the file says; may be a secret. */
  readonly text: string;
  readonly origin: Origin;
  /** Where the value in force comes from. */
  readonly by: Origin;
}

/** What no single key can tell: called with values that are right one by one. */
export type CrossCheck<S extends ConfigSchema> = (values: ValuesOf<S>, verdict: Verdict<S>) => void;

export interface Verdict<S extends ConfigSchema> {
  /** The key that is named gives the problem its place in the file. */
  error(key: KeyName<S>, complaint: string): void;
  warning(key: KeyName<S>, complaint: string): void;
}

/**
 * Makes values of a schema from file, environment and flags (the later wins). Pure.
 * @throws ConfigError CONFIG_INVALID with everything that is wrong, not only the first thing
 */
export function loadConfig<const S extends ConfigSchema>(
  schema: S,
  sources: ConfigSources,
  crossCheck: CrossCheck<S> = () => undefined,
): LoadedConfig<S> {
  const { assignments, problems, warnings } = readAssignments(schema, sources);
  const origins = new Map<string, Origin>();
  const texts = new Map<string, string>();
  for (const { section, key, text, origin } of assignments) {
    origins.set(`${section}.${key}`, origin);
    texts.set(`${section}.${key}`, text);
  }

  const describe = (name: string, complaint: string): ConfigProblem => {
    const [section = '', key = ''] = name.split('.');
    const spec = keyOf(sectionOf(schema, section) ?? { doc: '', keys: {} }, key);
    const text = texts.get(name);
    const isNamed = text === undefined || complaint.includes('U+');
    const found = spec?.sensitive === true ? '[secret]' : text;
    return {
      origin: origins.get(name) ?? { kind: 'default' },
      key: name,
      complaint: isNamed ? complaint : `${complaint}${oddNote(text)}`,
      ...(found !== undefined && { found }),
    };
  };
  const { values, complaints } = layValues(schema, assignments);
  const errors = [...problems, ...complaints.map(([name, complaint]) => describe(name, complaint))];
  if (errors.length > 0) throw new ConfigError('CONFIG_INVALID', inFileOrder(errors));

  const right = deepFreeze(values) as ValuesOf<S>;
  const notes = [...warnings];
  crossCheck(right, {
    error: (name, complaint) => void errors.push(describe(name, complaint)),
    warning: (name, complaint) => void notes.push(describe(name, complaint)),
  });
  if (errors.length > 0) throw new ConfigError('CONFIG_INVALID', inFileOrder(errors));
  const overridden = assignments.flatMap(({ section, key, text, origin }): Overridden[] => {
    const name = `${section}.${key}`;
    const by = origins.get(name) ?? origin;
    return origin.kind === 'file' && by.kind !== 'file' && texts.get(name) !== text ? [{ name, text, origin, by }] : [];
  });
  return { values: right, origins, warnings: inFileOrder(notes), overridden };
}

interface LaidValues {
  readonly values: Readonly<Record<string, Readonly<Record<string, ConfigValue>>>>;
  /** Each value that is wrong, by `section.key`, and why. The values may be used only where there are none. */
  readonly complaints: readonly (readonly [name: string, complaint: string])[];
}

/**
 * convict lays defaults < file < environment < flags over each other, reads the texts and checks the values. Each load has an
 * instance of its own: one that loads a file again would keep the values of keys that have gone from it.
 */
function layValues(schema: ConfigSchema, assignments: readonly Assignment[]): LaidValues {
  addFormats();
  const env: Record<string, string> = {};
  const file: Record<string, Record<string, string>> = {};
  const flags: Assignment[] = [];
  for (const assignment of assignments) {
    const { section, key, text, origin } = assignment;
    if (origin.kind === 'environment') env[environmentVariable(section, key)] = text;
    else if (origin.kind === 'flag') flags.push(assignment);
    else (file[section] ??= {})[key] = text;
  }
  // Without `args` convict would read this process's own command line.
  const config = convict(convictSchema(schema), { env, args: [] });
  config.load(file);
  // Not through `args`: convict's parser of command lines makes a number of "007".
  for (const { section, key, text } of flags) config.set(`${section}.${key}`, text);
  try {
    config.validate({ allowed: 'strict' });
    return { values: config.getProperties(), complaints: [] };
  } catch (error) {
    return { values: config.getProperties(), complaints: complaintsOf(error) };
  }
}

/** Our formats under their names. convict has one table of formats; to add the same again changes nothing. */
function addFormats(): void {
  for (const [name, { read }] of Object.entries(FORMATS)) {
    convict.addFormat({
      name,
      coerce: read,
      validate: (value: unknown, node: convict.SchemaObj) => {
        const spec = node as unknown as KeySpec;
        const complaint = formatOf(spec).complain(value, spec);
        if (complaint !== undefined) throw new Error(complaint);
      },
    });
  }
}

/** The schema as convict takes it: the keys as they are, with the name of the variable of each. */
function convictSchema(schema: ConfigSchema): convict.Schema<Record<string, Record<string, ConfigValue>>> {
  const sections = Object.entries(schema).map(([section, { keys }]) => {
    const nodes = Object.entries(keys).map(([key, spec]) => {
      const node: convict.SchemaObj<ConfigValue> = { ...spec, env: environmentVariable(section, key) };
      return [key, node] as const;
    });
    return [section, Object.fromEntries(nodes)] as const;
  });
  // convict takes an empty section for a key.
  return Object.fromEntries(sections.filter(([, nodes]) => Object.keys(nodes).length > 0));
}

/** convict's message has a line for each wrong value: `mqtt.tls: must be yes or no: value was "x"`. */
function complaintsOf(error: unknown): readonly (readonly [name: string, complaint: string])[] {
  if (!(error instanceof Error)) throw error;
  return error.message.split('\n').map((line) => {
    const [, name, complaint] = /^(\w+\.\w+): (.*?)(?:: value was .*)?$/s.exec(line) ?? [];
    if (name === undefined || complaint === undefined) throw error;
    return [name, complaint] as const;
  });
}

/** A file is corrected from top to bottom; what is not of the file comes last. */
function inFileOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  return problems.toSorted((a, b) => lineOf(a) - lineOf(b));
}

function lineOf({ origin }: ConfigProblem): number {
  return origin.kind === 'file' ? (origin.line ?? 0) : Infinity;
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part as object);
  }
  return Object.freeze(value);
}

export interface KeptValues<S extends ConfigSchema> {
  /** Those of the file, but the running ones for keys that wait for the next start. Frozen. */
  readonly values: ValuesOf<S>;
  /** The keys that wait, as `section.key`. */
  readonly needsRestart: readonly string[];
  /** One for each of them, with its place and what stays in force. */
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Keeps what is running in force for the keys that the schema marks `restart`, so that no part ever sees a value that is not
 * true yet: a server that asks `http.host` whether it is reachable from outside must hear where it does listen. Pure.
 */
export function keepUntilRestart<S extends ConfigSchema>(
  schema: S,
  running: ValuesOf<S>,
  { values, origins }: LoadedConfig<S>,
): KeptValues<S> {
  const needsRestart: string[] = [];
  const warnings: ConfigProblem[] = [];
  const kept = Object.entries(schema).map(([section, { keys }]) => {
    const now: Readonly<Record<string, ConfigValue>> = running[section] ?? {};
    const wanted: Readonly<Record<string, ConfigValue>> = values[section] ?? {};
    const merged = Object.entries(keys).map(([key, spec]) => {
      const [runs, wants] = [now[key] ?? spec.default, wanted[key] ?? spec.default];
      if (spec.when !== 'restart' || runs === wants) return [key, wants] as const;
      const { print } = formatOf(spec);
      needsRestart.push(`${section}.${key}`);
      warnings.push({
        origin: origins.get(`${section}.${key}`) ?? { kind: 'default' },
        key: `${section}.${key}`,
        found: print(wants),
        complaint: `needs a restart; until then it stays ${JSON.stringify(print(runs))}`,
      });
      return [key, runs] as const;
    });
    return [section, Object.freeze(Object.fromEntries(merged))] as const;
  });
  return { values: Object.freeze(Object.fromEntries(kept)) as ValuesOf<S>, needsRestart, warnings };
}
