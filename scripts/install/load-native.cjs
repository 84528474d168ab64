// Loads the native packages as the programs will; run in the folder of a release: node load-native.cjs device|server|all.
// Names on standard output what does not load, "unfit PACKAGE: reason"; the exit code says whether there is any.
const { createRequire } = require('node:module');
const { join } = require('node:path');

const role = process.argv[2];
const load = createRequire(join(process.cwd(), 'dist/techtemp-device.js'));
const openMemory = (Sqlite) => new Sqlite(':memory:').close();
/** As src/server/store/sqlite/database.ts decides it. */
const hasNodeApi10 = Number(process.versions.napi) >= 10;
const isNode24 = Number.parseInt(process.versions.node, 10) >= 24;
const sqlite = hasNodeApi10 ? ['better-sqlite3-napi', ...(isNode24 ? [] : ['better-sqlite3'])] : ['better-sqlite3'];

const wanted = [
  { name: 'sd-notify', anyOf: ['sd-notify'], use: ({ sendState }) => sendState },
  ...(role === 'server' ? [] : [{ name: 'i2c-bus', anyOf: ['i2c-bus'], use: ({ openPromisified }) => openPromisified }]),
  ...(role === 'device' ? [] : [{ name: sqlite.at(-1), anyOf: sqlite, use: openMemory }]),
];

for (const { name, anyOf, use } of wanted) {
  let problem;
  const loads = anyOf.some((candidate) => {
    try {
      use(load(candidate));
      return true;
    } catch (error) {
      problem ??= error.message.split('\n')[0];
      return false;
    }
  });
  if (loads) continue;
  console.log(`unfit ${name}: ${problem}`);
  process.exitCode = 1;
}
