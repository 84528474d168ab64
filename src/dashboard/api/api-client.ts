import type { ServerClock } from '../time/server-clock.ts';
import type { Tokens } from './tokens.ts';

/** The server refused the request, or did not answer (`status` 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.code = code;
  }

  get isUnreachable(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Undefined values are left out. A list gives one parameter for each value. */
  readonly query?: Readonly<Record<string, string | number | readonly string[] | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface ApiClient {
  /** The answer's body. @throws ApiError; the signal's reason when aborted */
  json<T>(path: string, request?: ApiRequest): Promise<T>;
  /** The answer, as soon as its headers report success. @throws as `json` */
  open(path: string, request?: ApiRequest): Promise<Response>;
  url(path: string, query?: ApiRequest['query']): string;
}

export interface ApiClientOptions {
  /** Where the page lives, with a slash at its end. */
  readonly base: string;
  readonly fetch: typeof globalThis.fetch;
  readonly tokens: Tokens;
  readonly clock: ServerClock;
}

/** Sends requests to the server that the page came from, and asks the reader for a token when the server needs one. */
export function createApiClient({ base, fetch, tokens, clock }: ApiClientOptions): ApiClient {
  const url: ApiClient['url'] = (path, query = {}) => {
    const found = new URL(`api/v1/${path}`, base);
    for (const [name, value] of Object.entries(query)) {
      for (const one of value === undefined ? [] : [value].flat()) {
        found.searchParams.append(name, String(one));
      }
    }
    return found.href;
  };

  const attempt = async (path: string, request: ApiRequest): Promise<Response> => {
    const { method = 'GET', query, body, headers, signal } = request;
    const token = tokens.current();
    try {
      const response = await fetch(url(path, query), {
        method,
        cache: 'no-store',
        credentials: 'same-origin',
        headers: {
          ...headers,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal !== undefined && { signal }),
      });
      clock.tell(response.headers.get('date'));
      return response;
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw new ApiError(0, 'UNREACHABLE', 'the server does not answer', { cause: error });
    }
  };

  const open = async (path: string, request: ApiRequest = {}): Promise<Response> => {
    for (;;) {
      const sent = tokens.current();
      const response = await attempt(path, request);
      if (response.ok) {
        return response;
      }
      const error = await errorOf(response);
      const isRefused = response.status === 401 || (response.status === 403 && sent !== undefined);
      const why = (request.method ?? 'GET') === 'GET' ? 'read' : 'write';
      if (!isRefused || !(await tokens.ask(why, sent))) {
        throw error;
      }
    }
  };

  return {
    url,
    open,
    async json<T>(path: string, request?: ApiRequest) {
      const response = await open(path, request);
      return (await response.json()) as T;
    },
  };
}

async function errorOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as { readonly error?: unknown; readonly code?: unknown };
  return new ApiError(
    response.status,
    typeof body.code === 'string' ? body.code : 'UNKNOWN',
    typeof body.error === 'string' ? body.error : `${response.status} ${response.statusText}`,
  );
}
