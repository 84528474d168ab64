import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/techtemp-bundles', import.meta.url));

/**
 * Bundles a TypeScript entry for a child process (Node 20 strips no types) and answers the path of the `.mjs` file.
 * Our own modules go in; packages stay outside and are found in the project's node_modules, from below which it runs.
 * The file is named after its content; concurrent calls do no harm.
 */
export async function bundleForChild(entryPath: string): Promise<string> {
  const result = await build({
    entryPoints: [entryPath],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'silent', // a failure is thrown with all messages
  });
  const code = result.outputFiles[0]!.contents;
  const path = join(cacheFolder, `${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`);
  if (existsSync(path)) return path;
  await mkdir(cacheFolder, { recursive: true });
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, code);
  await rename(draft, path);
  return path;
}
