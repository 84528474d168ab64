import { loggableText } from './log.ts';

/** What the system asks of a process. Made by the first statement of a program. */
export interface ProcessSignals {
  /** Aborted by SIGTERM or SIGINT; the reason is a StopRequest. */
  readonly stop: AbortSignal;
  /** From now on `handler` runs at each SIGHUP; at once if some came earlier. Replaces the handler before it. */
  onReload(handler: () => void): void;
}

/** Why a program ends: it was asked to. Not a fault. */
export class StopRequest extends Error {
  readonly signal: StopSignal;

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}

export type StopSignal = 'SIGTERM' | 'SIGINT';

/** What is used of `process`; tests pass their own. */
export interface SignalSource {
  on(signal: StopSignal | 'SIGHUP', handler: () => void): unknown;
  exit(code: number): unknown;
}

/** A shell's exit code of a program that a signal ended is this and the signal's number. */
const EXIT_BY_SIGNAL = 128;
const SIGNAL_NUMBERS: Readonly<Record<StopSignal, number>> = { SIGINT: 2, SIGTERM: 15 };

/**
 * Takes over SIGHUP, SIGTERM and SIGINT. To be called before anything else: a SIGHUP without a handler ends the process, and
 * systemd counts that as a clean exit (https://github.com/influxdata/telegraf/pull/1279). The first SIGTERM or SIGINT asks
 * for a normal stop; the second exits at once, for a person who does not want to wait.
 */
export function installSignals(source: SignalSource): ProcessSignals {
  const stop = new AbortController();
  let reload: (() => void) | undefined;
  let askedEarly = false;

  source.on('SIGHUP', () => {
    if (reload === undefined) askedEarly = true;
    else reload();
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    source.on(signal, () => {
      if (stop.signal.aborted) source.exit(EXIT_BY_SIGNAL + SIGNAL_NUMBERS[signal]);
      else stop.abort(new StopRequest(signal));
    });
  }

  return {
    stop: stop.signal,
    onReload(handler) {
      reload = handler;
      const asked = askedEarly;
      askedEarly = false;
      if (asked) handler();
    },
  };
}

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
 * An error that was not handled ends the program with one line for a person, not with a stack trace. To be called by the first
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
