import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';

/** In the order of their names: what one scenario leaves behind, the next begins with. */
class ByName extends BaseSequencer {
  override sort(files: Parameters<BaseSequencer['sort']>[0]): ReturnType<BaseSequencer['sort']> {
    return Promise.resolve(files.toSorted((a, b) => a.moduleId.localeCompare(b.moduleId)));
  }
}

// `npm run test:system [-- NAME]`: against a real machine with a real systemd, named by the environment; see test/system/README.md.
export default defineConfig({
  test: {
    include: ['test/system/*.test.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    maxWorkers: 1,
    fileParallelism: false,
    sequence: { sequencer: ByName },
    reporters: ['verbose'],
    disableConsoleIntercept: true,
  },
});
