// Builds dist/: one bundled file per program. One file starts faster than hundreds from an SD card, and what is imported
// lazily stays unevaluated until it is used. Native packages stay outside and are found in node_modules.
//
//   node scripts/build.mjs [FOLDER]   in place of dist/, on the same file system
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildDashboard } from './build-dashboard.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = resolve(process.argv[2] ?? join(root, 'dist'));
/** Put in place as a whole: a program that starts meanwhile finds the old build or the new one. */
const draft = join(root, `node_modules/.techtemp-build-${process.pid}`);
process.on('exit', () => rmSync(draft, { recursive: true, force: true }));
const { version, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/**
 * What the mqtt package brings along and an agent on plain TCP or TLS never uses: WebSockets, SOCKS proxies, timers in a
 * worker, debug output, topic aliases (Mosquitto announces them, so the class has to exist). A tenth of the bundle's memory.
 */
const STUBS = {
  ws: 'module.exports = {};',
  socks: 'module.exports = {};',
  debug: 'module.exports = () => Object.assign(() => {}, { enabled: false }); module.exports.default = module.exports;',
  'worker-timers': 'module.exports = { setInterval, clearInterval };',
  'lru-cache': 'exports.LRUCache = class {};',
};

const trimMqtt = {
  name: 'trim-mqtt',
  setup({ onResolve, onLoad }) {
    const names = new RegExp(`^(${Object.keys(STUBS).join('|')})$`);
    onResolve({ filter: names }, ({ path }) => ({ path, namespace: 'stub' }));
    onResolve({ filter: /^readable-stream$/ }, () => ({ path: 'node:stream', external: true }));
    onLoad({ filter: /.*/, namespace: 'stub' }, ({ path }) => ({ contents: STUBS[path], loader: 'js' }));
  },
};

/** The page of the API's documentation is served out of this package's own folder. */
const SERVER_EXTERNAL = ['@fastify/swagger-ui'];

async function bundle(name, entry, { plugins = [], external = [] } = {}) {
  await build({
    absWorkingDir: root,
    entryPoints: { [name]: entry },
    outdir: draft,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    external: [...Object.keys(optionalDependencies), ...external],
    define: { 'process.env.TECHTEMP_VERSION': JSON.stringify(version) },
    // Bundled CommonJS packages call require() for Node's own modules.
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    legalComments: 'linked',
    sourcemap: 'linked',
    logLevel: 'warning',
    plugins,
  });
}

await bundle('techtemp-device', 'src/device/main.ts', { plugins: [trimMqtt] });
await bundle('techtemp-server', 'src/server/main.ts', { external: SERVER_EXTERNAL });
await bundle('techtemp-start', 'src/stack/start.ts', { external: SERVER_EXTERNAL });
// The store's threads, found beside the program that starts them.
await bundle('techtemp-store-worker', 'src/server/store/sqlite/store-worker.ts');
await buildDashboard(root, join(draft, 'dashboard'));
rmSync(target, { recursive: true, force: true });
renameSync(draft, target);
