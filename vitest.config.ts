import { defineConfig } from 'vitest/config';
import { laneOf } from './test/lanes.ts';
import { FileTimes, MOST_LONG_FILES } from './test/support/file-times.ts';
import { LongestFirst } from './test/support/longest-first.ts';

// `npm test`, `npm run test:all` and the others; test/lanes.ts says which files they run. The limits are there to end a test that hangs;
// a slow or busy machine must not reach them.
export default defineConfig(({ mode }) => {
  const { include, exclude, workers, cases } = laneOf(mode);
  const triedCases = process.env['TECHTEMP_TEST_CASES'] ?? cases;
  const report = process.env['TECHTEMP_TEST_REPORT'];
  return {
    test: {
      include,
      exclude: ['**/node_modules/**', ...exclude],
      env: { TECHTEMP_TEST_CASES: triedCases },
      globalSetup: ['test/support/global-setup.ts'],
      testTimeout: 240_000,
      hookTimeout: 300_000,
      maxWorkers: workers,
      sequence: { sequencer: LongestFirst },
      reporters: [
        'default',
        mode === 'quick' && triedCases === 'few' ? new FileTimes(MOST_LONG_FILES) : new FileTimes(),
        ...(report === undefined ? [] : [['json', { outputFile: report }] as ['json', { outputFile: string }]]),
      ],
      coverage: { include: ['drivers/**', 'src/**'], reporter: ['text-summary', 'json-summary'] },
    },
  };
});
