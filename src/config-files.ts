import { formatOf } from './config/formats.ts';
import { quoteIni } from './config/ini.ts';
import { type ConfigSchema, environmentVariable, type KeySpec } from './config/schema.ts';
import { renderDeviceConf } from './device/config.ts';
import { DEVICE_SCHEMA } from './device/config-schema.ts';
import { renderServerConf } from './server/config.ts';
import { SERVER_SCHEMA } from './server/config-schema.ts';

/** The files that are generated from the schemas, by their path in the project. `npm run config:files` writes them. */
export function configFiles(): Readonly<Record<string, string>> {
  return {
    'config/device.conf': renderDeviceConf(),
    'config/server.conf': renderServerConf(),
    'docs/configuration.md': renderReference([
      { file: '/etc/techtemp/device.conf', program: 'techtemp-device', schema: DEVICE_SCHEMA },
      { file: '/etc/techtemp/server.conf', program: 'techtemp-server', schema: SERVER_SCHEMA },
    ]),
  };
}

/** One configuration file in the reference. */
interface ReferenceChapter {
  /** Where it is when installed: `/etc/techtemp/device.conf`. */
  readonly file: string;
  /** The program that reads it: `techtemp-device`. */
  readonly program: string;
  readonly schema: ConfigSchema;
}

const HEAD = `# Configuration

<!-- Generated from the schemas by "npm run config:files". Do not edit it by hand. -->

Every key of the two configuration files. The files themselves carry the same texts as comments; \`techtemp-device config --defaults\`
and \`techtemp-server config --defaults\` print them, and \`config\` alone prints what is in force and where each value comes from.

A value is taken from the first of these that has one:

1. the command line: \`techtemp-device run --set section.key=value\`, and the same for each command and for \`techtemp-server\`
2. the environment variable of the key: \`TECHTEMP_\`, the section and the key, in capitals
   (\`${environmentVariable('mqtt', 'broker_host')}\`)
3. the file
4. the default

A change in the file takes effect when the file is saved. Keys marked *restart* wait for the next start.

## Times and sizes

The name of a key ends in its unit: \`read_interval_seconds = 30\` is 30 seconds, \`min_free_mb = 64\` is 64 MB. You may name a unit
yourself:

| units | examples |
|---|---|
| \`ms\`, \`s\`, \`min\`, \`h\`, \`d\` (and \`sec\`, \`seconds\`, \`minutes\`, \`hours\`, \`days\`, ...) | \`500ms\`, \`30s\`, \`5 min\`, \`1.5 h\` |
| \`B\`, \`kB\`, \`MB\`, \`GB\` (and \`KiB\`, \`MiB\`, \`GiB\`; always powers of 1024) | \`512 KiB\`, \`64 MB\` |

\`m\` alone is refused: write \`min\` for minutes. A release from before this notation refuses a value with a unit. Use plain numbers as long as
you may have to go back to one.
`;

/** The page docs/configuration.md. */
function renderReference(chapters: readonly ReferenceChapter[]): string {
  return [HEAD, ...chapters.map(renderChapter)].join('\n');
}

function renderChapter({ file, program, schema }: ReferenceChapter): string {
  const name = file.split('/').at(-1) ?? '';
  const blocks = [`## ${name}\n\n\`${file}\`, read by \`${program}\`.\n`];
  for (const [section, { doc, keys }] of Object.entries(schema)) {
    const rows = Object.entries(keys).map(([key, spec]) => row(key, spec));
    if (rows.length === 0) continue;
    blocks.push(
      `### [${section}] in ${name}\n\n${doc}\n\n${['| key | default | allowed | meaning |', '|---|---|---|---|', ...rows].join('\n')}\n`,
    );
  }
  return blocks.join('\n');
}

function row(key: string, spec: KeySpec): string {
  const { allowed, print } = formatOf(spec);
  const shownDefault = quoteIni(print(spec.default));
  const cells = [
    `\`${key}\``,
    shownDefault === '' ? 'empty' : `\`${shownDefault}\``,
    plain(allowed(spec)),
    plain(spec.doc) + (spec.when === 'restart' ? ' *restart*' : ''),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** A text that Markdown shows as it is. */
function plain(text: string): string {
  return text.replaceAll(/[|<*]/g, (character) => `\\${character}`);
}
