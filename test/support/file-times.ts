import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

/** From here on a file's time is printed. */
export const LONG_FILE_MS = 20_000;
/** So many long files `npm test` may have. */
export const MOST_LONG_FILES = 5;
/** On a slow machine every file is long. Only one that also takes this part of the whole counts. */
const LONG_PART = 1 / 25;

export interface FileTime {
  readonly file: string;
  readonly ms: number;
}

/** The files that take long, and also long in comparison with all the others; the longest first. */
export function longFiles(times: readonly FileTime[]): readonly FileTime[] {
  const wholeMs = times.reduce((sum, { ms }) => sum + ms, 0);
  return times.filter(({ ms }) => ms > LONG_FILE_MS && ms > wholeMs * LONG_PART).toSorted((a, b) => b.ms - a.ms);
}

/** What to tell when more files take long than may; undefined when all is well. */
export function overBudget(times: readonly FileTime[], most: number): string | undefined {
  const long = longFiles(times);
  if (long.length <= most) return undefined;
  return (
    `${long.length} test files take more than ${LONG_FILE_MS / 1000} s, and \`npm test\` may have ${most} of them. ` +
    `Make them faster, or take them out of the lane "quick" in test/lanes.ts: ${long.map(({ file }) => file).join(', ')}`
  );
}

/** Prints the time of each test file that takes long. With a budget, the run fails when more files than that do. */
export class FileTimes implements Reporter {
  readonly #most: number;

  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const times = modules.map((module) => ({
      file: relative(process.cwd(), module.moduleId),
      ms: module.diagnostic().collectDuration + module.diagnostic().duration,
    }));
    for (const { file, ms } of times.filter((time) => time.ms > LONG_FILE_MS).toSorted((a, b) => b.ms - a.ms)) {
      console.log(`${file} took ${Math.round(ms / 1000)} s`);
    }
    const problem = overBudget(times, this.#most);
    if (problem === undefined) return;
    console.error(problem);
    process.exitCode = 1;
  }
}
