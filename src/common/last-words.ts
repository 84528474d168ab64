import { loggableText } from './loggable.ts';

/** What is used of `process`; tests pass their own. */
export interface LastWordsProcess {
  readonly stderr: { write(text: string): unknown };
  on(event: 'uncaughtException', handler: (error: unknown) => void): unknown;
  exit(code: number): unknown;
}

const EXIT_FAILED = 1;
/** `at f (file:///opt/techtemp/…/open.ts:12:3)` in a stack: the file and the line. */
const PLACE = /([^/\\(\s]+:\d+):\d+\)?$/;

/**
 * An error that nobody has handled ends the program with one line for a person, not with a stack trace. To be called by the first
 * statements of a program.
 */
export function installLastWords(target: LastWordsProcess, program: string): void {
  target.on('uncaughtException', (error) => {
    target.stderr.write(`${lastWords(error, program)}\n`);
    target.exit(EXIT_FAILED);
  });
}

/** Errors of ours, and of the system, say what to do or what failed; of any other one it says that it is a bug, and where. Pure. */
export function lastWords(error: unknown, program: string): string {
  if (!(error instanceof Error)) return `${program} ends: ${oneLine(String(error))}. ${REPORT}`;
  const { name, message } = error;
  const code = 'code' in error ? error.code : undefined;
  const isSystems = 'syscall' in error;
  const isOurs = typeof code === 'string' && name !== 'Error' && !NATIVE_NAMES.has(name) && !code.startsWith('ERR_');
  if (isOurs) return `${program} ends: ${oneLine(message)}`;
  if (isSystems)
    return `${program} ends: ${oneLine(message)}. Check the file or address that it names, and who may use it.`;
  const place = PLACE.exec(error.stack?.split('\n').find((line) => PLACE.test(line.trim())) ?? '')?.[1];
  return `${program} ends: ${oneLine(message)}${place === undefined ? '' : ` (in ${place})`}. ${REPORT}`;
}

const REPORT = 'This is a bug; please report it with this line.';
const NATIVE_NAMES: ReadonlySet<string> = new Set([
  'TypeError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'SqliteError',
]);

function oneLine(text: string): string {
  return loggableText(text.trim().replaceAll(/\s*\n\s*/g, ' '));
}
