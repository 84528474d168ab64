import type { ServerClock } from '../platform.ts';
import type { KeyValue } from '../state/snapshot.ts';
import { createWatched, type Watched } from '../state/store.ts';

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

export type TokenReason = 'read' | 'write';

/** A request to the dialog to get a token, with the callback for the answer. */
export interface TokenQuestion {
  readonly why: TokenReason;
  /** A token was sent, but the server did not accept it. */
  readonly isWrong: boolean;
  /** Undefined: the reader does not want to give one. */
  readonly answer: (token: string | undefined, keep: boolean) => void;
}

/** The token of the reader. The dialog asks for it once, when the server needs it. */
export interface Tokens {
  current(): string | undefined;
  /** @returns whether there is now another token than `sent`: then it is worth trying again */
  ask(why: TokenReason, sent: string | undefined): Promise<boolean>;
  forget(): void;
  /** After the reader has given no token for reading. The page does not ask again by itself. */
  invite(): Promise<boolean>;
  readonly question: Watched<TokenQuestion | null>;
}

export function createTokens(storage: KeyValue, base: string): Tokens {
  const key = `techtemp.token:${base}`;
  const question = createWatched<TokenQuestion | null>(null);
  let token = storage.get(key) ?? undefined;
  let asking: Promise<boolean> | undefined;
  let hasDeclined = false;

  const ask = (why: TokenReason, isWrong: boolean): Promise<boolean> => {
    if (asking !== undefined) return asking;
    let settle: (hasToken: boolean) => void = () => undefined;
    const answered = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    // Before the dialog is asked: its answer may come at once.
    asking = answered;
    question.set({
      why,
      isWrong,
      answer(given, keep) {
        asking = undefined;
        hasDeclined = why === 'read' && given === undefined;
        if (given !== undefined) {
          token = given;
          if (keep) storage.set(key, given);
          else storage.remove(key);
        }
        question.set(null);
        settle(given !== undefined);
      },
    });
    return answered;
  };

  return {
    question,
    current: () => token,
    ask(why, sent) {
      // Several requests may be refused at once: the reader is asked once.
      if (sent !== token) return Promise.resolve(true);
      if (why === 'read' && hasDeclined) return Promise.resolve(false);
      return ask(why, sent !== undefined);
    },
    invite: () => ask('read', token !== undefined),
    forget() {
      token = undefined;
      storage.remove(key);
    },
  };
}
