import type { LogLevel } from './log.ts';

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

/** `14:03:07 WARN  the sensor does not answer bus=1`, in local time. */
export function prettyLine(level: LogLevel, message: string, fields: object, timeMs: number, colour: boolean): string {
  const paint = (code: number, part: string): string => (colour ? `${ESCAPE}[${code}m${part}${ESCAPE}[0m` : part);
  const time = new Date(timeMs).toTimeString().slice(0, 8);
  const label = paint(COLOURS[level], level.toUpperCase().padEnd(5));
  return `${paint(90, time)} ${label} ${text(message)}${paint(90, pairs(fields, message))}\n`;
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
