import { defineConfig } from 'vitest/config';

// Integration tests start child processes and real brokers; two workers keep a two-core machine honest.
export default defineConfig({
  test: {
    include: ['test/{unit,integration,browser}/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    coverage: { include: ['drivers/**', 'src/**'], reporter: ['text-summary', 'json-summary'] },
  },
});
