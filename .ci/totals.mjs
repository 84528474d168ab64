// Counts a test run from Vitest's JSON report: prints `PASSED FAILED` for the line of totals, and appends what failed, with its reason,
// to a file that is shown last, where a reader who sees only the end of the output finds it. A skipped test is a failure in CI.
//
//   node .ci/totals.mjs REPORT.json EXIT_STATUS FAILURES_FILE
import { appendFileSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [reportFile, exitStatus, failuresFile] = process.argv.slice(2);
const LONGEST_REASON = 2000;

const { testResults: files } = JSON.parse(readFileSync(reportFile, 'utf8'));
const tests = files.flatMap((file) => file.assertionResults.map((test) => ({ ...test, file: relative(process.cwd(), file.name) })));

const passed = tests.filter(({ status }) => status === 'passed');
const failed = tests.filter(({ status }) => status === 'failed');
const skipped = tests.filter((test) => !passed.includes(test) && !failed.includes(test));
// A file that fails to load, or in a hook for all of its tests, is a failure all the same.
const broken = files.filter((file) => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'));

const failures = [
  ...failed.map(({ file, fullName, failureMessages }) => `${file} > ${fullName}\n${failureMessages.join('\n').slice(0, LONGEST_REASON)}`),
  ...broken.map(({ name, message }) => `${relative(process.cwd(), name)}, outside of its tests\n${message.slice(0, LONGEST_REASON)}`),
  ...skipped.map(({ file, fullName }) => `${file} > ${fullName}\nwas skipped, and CI skips nothing`),
];
if (failures.length === 0 && exitStatus !== '0') failures.push('the run as a whole: an error that belongs to no test, which is further above');
appendFileSync(failuresFile, failures.map((failure) => `failed on Node.js ${process.version}: ${failure}\n\n`).join(''));

console.log(passed.length, failures.length);
