/**
 * Which test files run where: `npm test` runs the lane `quick`, `npm run test:all` runs every file. What `quick` does not name is in
 * `rest`, so no file can be forgotten. A lane is chosen by Vitest's mode, `vitest run --mode quick`; without one every file runs.
 */
const EVERY_FILE = ['test/**/*.test.ts'];
/** These need another machine, and have a config of their own: vitest.system.config.ts. */
const ON_ANOTHER_MACHINE = ['test/system/**'];

/**
 * What tells most in a second: our own logic, then one straight line from the sensor to the API, with a real broker, a real database
 * and real HTTP. None of them needs root.
 */
const QUICK = [
  'test/unit/**/*.test.ts',
  'test/integration/{check-command-ordinary-user,config-command,config-reload,drivers-lock,drivers-native,fresh-clone}.test.ts',
  'test/integration/{journal-command,journal-gone,mqtt-announcements,mqtt-link,mqtt-tls,npm-start}.test.ts',
  'test/integration/server/http/{compression,devices,docs,health,rooms}.test.ts',
  'test/integration/server/{data-routes,events,ingest-broker,ingest-wire,openapi}.test.ts',
];

/**
 * What can differ on a newer Node.js: native packages, time zones, HTTP, TLS, streams and files of Node.js itself, and the built
 * programs. Left out is our own logic over interfaces that these tests use too, the browser, and the installer, whose programs run
 * on the Node.js of the system.
 */
const NODE_24 = [
  'test/unit/{calendar,cli,config,contract,drivers,mqtt,platform,server}/**/*.test.ts',
  'test/unit/device/mqtt/**/*.test.ts',
  'test/integration/{drivers-native,drivers-emulated,mqtt-link,mqtt-tls,systemd-notify,npm-start,config-command,journal-kill}.test.ts',
  'test/integration/server/{http,store}/**/*.test.ts',
  'test/integration/server/{check-command,data-routes,events,export,openapi,server-run,verify-command}.test.ts',
];

/** These take minutes. They begin first, so that no worker is left with one of them while the others have nothing to do. */
export const LONGEST_FIRST: readonly string[] = [
  'test/integration/server/outages.test.ts',
  'test/integration/real-data.test.ts',
  'test/integration/install/releases.test.ts',
  'test/integration/install/uninstall.test.ts',
  'test/integration/install/staging.test.ts',
  'test/integration/install/debian13.test.ts',
  'test/browser/live.test.ts',
  'test/integration/server/server-run.test.ts',
  'test/integration/hot-reload.test.ts',
];

export interface Lane {
  readonly include: string[];
  readonly exclude: string[];
  /** Test files at a time. Two fit two cores; in `rest` many wait for a program, a timeout or the installer, so one more fits. */
  readonly workers: number;
  /** How many cases the heaviest properties try: see test/support/cases.ts. */
  readonly cases: 'few' | 'all';
}

/** @param mode of Vitest, which is 'test' where none is given */
export function laneOf(mode: string): Lane {
  switch (mode) {
    case 'quick':
      return { include: QUICK, exclude: [], workers: 2, cases: 'few' };
    case 'rest':
      return { include: EVERY_FILE, exclude: [...ON_ANOTHER_MACHINE, ...QUICK], workers: 3, cases: 'all' };
    case 'node24':
      // More cases prove more about our logic, not about Node.js.
      return { include: NODE_24, exclude: [], workers: 2, cases: 'few' };
    case 'test':
    // knip, which looks for dead code, reads Vitest's config with these.
    case 'development':
    case 'production':
      return { include: EVERY_FILE, exclude: ON_ANOTHER_MACHINE, workers: 3, cases: 'all' };
    default:
      throw new Error(`There is no lane "${mode}". Use --mode quick, rest or node24, or no --mode to run every file.`);
  }
}
