import type { FastifyError, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Clock } from '../../platform/clock.ts';
import { createFaultLog } from '../../platform/fault-log.ts';
import type { Log } from '../../platform/log.ts';
import { StoreError, type StoreErrorCode } from '../store/store.ts';
import type { ErrorBody, ErrorDetail } from './schemas/common.ts';

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

/** After this long a store that was busy, full or away may be asked again. */
const RETRY_AFTER_S = 5;

/** What the question did wrong; the other codes are the store's own trouble. */
const STATUS_OF_STORE_CODE: Readonly<Partial<Record<StoreErrorCode, number>>> = {
  NOT_FOUND: 404,
  EXISTS: 409,
  IN_USE: 409,
  INVALID: 400,
};

/** Fastify's own complaints about requests, in our words. Those that are missing here are bugs of ours. */
const REQUEST_FAULTS: Readonly<Record<string, readonly [status: number, code: string, message: string]>> = {
  FST_ERR_BAD_URL: [400, 'BAD_URL', 'the path is not a valid URL path; percent-encode what is not a letter or digit'],
  FST_ERR_MAX_PARAM_LENGTH: [414, 'URL_TOO_LONG', 'a part of the path is too long'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'BODY_TOO_LARGE', 'the body is too large; http.max_body_kb says what is allowed'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    415,
    'UNSUPPORTED_MEDIA_TYPE',
    'the body must be JSON: Content-Type: application/json',
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'BAD_BODY', 'the body is not as long as Content-Length says'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'BAD_JSON', 'the body is not valid JSON'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'BAD_JSON', 'the body is empty'],
};

export interface ErrorAnswers {
  readonly answer: (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;
}

/**
 * Turns whatever was thrown into an answer of one shape. A failure of ours says nothing of its insides, only a reference that
 * stands in the log beside them; a store that does not work is logged as a state, not once a request.
 */
export function createErrorAnswers({ log, clock }: { readonly log: Log; readonly clock: Clock }): ErrorAnswers {
  const storeFaults = createFaultLog(log, clock);
  return {
    answer(error, request, reply) {
      const known = asApiError(error);
      if (known === undefined && isCutOff(error, request)) {
        log.debug({ ...placeOf(request), reference: request.id }, 'a request ended before its answer');
        sendError(reply, new ApiError(400, 'REQUEST_CUT_OFF', 'the connection ended before the request was complete'));
        return;
      }
      if (known === undefined) {
        log.error({ ...placeOf(request), reference: request.id, error }, 'a request failed');
        const message = `the server failed to answer; its log says more beside the reference ${request.id}`;
        sendError(reply, new ApiError(500, 'INTERNAL', message), request.id);
        return;
      }
      if (error instanceof StoreError && known.status >= 500) {
        storeFaults.failed(
          error.code,
          { ...placeOf(request), reference: request.id, error },
          'the store does not answer requests',
        );
        sendError(reply, known, request.id);
        return;
      }
      sendError(reply, known);
    },
  };
}

/** Sends an error as it is, without logging. */
export function sendError(reply: FastifyReply, error: ApiError, reference?: string): void {
  // What a route wanted to say about its answer (type, length, name of a file) is not about this one.
  for (const name of ['content-type', 'content-length', 'content-disposition', 'etag', 'last-modified'])
    reply.removeHeader(name);
  void reply
    .code(error.status)
    .headers({ ...error.headers, 'cache-control': 'no-store' })
    .type('application/json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(errorBody(error, reference));
}

export function errorBody(error: ApiError, reference?: string): ErrorBody {
  return {
    error: error.message,
    code: error.code,
    ...(error.details !== undefined && { details: [...error.details] }),
    ...(reference !== undefined && { reference }),
  };
}

/** Whether the client went away while we read or answered: there is no one to answer, and nothing of ours failed. */
function isCutOff(error: unknown, { raw }: FastifyRequest): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code;
  const isReset =
    code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ABORT_ERR';
  const isAborted = error instanceof Error && error.message === 'aborted';
  return isAborted || (isReset && (raw.destroyed || raw.socket.destroyed));
}

/** Undefined: nothing that a request can be blamed for, nor a store that is known not to work. */
function asApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreError) return fromStore(error);
  const code = (error as Partial<FastifyError> | null)?.code;
  const fault = typeof code === 'string' ? REQUEST_FAULTS[code] : undefined;
  if (fault !== undefined) return new ApiError(...fault, { cause: error });
  return isRefusal(error)
    ? new ApiError(error.statusCode, 'BAD_REQUEST', 'this request cannot be answered', { cause: error })
    : undefined;
}

/** What a plugin refuses with a status of the 400s is the request's fault, such as a path that leads out of its folder. */
function isRefusal(error: unknown): error is { readonly statusCode: number } {
  const status = (error as { readonly statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' && status >= 400 && status < 500;
}

function fromStore(error: StoreError): ApiError {
  const status = STATUS_OF_STORE_CODE[error.code];
  if (status !== undefined) return new ApiError(status, error.code, error.message, { cause: error });
  // Its message may name files and values of the machine: that is for the log.
  return new ApiError(503, error.code, 'the store cannot be used at the moment; nothing was changed', {
    headers: { 'retry-after': String(RETRY_AFTER_S) },
    cause: error,
  });
}

/** Where it happened, without what might be secret: the route's pattern, no query, no headers. */
function placeOf(request: FastifyRequest): object {
  return { method: request.method, route: request.routeOptions.url ?? '(none)' };
}

/** Waits for what the store does with a device; says which one where the store knows none. */
export async function forDevice<T>(uid: string, work: Promise<T>): Promise<T> {
  return await orNotFound(work, () => deviceNotFound(uid));
}

/** The same of a room. */
export async function forRoom<T>(uid: string, work: Promise<T>): Promise<T> {
  return await orNotFound(work, () => roomNotFound(uid));
}

async function orNotFound<T>(work: Promise<T>, notFound: () => Error): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof StoreError && error.code === 'NOT_FOUND' ? notFound() : error;
  }
}

/** Knows which methods each path has, so that a wrong method is not told as a wrong path. */
export interface MethodTable {
  /** Takes note of a route. */
  add(route: Pick<RouteOptions, 'method' | 'url'>): void;
  /** Methods of the path (without its query), sorted; empty where there is no such path. */
  methodsOf(path: string): readonly string[];
}

export function createMethodTable(): MethodTable {
  const routes = new Map<string, { readonly steps: readonly string[]; readonly methods: Set<string> }>();
  return {
    add({ method, url }) {
      // `*` answers preflight requests of any path: it is no path of its own.
      if (url === '*') return;
      const known = routes.get(url) ?? { steps: url.split('/'), methods: new Set() };
      routes.set(url, known);
      for (const name of [method].flat()) known.methods.add(name.toUpperCase());
    },
    methodsOf(path) {
      const steps = path.split('/');
      const found = [...routes.values()].filter((route) => matches(route.steps, steps));
      return [...new Set(found.flatMap(({ methods }) => [...methods]))].sort();
    },
  };
}

function matches(pattern: readonly string[], steps: readonly string[]): boolean {
  if (pattern.at(-1) === '*')
    return steps.length >= pattern.length && matches(pattern.slice(0, -1), steps.slice(0, pattern.length - 1));
  return (
    pattern.length === steps.length &&
    pattern.every((step, index) => (step.startsWith(':') ? steps[index] !== '' : step === steps[index]))
  );
}
