// The layers of ARCHITECTURE.md: drivers, contract <- common <- device, server. `npm run check:imports` enforces them,
// and test/integration/import-rules.test.ts plants a violation of each rule to prove that it would be caught.
const only = (from, allowed) => ({
  name: `${from.replaceAll('/', '-')}-imports-downwards-only`,
  severity: 'error',
  from: { path: `^${from}/` },
  to: { path: '^(drivers|src|test)/', pathNot: `^(${[from, ...allowed].join('|')})/` },
});

module.exports = {
  forbidden: [
    only('drivers', []),
    only('src/contract', []),
    only('src/calendar', ['src/platform', 'src/contract']),
    only('src/platform', ['src/contract']),
    only('src/config', ['src/calendar', 'src/platform', 'src/contract']),
    only('src/mqtt', ['src/config', 'src/platform', 'src/contract']),
    only('src/cli', ['src/config', 'src/platform', 'src/contract']),
    only('src/doctor', ['src/cli', 'src/mqtt', 'src/config', 'src/platform', 'src/contract']),
    only('src/device', ['src/doctor', 'src/cli', 'src/mqtt', 'src/config', 'src/platform', 'src/contract', 'drivers']),
    only('src/server', [
      'src/doctor',
      'src/cli',
      'src/mqtt',
      'src/config',
      'src/platform',
      'src/calendar',
      'src/contract',
    ]),
    only('src/dashboard', ['src/server/http/schemas', 'src/calendar', 'src/contract']),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'contract-does-no-io',
      severity: 'error',
      from: { path: '^src/contract/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-optional', 'npm-dev'] },
    },
    {
      name: 'only-the-bus-imports-i2c-bus',
      severity: 'error',
      from: { path: '^(drivers|src)/', pathNot: '^drivers/i2c/bus\\.ts$' },
      to: { path: '(^|/)i2c-bus($|/)', pathNot: '^drivers/' },
    },
    {
      name: 'only-the-link-imports-mqtt',
      severity: 'error',
      from: { path: '^(drivers|src)/', pathNot: '^src/device/mqtt/client\\.ts$' },
      to: { path: 'node_modules/mqtt/' },
    },
    {
      name: 'only-the-config-loader-imports-convict',
      severity: 'error',
      from: { path: '^(drivers|src)/', pathNot: '^src/config/load\\.ts$' },
      to: { path: 'node_modules/(@types/)?convict/' },
    },
    {
      name: 'only-notify-imports-sd-notify',
      severity: 'error',
      from: { path: '^(drivers|src)/', pathNot: '^src/platform/systemd\\.ts$' },
      to: { path: '(^|/)sd-notify($|/)' },
    },
    {
      name: 'only-the-sqlite-store-imports-better-sqlite3',
      severity: 'error',
      from: { path: '^(drivers|src)/', pathNot: '^src/server/store/sqlite/' },
      to: { path: '(^|/)better-sqlite3(-napi)?($|/)' },
    },
    {
      name: 'only-http-imports-fastify',
      severity: 'error',
      from: { path: '^(drivers|src)/', pathNot: '^src/server/http/' },
      to: { path: 'node_modules/(@fastify/|fastify($|/))' },
    },
    {
      name: 'only-the-session-imports-mqtt-packet',
      severity: 'error',
      from: { path: '^(drivers|src)/', pathNot: '^src/(server/mqtt/|mqtt/reason-codes\\.ts$)' },
      to: { path: 'node_modules/mqtt-packet/' },
    },
    {
      name: 'programs-do-not-import-tests',
      severity: 'error',
      from: { path: '^(drivers|src)/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
