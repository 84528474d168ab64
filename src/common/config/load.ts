import { type Assignment, type ConfigSources, readAssignments } from './assignments.ts';
import { ConfigError, type ConfigProblem, type Origin } from './config-problem.ts';
import { type Layers, layValues, type RawValues } from './layers.ts';
import { oddNote } from './odd-characters.ts';
import { type ConfigSchema, environmentVariable, type KeyName, keyOf, sectionOf, type ValuesOf } from './schema.ts';

export interface LoadedConfig<S extends ConfigSchema> {
  /** Deep-frozen. */
  readonly values: ValuesOf<S>;
  /** Where each value comes from, by `section.key`. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly warnings: readonly ConfigProblem[];
  /** What the file says in vain. */
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
  const variables: Record<string, string> = {};
  const texts = new Map<string, string>();
  for (const { section, key, text, origin } of assignments) {
    origins.set(`${section}.${key}`, origin);
    texts.set(`${section}.${key}`, text);
    if (origin.kind === 'environment') variables[environmentVariable(section, key)] = text;
  }

  const describe = (name: string, complaint: string): ConfigProblem => {
    const [section = '', key = ''] = name.split('.');
    const spec = keyOf(sectionOf(schema, section) ?? { doc: '', keys: {} }, key);
    const text = texts.get(name);
    const isNamed = text === undefined || complaint.includes('U+');
    const found = spec?.secret === true ? '[secret]' : text;
    return {
      origin: origins.get(name) ?? { kind: 'default' },
      key: name,
      complaint: isNamed ? complaint : `${complaint}${oddNote(text)}`,
      ...(found !== undefined && { found }),
    };
  };
  const errors = [...problems];
  const layers: Layers = { file: textsOf('file', assignments), env: variables, flags: textsOf('flag', assignments) };
  const values = layValues(schema, layers, (name, complaint) => errors.push(describe(name, complaint)));
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

/** The texts that came from one kind of origin, by section and key. */
function textsOf(kind: Origin['kind'], assignments: readonly Assignment[]): RawValues {
  const raw: Record<string, Record<string, string>> = {};
  for (const { section, key, text, origin } of assignments) {
    if (origin.kind === kind) (raw[section] ??= {})[key] = text;
  }
  return raw;
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
