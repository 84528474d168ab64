import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Clock } from './clock.ts';
import {
  createLineOutput,
  decideFormat,
  journaldLine,
  type LineOutput,
  type Log,
  type LogFormat,
  type LoggableOptions,
  type LogLevel,
  type LogPlace,
  loggableFields,
  loggableText,
  prettyLine,
  wantsColour,
} from './log.ts';

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

export interface LogOptions extends LogSettings {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** File descriptor; default 2, so that standard output stays free for what a command prints. */
  readonly fd?: number;
  /** Named in each line for people, where several programs write to one screen. */
  readonly program?: string | undefined;
  /** Instead of writing to the descriptor. */
  readonly output?: LineOutput;
}

/** The log of a whole program. */
export interface ProgramLog extends Log {
  /** The program cannot go on. */
  fatal(fields: object, message: string): void;
  /** Takes effect with the next line. */
  configure(settings: LogSettings): void;
}

const DEFAULT_FD = 2;

/**
 * Opens the log. A line has been written when its call returns; secrets in fields are masked, errors become code and message.
 * pino is loaded here and not before: a command that logs nothing does not pay for it.
 */
export async function createLog(options: LogOptions): Promise<ProgramLog> {
  const { clock, env, fd = DEFAULT_FD, output = createLineOutput(fd) } = options;
  const { pino } = await import('pino');
  const place = inspect(fd, env);
  const colour = wantsColour(place);
  let format = decideFormat(options.format, place);
  let stacks = stacksAt(options.level);
  let lost = 0;

  /** pino hands over one JSON line, and beside it the level, when asked for `pino.metadata`. */
  const destination = {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(json: string): void {
      const level = pino.levels.labels[this.lastLevel] as LogLevel;
      if (lost > 0 && output(render('warn', lostLines(lost, clock.nowMs())))) lost = 0;
      if (!output(render(level, json))) lost += 1;
    },
  };
  const render = (level: LogLevel, json: string): string => {
    if (format === 'json') return json;
    const { time, msg, ...rest } = JSON.parse(json) as Line;
    const fields = { ...rest, level: undefined };
    return format === 'journald'
      ? journaldLine(level, msg, fields)
      : prettyLine(level, msg, fields, { timeMs: time, colour, program: options.program });
  };

  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":${clock.nowMs()}`,
      serializers: { err: (error: unknown) => error },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => loggableFields(fields, { stacks }),
      },
    },
    destination,
  );

  const at = (level: LogLevel) => (fields: object, message: string) => logger[level](fields, loggableText(message));
  return {
    fatal: at('fatal'),
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    configure(settings) {
      logger.level = settings.level;
      stacks = stacksAt(settings.level);
      format = decideFormat(settings.format, place);
    },
  };
}

interface Line {
  readonly time: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

function stacksAt(level: LogLevel): LoggableOptions['stacks'] {
  return level === 'debug' || level === 'trace' ? 'with' : 'without';
}

function lostLines(count: number, timeMs: number): string {
  return `${JSON.stringify({ level: 'warn', time: timeMs, count, msg: 'log lines were lost: they were not read in time' })}\n`;
}

function inspect(fd: number, env: LogPlace['env']): LogPlace {
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return { env, device: dev, inode: ino, terminal: isatty(fd) ? 'yes' : 'no' };
  } catch {
    // A closed descriptor: lines go nowhere, but the program runs.
    return { env, device: 0n, inode: 0n, terminal: 'no' };
  }
}
