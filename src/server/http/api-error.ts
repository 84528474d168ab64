import type { ErrorDetail } from './schemas/common.ts';

/** An answer that is not what was asked for. The message is for people; the code is for programs and never changes its meaning. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status. */
  readonly status: number;
  readonly code: string;
  readonly details: readonly ErrorDetail[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, more: ApiErrorMore = {}) {
    super(message, { cause: more.cause });
    this.status = status;
    this.code = code;
    this.details = more.details;
    this.headers = more.headers ?? {};
  }
}

export interface ApiErrorMore {
  readonly details?: readonly ErrorDetail[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Begins with the older server's words: its bootstrap-pi.sh looks for them to tell that it has to add the device. */
export function deviceNotFound(uid: string): ApiError {
  return new ApiError(
    404,
    'DEVICE_NOT_FOUND',
    `Device not found: there is no device ${JSON.stringify(uid)}; GET /api/v1/devices lists them`,
  );
}

export function roomNotFound(uid: string): ApiError {
  return new ApiError(404, 'ROOM_NOT_FOUND', `there is no room ${JSON.stringify(uid)}; GET /api/v1/rooms lists them`);
}

/** A field of the query, path or body that cannot be. */
export function invalidField(field: string, problem: string): ApiError {
  return new ApiError(400, 'VALIDATION', `${field} ${problem}`, { details: [{ field, problem }] });
}
