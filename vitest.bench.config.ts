import { defineConfig } from 'vitest/config';

// `npm run bench [-- NAME]`: one after the other, on a machine that does nothing else; each prints its rows as they come.
export default defineConfig({
  test: {
    // Bytes and flushes a reading are bounded by a test; here it tells its figures.
    include: ['test/bench/*.bench.ts', 'test/integration/journal-wear.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 900_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
    fileParallelism: false,
    reporters: ['dot'],
    disableConsoleIntercept: true,
  },
});
