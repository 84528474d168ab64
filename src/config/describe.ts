import { formatOf } from './formats.ts';
import { quoteIni } from './ini.ts';
import { describeOrigin, type Origin } from './problem.ts';
import type { ConfigSchema, ConfigValue, KeySpec } from './schema.ts';

const COMMENT_WIDTH = 100;
const RESTART_NOTE = 'A change waits for the next start.';
const MASKED = '[secret]';
/** Further right, origins are hard to see beside their values. */
const MAX_VALUE_COLUMN = 60;

/** One key as it is in force. */
interface DescribedKey {
  readonly section: string;
  readonly key: string;
  /** As one would write it in the file; secrets masked. */
  readonly value: string;
  readonly origin: Origin;
}

interface Loaded {
  readonly values: Readonly<Record<string, Readonly<Record<string, ConfigValue>>>>;
  readonly origins: ReadonlyMap<string, Origin>;
}

/** What is in force, as an INI text that can be read again (but for secrets); each origin in a comment behind its value. */
export function describeConfig(schema: ConfigSchema, loaded: Loaded): string {
  const keys = describeKeys(schema, loaded);
  const lines = keys.map(({ key, value }) => `${key} = ${value}`.trimEnd());
  const column = Math.min(MAX_VALUE_COLUMN, Math.max(...lines.map((line) => line.length)) + 2);
  let section = '';
  return keys
    .flatMap((described, index) => {
      const heading = described.section === section ? [] : [...(index > 0 ? [''] : []), `[${described.section}]`];
      section = described.section;
      return [...heading, `${(lines[index] ?? '').padEnd(column)}  # ${describeOrigin(described.origin)}`];
    })
    .join('\n')
    .concat('\n');
}

/** The annotated default file: every key in plain words with its default, all commented out. `intro` comes first. */
export function renderDefaultFile(schema: ConfigSchema, intro: string): string {
  const blocks = [comment(intro)];
  for (const [section, { doc, keys }] of Object.entries(schema)) {
    if (Object.keys(keys).length === 0) continue;
    blocks.push(`${comment(doc)}\n[${section}]`);
    for (const [key, spec] of Object.entries(keys)) {
      const allowed = allowedNote(spec);
      const notes = [
        spec.doc,
        ...(spec.when === 'restart' ? [RESTART_NOTE] : []),
        ...(allowed === undefined ? [] : [allowed]),
      ];
      blocks.push(
        `${comment(notes.join('\n'))}\n${`#${key} = ${quoteIni(formatOf(spec).print(spec.default))}`.trimEnd()}`,
      );
    }
  }
  return `${blocks.join('\n\n')}\n`;
}

/** Every key with its effective value and where that comes from, in the schema's order. */
function describeKeys(schema: ConfigSchema, { values, origins }: Loaded): readonly DescribedKey[] {
  return Object.entries(schema).flatMap(([section, { keys }]) =>
    Object.entries(keys).map(([key, spec]) => ({
      section,
      key,
      value: printValue(spec, values[section]?.[key] ?? spec.default),
      origin: origins.get(`${section}.${key}`) ?? ({ kind: 'default' } as const),
    })),
  );
}

function printValue(spec: KeySpec, value: ConfigValue): string {
  if (spec.sensitive === true && value !== '') return MASKED;
  return quoteIni(formatOf(spec).print(value));
}

/** The limits that a person cannot guess; what a text may be, the doc says. */
function allowedNote(spec: KeySpec): string | undefined {
  const isText = ['text', 'path', 'host', 'time-zone', 'url-prefix'].includes(spec.format);
  return isText ? undefined : `Allowed: ${formatOf(spec).allowed(spec)}.`;
}

/** Wraps a text into comment lines; its own line breaks stay. */
function comment(text: string): string {
  return text.split('\n').flatMap(wrap).join('\n');
}

function wrap(paragraph: string): readonly string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of paragraph.split(' ')) {
    if (line.length + 1 + word.length > COMMENT_WIDTH && line !== '#') {
      lines.push(line);
      line = '#';
    }
    line = `${line} ${word}`;
  }
  return [...lines, line.trimEnd()];
}
