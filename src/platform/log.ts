import { writeSync } from 'node:fs';

/** What the parts log through; src/platform/pino-log.ts makes one. A driver never logs: it returns or throws. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields of these names never reach a log, at any depth. `password_file` is a path and may. */
const SECRET_NAME = /(password|passphrase|secret|token|authorization|private_?key)$/i;
const SECRET = '[secret]';
/** mqtt://user:password@host, in a field or inside a library's message. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@/]+@/gi;
/** What lies deeper is of no use to a reader, and a cycle ends here. */
const MAX_DEPTH = 5;

export interface LoggableOptions {
  /** Stacks are for the developer who asked for them with log_level = debug. */
  readonly stacks: 'with' | 'without';
}

/**
 * What a log may show of some fields: secrets masked, errors as code and message with their causes, everything else as JSON
 * can hold it. Pure; never throws.
 */
export function loggableFields(fields: object, options: LoggableOptions): Record<string, unknown> {
  const shown = loggable(fields, options, 0);
  return typeof shown === 'object' && shown !== null && !Array.isArray(shown) ? { ...shown } : { value: shown };
}

/** A text without passwords in its URLs. */
export function loggableText(text: string): string {
  return text.replace(URL_PASSWORD, `$1:${SECRET}@`);
}

function loggable(value: unknown, options: LoggableOptions, depth: number): unknown {
  if (typeof value === 'string') return loggableText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return '[…]';
  if (value instanceof Error) return loggableError(value, options, depth);
  if (value instanceof Date || value instanceof URL) return loggableText(String(value));
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map((item) => loggable(item, options, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      SECRET_NAME.test(name) && item !== undefined && item !== '' ? SECRET : loggable(item, options, depth + 1),
    ]),
  );
}

function loggableError(error: Error, options: LoggableOptions, depth: number): object {
  const code: unknown = 'code' in error ? error.code : undefined;
  return {
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    message: loggableText(error.message),
    ...(error.cause === undefined ? {} : { cause: loggable(error.cause, options, depth + 1) }),
    ...(options.stacks === 'with' && error.stack !== undefined ? { stack: loggableText(error.stack) } : {}),
  };
}

export const LOG_FORMATS = ['auto', 'json', 'journald', 'pretty'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
/** A format that has been decided on. */
export type LineFormat = Exclude<LogFormat, 'auto'>;

/** Where the lines go, as far as it decides how they look. */
export interface LogPlace {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the file descriptor that is written to. */
  readonly device: bigint;
  readonly inode: bigint;
  readonly terminal: 'yes' | 'no';
}

/** Priorities of syslog(3). journald gives every line 6 unless it begins with `<N>`, and `journalctl -p` is blind then. */
const PRIORITIES: Readonly<Record<LogLevel, number>> = { fatal: 2, error: 3, warn: 4, info: 6, debug: 7, trace: 7 };
const COLOURS: Readonly<Record<LogLevel, number>> = { fatal: 31, error: 31, warn: 33, info: 32, debug: 90, trace: 90 };
const BARE_VALUE = /^[^\s"=\p{Cc}]+$/u;
const ESCAPE = '\u001B';

/** `auto`: journald where the output is its stream (JOURNAL_STREAM of systemd.exec(5)), pretty on a terminal, else JSON. */
export function decideFormat(wanted: LogFormat, place: LogPlace): LineFormat {
  if (wanted !== 'auto') return wanted;
  if (place.env['JOURNAL_STREAM'] === `${place.device}:${place.inode}`) return 'journald';
  return place.terminal === 'yes' ? 'pretty' : 'json';
}

/** Colours only for eyes: on a terminal that can, unless https://no-color.org is asked for. */
export function wantsColour(place: LogPlace): boolean {
  return place.terminal === 'yes' && (place.env['NO_COLOR'] ?? '') === '' && place.env['TERM'] !== 'dumb';
}

/** journald knows time, host and process itself: `<4>the sensor does not answer bus=1`. One line, whatever the fields hold. */
export function journaldLine(level: LogLevel, message: string, fields: object): string {
  return `<${PRIORITIES[level]}>${text(message)}${pairs(fields, message)}\n`;
}

export interface PrettyOptions {
  readonly timeMs: number;
  readonly colour: boolean;
  /** Named in each line where several programs write to one screen. */
  readonly program?: string | undefined;
}

/** `14:03:07 WARN  the sensor does not answer bus=1`, in local time. */
export function prettyLine(
  level: LogLevel,
  message: string,
  fields: object,
  { timeMs, colour, program }: PrettyOptions,
): string {
  const paint = (code: number, part: string): string => (colour ? `${ESCAPE}[${code}m${part}${ESCAPE}[0m` : part);
  const time = new Date(timeMs).toTimeString().slice(0, 8);
  const label = paint(COLOURS[level], level.toUpperCase().padEnd(5));
  const speaker = program === undefined ? '' : program.padEnd(7);
  return `${paint(90, time)} ${speaker}${label} ${text(message)}${paint(90, pairs(fields, message))}\n`;
}

/** ` key=value key="two words" error.code=I2C_NACK`. An error's words are not said a second time. */
function pairs(fields: object, message: string, prefix = ''): string {
  return Object.entries(fields)
    .map(([name, value]: [string, unknown]) => {
      if (value === undefined) return '';
      const key = prefix + name;
      const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (nested) return pairs(value, message, `${key}.`);
      const said = prefix !== '' && name === 'message' && typeof value === 'string' && message.includes(value);
      return said ? '' : ` ${key}=${shown(value)}`;
    })
    .join('');
}

function shown(value: unknown): string {
  const plain = typeof value === 'string' ? value : JSON.stringify(value);
  return BARE_VALUE.test(plain) || typeof value !== 'string' ? escaped(plain) : escaped(JSON.stringify(plain));
}

function text(message: string): string {
  return escaped(message.replaceAll('\n', ' '));
}

/** A broker's or a file's text must not move the cursor of who reads the log. */
function escaped(line: string): string {
  return line.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Writes one line before it returns; false when it was lost. Never throws. */
export type LineOutput = (line: string) => boolean;

/** As fs.writeSync: writes some of the bytes from `offset` on and returns how many. */
type WriteSome = (fd: number, bytes: Uint8Array, offset: number) => number;

/** How long a full pipe may hold up the program for one line; a reader that is alive empties it in far less. */
const FULL_PIPE_PATIENCE_MS = 50;
const FULL_PIPE_STEP_MS = 5;

/**
 * Output to a file descriptor that has been handed to the kernel when the call returns, so that the last line before a
 * SIGKILL or a watchdog's SIGABRT is not lost (an asynchronous destination loses all of them). Where the output is not read, lines are
 * lost and the program goes on: a log must not stop a measurement.
 */
export function createLineOutput(fd: number, write: WriteSome = writeSync): LineOutput {
  const pause = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let patient = true;

  return (line) => {
    const bytes = Buffer.from(line);
    let written = 0;
    let leftMs = patient ? FULL_PIPE_PATIENCE_MS : 0;
    while (written < bytes.length) {
      try {
        written += write(fd, bytes, written);
      } catch (error) {
        const full = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
        if (!full || leftMs <= 0) {
          patient = !full;
          return false;
        }
        leftMs -= FULL_PIPE_STEP_MS;
        Atomics.wait(pause, 0, 0, FULL_PIPE_STEP_MS);
      }
    }
    patient = true;
    return true;
  };
}
