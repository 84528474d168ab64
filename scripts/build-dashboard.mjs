// Builds dist/dashboard: the page's code in chunks with hashed names, its styles, icons and service worker, and beside each
// text file its compressed forms, so that a Raspberry Pi compresses nothing while it serves.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const BROWSERS = ['chrome111', 'firefox115', 'safari16.4'];
const STATIC_FILES = ['icon.svg', 'icon-192.png', 'icon-512.png', 'manifest.webmanifest'];

/** @returns what was built, by file name: its size and its compressed sizes in bytes */
export async function buildDashboard(root, target) {
  const source = join(root, 'src/dashboard');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });

  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { boot: join(source, 'boot.ts'), style: join(source, 'style/main.css') },
    outdir: target,
    entryNames: 'assets/[name]-[hash]',
    chunkNames: 'assets/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: BROWSERS,
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    // The page's texts are UTF-8, as its server says; escapes would only be longer.
    charset: 'utf8',
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  const files = new Map(
    outputFiles.map(({ path, contents }) => [path.slice(target.length + 1), Buffer.from(contents)]),
  );
  const entry = (name) => [...files.keys()].find((file) => basename(file).startsWith(`${name}-`));
  for (const name of STATIC_FILES) files.set(name, readFileSync(join(source, 'static', name)));

  // What the first view needs is fetched side by side, not one after the other has been read.
  const first = firstView(metafile, target, root);
  const links = [
    `<link rel="stylesheet" href="${entry('style')}" />`,
    ...first.map((file) => `<link rel="modulepreload" href="${file}" />`),
    `<script type="module" src="${entry('boot')}"></script>`,
  ];
  const html = readFileSync(join(source, 'static/index.html'), 'utf8').replace('<!-- build -->', links.join('\n    '));
  const name = createHash('sha256').update(html).digest('hex').slice(0, 12);
  const cached = [...files.keys()].filter((file) => !file.endsWith('.png'));
  files.set('index.html', Buffer.from(html));
  files.set('service-worker.js', await buildServiceWorker(source, { name, files: cached }));

  const sizes = {};
  for (const [file, contents] of files) sizes[file] = write(join(target, file), contents);
  return sizes;
}

/** The chunks that every page needs before it shows anything: what boot.ts, app.tsx and their static imports make. */
function firstView(metafile, target, root) {
  const outputs = Object.entries(metafile.outputs);
  const wanted = new Set();
  const add = (path) => {
    if (wanted.has(path)) return;
    wanted.add(path);
    for (const { path: next, kind } of metafile.outputs[path].imports) if (kind === 'import-statement') add(next);
  };
  for (const [path, { entryPoint }] of outputs) {
    if (entryPoint?.endsWith('dashboard/app.tsx')) add(path);
  }
  return [...wanted].map((path) => join(root, path).slice(target.length + 1));
}

async function buildServiceWorker(source, facts) {
  const { outputFiles } = await build({
    entryPoints: [join(source, 'worker/service-worker.ts')],
    bundle: true,
    format: 'iife',
    target: BROWSERS,
    minify: true,
    define: { BUILD: JSON.stringify(facts) },
    write: false,
    logLevel: 'warning',
  });
  return Buffer.from(outputFiles[0].contents);
}

function write(path, contents) {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, contents);
  if (path.endsWith('.png')) return { bytes: contents.length };
  const gzip = gzipSync(contents, { level: 9 });
  const brotli = brotliCompressSync(contents, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: contents.length },
  });
  writeFileSync(`${path}.gz`, gzip);
  writeFileSync(`${path}.br`, brotli);
  return { bytes: contents.length, gzip: gzip.length, brotli: brotli.length };
}
