import convict from 'convict';
import { FORMATS, formatOf } from './formats.ts';
import { type ConfigSchema, type ConfigValue, environmentVariable, type KeySpec } from './schema.ts';

/** Texts by section and key. */
export type RawValues = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface Layers {
  readonly file: RawValues;
  /** By variable; those of the schema alone. */
  readonly env: Readonly<Record<string, string>>;
  readonly flags: RawValues;
}

/** Told of each value that is wrong: the key as `section.key`, and why. */
export type ReportBadValue = (name: string, complaint: string) => void;

/** What stands on each key of the schema given to convict; `report` leads back to the load that is going on. */
interface ConvictKey {
  readonly doc: string;
  readonly default: ConfigValue;
  readonly format: string;
  readonly env: string;
  readonly sensitive: boolean;
  readonly spec: KeySpec;
  readonly report: (complaint: string) => void;
}

/** convict's formats are one table for the whole process: ours carry a name that nobody else uses. */
const FORMAT_PREFIX = 'techtemp-';

/**
 * Lays defaults < file < environment < flags over each other and checks the result, with convict. The keys of file and flags
 * must be the schema's own. A new convict instance each time: one that loads a file again keeps the values of keys that
 * have gone from it. What is wrong goes to `report`, all of it; the values are good only if nothing was.
 */
export function layValues(
  schema: ConfigSchema,
  layers: Layers,
  report: ReportBadValue,
): Readonly<Record<string, Readonly<Record<string, ConfigValue>>>> {
  registerFormats();
  let complaints = 0;
  const convictSchema = convictSchemaOf(schema, (name, complaint) => {
    complaints += 1;
    report(name, complaint);
  });
  // Without `args` it would read this process's own command line.
  const config = convict(convictSchema, { env: layers.env, args: [] });
  config.load(layers.file);
  for (const [section, texts] of Object.entries(layers.flags)) {
    for (const [key, text] of Object.entries(texts)) config.set(`${section}.${key}`, text);
  }
  try {
    config.validate({ allowed: 'strict' });
  } catch (error) {
    // Its message has been said better already: without file, line and limits it helps nobody.
    if (complaints === 0) throw error;
  }
  return config.getProperties();
}

/**
 * convict's own formats read "30s" as 30 and "no" as true. Registering is a plain replacement of the same by the same, so it
 * is done at each load instead of when this module is imported.
 */
function registerFormats(): void {
  for (const [name, format] of Object.entries(FORMATS)) {
    convict.addFormat({
      name: FORMAT_PREFIX + name,
      coerce: format.read,
      validate: (value: unknown, schemaNode: convict.SchemaObj) => {
        const { spec, report } = schemaNode as unknown as ConvictKey;
        const complaint = formatOf(spec).complain(value, spec);
        if (complaint === undefined) return;
        report(complaint);
        throw new Error(complaint);
      },
    });
  }
}

function convictSchemaOf(
  schema: ConfigSchema,
  report: ReportBadValue,
): convict.Schema<Record<string, Record<string, ConfigValue>>> {
  const sections: Record<string, Record<string, ConvictKey>> = {};
  for (const [section, { keys }] of Object.entries(schema)) {
    const nodes: Record<string, ConvictKey> = {};
    for (const [key, spec] of Object.entries(keys)) {
      nodes[key] = {
        doc: spec.doc,
        default: spec.default,
        format: FORMAT_PREFIX + spec.format,
        env: environmentVariable(section, key),
        sensitive: spec.secret === true,
        spec,
        report: (complaint) => report(`${section}.${key}`, complaint),
      };
    }
    // An empty object would be taken for a key whose value is an object.
    if (Object.keys(nodes).length > 0) sections[section] = nodes;
  }
  return sections;
}
