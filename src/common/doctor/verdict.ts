/** `warn`: the program works, but something deserves a look. `skipped`: could not be examined, and why is said. */
export type Verdict = 'ok' | 'warn' | 'fail' | 'skipped';
