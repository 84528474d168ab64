import { formatOf } from './formats.ts';
import type { LoadedConfig } from './load.ts';
import type { ConfigProblem } from './problem.ts';
import type { ConfigSchema, ConfigValue, ValuesOf } from './schema.ts';

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
