import { defineConfig } from 'vitest/config';

// `npm run bench [-- NAME]`: one after the other, on a machine that does nothing else; each prints its rows as they come.
export default defineConfig({
  test: {
    include: ['test/bench/*.bench.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 900_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
    fileParallelism: false,
    reporters: ['dot'],
    disableConsoleIntercept: true,
  },
});
