import type { ConfigSchema, ConfigValue, KeySpec, SectionSpec, ValueOf, ValuesOf } from './schema.ts';
import { listElements } from './web-formats.ts';

/**
 * How a quantity changes on its way from the file into the program: its suffix in the file and in the program, and what its
 * value is multiplied with. `read_interval_seconds = 30` becomes `readIntervalMs: 30_000`.
 */
const QUANTITIES = {
  seconds: { inFile: '_seconds', inProgram: 'Ms', factor: 1_000 },
  'whole-seconds': { inFile: '_seconds', inProgram: 'Ms', factor: 1_000 },
  kB: { inFile: '_kb', inProgram: 'Bytes', factor: 1_024 },
  MB: { inFile: '_mb', inProgram: 'Bytes', factor: 1_024 ** 2 },
  '°C': { inFile: '', inProgram: 'Celsius', factor: 1 },
  '%RH': { inFile: '', inProgram: 'Percent', factor: 1 },
} as const;

type Quantities = typeof QUANTITIES;

/** The unit where the key names one, else its format. */
type QuantityOf<K extends KeySpec> = K extends { readonly unit: infer Unit } ? Unit : K['format'];

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;
type Without<Name extends string, Suffix extends string> = Name extends `${infer Stem}${Suffix}` ? Stem : Name;

/** `read_interval_seconds` -> `readIntervalMs`, `broker_host` -> `brokerHost` */
type NameOf<Key extends string, K extends KeySpec> =
  QuantityOf<K> extends infer Q extends keyof Quantities
    ? `${Camel<Without<Key, Quantities[Q]['inFile']>>}${Quantities[Q]['inProgram']}`
    : Camel<Key>;

type ProgramValue<K extends KeySpec> = K['format'] extends `${string}-list` ? readonly string[] : ValueOf<K>;

/**
 * A configuration as the parts of a program see it: complete, checked, frozen, with units in the names. Derived from the
 * schema: `type DeviceConfig = ConfigOf<typeof DEVICE_SCHEMA>`.
 */
export type ConfigOf<S extends ConfigSchema> = {
  readonly [Section in keyof S as keyof S[Section]['keys'] extends never ? never : Section]: {
    readonly [Key in keyof S[Section]['keys'] & string as NameOf<Key, S[Section]['keys'][Key]>]: ProgramValue<
      S[Section]['keys'][Key]
    >;
  };
};

/** Gives every value its name and unit in the program. Deep-frozen. */
export function toConfig<const S extends ConfigSchema>(schema: S, values: ValuesOf<S>): ConfigOf<S> {
  const sections = Object.entries(schema)
    .filter(([, { keys }]) => Object.keys(keys).length > 0)
    .map(([section, spec]) => [section, toSection(spec, values[section] ?? {})] as const);
  return Object.freeze(Object.fromEntries(sections)) as ConfigOf<S>;
}

function toSection({ keys }: SectionSpec, values: Readonly<Record<string, ConfigValue>>): object {
  const properties = Object.entries(keys).map(([key, spec]) => {
    const value = values[key] ?? spec.default;
    const quantity = quantityOf(spec);
    // Rounded: 0.1 + 0.2 s is 300 ms, not 300.00000000000006. What keeps its unit keeps its decimals.
    if (quantity === undefined) return [camel(key), isList(spec) ? listOf(value) : value] as const;
    const { inFile, inProgram, factor } = quantity;
    const name = camel(key.slice(0, key.length - inFile.length)) + inProgram;
    return [name, factor === 1 ? value : Math.round(Number(value) * factor)] as const;
  });
  return Object.freeze(Object.fromEntries(properties));
}

function quantityOf(spec: KeySpec): Quantities[keyof Quantities] | undefined {
  const name = 'unit' in spec ? spec.unit : spec.format;
  return Object.hasOwn(QUANTITIES, name) ? QUANTITIES[name as keyof Quantities] : undefined;
}

function isList({ format }: KeySpec): boolean {
  return format.endsWith('-list');
}

function listOf(value: ConfigValue): readonly string[] {
  return Object.freeze([...listElements(String(value))]);
}

function camel(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
