import type { Socket } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import type { FastifyServerOptions } from 'fastify';
import { ApiError } from '../api-error.ts';
import type { App } from '../app.ts';
import type { HttpParts } from '../http-parts.ts';
import { isLoopbackHost } from './network.ts';

/** For the line and headers of a request, however slowly they drip in. */
const HEADERS_TIMEOUT_MS = 10_000;
/** For the whole request; bodies are small. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often Node looks for connections that are over these times; its default of 30 s would add to them. */
const CHECK_INTERVAL_MS = 2_000;
/** A connection costs some 30 kB; a house has a few dozen screens and a scraper. */
const MAX_CONNECTIONS = 256;
/** Of one address, so that one machine cannot take them all. Those on loopback (a proxy, a tunnel) stand for many. */
const MAX_CONNECTIONS_OF_ADDRESS = 64;
/** The body limit can change while the server runs; this is what Fastify never reads beyond. */
export const HARD_BODY_LIMIT_BYTES = 16 * 1024 * 1024;
const MINUTE_MS = 60_000;
/** Addresses the rate limit remembers. */
const REMEMBERED_ADDRESSES = 2_000;
/** A watchdog that is refused would restart a server that is well. */
const NEVER_REFUSED: ReadonlySet<string> = new Set(['/health', '/ready']);

/** What ends a request that never ends. For Fastify's `http` and `https` options. */
export const CONNECTION_LIMITS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: CHECK_INTERVAL_MS,
} as const;

export const SERVER_LIMITS: FastifyServerOptions = {
  requestTimeout: REQUEST_TIMEOUT_MS,
  bodyLimit: HARD_BODY_LIMIT_BYTES,
  routerOptions: { maxParamLength: 100 },
};

/** The connections that are open. */
export interface Connections {
  /** Ends those on which nothing was ever said: browsers open some ahead, and Node does not count them as idle. */
  endSilent(): void;
  endAll(): void;
}

/** Too many connections are closed at once, without a word: words cost what is to be saved. */
export function limitConnections(app: App): Connections {
  const { server } = app;
  const open = new Set<Socket>();
  const ofAddress = new Map<string, number>();
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (ofAddress.get(address) ?? 0) + 1;
    if (count > MAX_CONNECTIONS_OF_ADDRESS && !isLoopbackHost(address)) {
      socket.destroy();
      return;
    }
    open.add(socket);
    ofAddress.set(address, count);
    socket.once('close', () => {
      open.delete(socket);
      const left = (ofAddress.get(address) ?? 1) - 1;
      if (left === 0) ofAddress.delete(address);
      else ofAddress.set(address, left);
    });
  });
  return {
    endSilent() {
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
    },
    endAll() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** So many requests a minute of one address, unknown paths and wrong tokens included; health and readiness are never refused. */
export async function limitRate(app: App, { http }: Pick<HttpParts, 'http'>): Promise<void> {
  await app.register(rateLimit, {
    global: false,
    cache: REMEMBERED_ADDRESSES,
    timeWindow: MINUTE_MS,
    max: () => http.current.ratePerMinute,
    allowList: ({ routeOptions }) => http.current.ratePerMinute === 0 || NEVER_REFUSED.has(routeOptions.url ?? ''),
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    addHeaders: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
      'retry-after': true,
    },
    errorResponseBuilder: (_request, { after }) =>
      new ApiError(
        429,
        'RATE_LIMITED',
        `too many requests from this address; try again in ${after} (http.rate_per_minute)`,
      ),
  });
  app.addHook('onRequest', app.rateLimit());
}

/** Refuses a body by its announced length before a byte of it is read; what announces no length is measured by the JSON parser. */
export function limitBodies(app: App, { http }: Pick<HttpParts, 'http'>): void {
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > http.current.maxBodyBytes) done(bodyTooLarge(http.current.maxBodyBytes));
    else done(null, payload);
  });
}

export function bodyTooLarge(limitBytes: number): ApiError {
  // The rest of the body is not read: the connection ends with the answer.
  const headers = { connection: 'close' };
  return new ApiError(413, 'BODY_TOO_LARGE', `the body is larger than ${limitBytes} bytes (http.max_body_kb)`, {
    headers,
  });
}
