// Builds dist/: one bundled file per program. One file starts faster than hundreds from an SD card, and what is imported
// lazily stays unevaluated until it is used. Native packages stay outside and are found in node_modules.
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
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

async function bundle(name, entry, plugins) {
  await build({
    absWorkingDir: root,
    entryPoints: { [name]: entry },
    outdir: 'dist',
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    external: Object.keys(optionalDependencies),
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

rmSync(join(root, 'dist'), { recursive: true, force: true });
await bundle('techtemp-device', 'src/device/main.ts', [trimMqtt]);
await bundle('techtemp-start', 'src/stack/start.ts', []);
