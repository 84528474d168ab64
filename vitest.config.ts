import { defineConfig } from 'vitest/config';

// Integration tests start child processes and real brokers; two workers keep a two-core machine honest. The limits are there to
// end a test that hangs; a slow or busy machine must not reach them.
export default defineConfig({
  test: {
    include: ['test/{unit,integration,browser}/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 240_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    coverage: { include: ['drivers/**', 'src/**'], reporter: ['text-summary', 'json-summary'] },
  },
});
