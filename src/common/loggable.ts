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
