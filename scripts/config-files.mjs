// Writes the files that are generated from the configuration schemas: config/device.conf, config/server.conf and
// docs/configuration.md. Run it after every change of a key; test/unit/config/program-keys.test.ts fails until then.
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Inside node_modules, where the packages that it imports are found. */
const draft = join(root, `node_modules/.techtemp-config-files-${process.pid}.mjs`);
process.on('exit', () => rmSync(draft, { force: true }));

await build({
  absWorkingDir: root,
  entryPoints: ['src/config-files.ts'],
  outfile: draft,
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  logLevel: 'warning',
});
const { configFiles } = await import(pathToFileURL(draft).href);
for (const [path, text] of Object.entries(configFiles())) {
  writeFileSync(join(root, path), text);
  console.log(`${path} is written`);
}
