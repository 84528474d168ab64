/**
 * How many cases a heavy property tries: a few in `npm test`, all of them in `npm run test:all`, in CI, and when a file is run by itself.
 * TECHTEMP_TEST_CASES=all asks for all of them everywhere.
 */
export function cases(few: number, all: number): number {
  return process.env['TECHTEMP_TEST_CASES'] === 'few' ? few : all;
}
