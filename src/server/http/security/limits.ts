import type { Socket } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import type { FastifyServerOptions } from 'fastify';
import { isLoopbackHost } from '../../../config/web-formats.ts';
import { ApiError } from '../errors.ts';
import type { App, HttpParts } from '../parts.ts';

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
/** Of these, for those who ask whether the server lives while all places are busy. */
const RESERVED_CONNECTIONS = 16;
/** Of these, for those that are looked at before it is decided whether there is room. */
const ARRIVING_CONNECTIONS = 16;
const PLACES = MAX_CONNECTIONS - RESERVED_CONNECTIONS - ARRIVING_CONNECTIONS;
/** An answer of which nothing is taken for this long is given up, with its connection. Event streams say something more often. */
const NO_PROGRESS_MS = 60_000;
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
  connectionTimeout: NO_PROGRESS_MS,
  bodyLimit: HARD_BODY_LIMIT_BYTES,
  routerOptions: { maxParamLength: 100 },
};

/** The connections that are open. */
export interface Connections {
  /** Ends those on which nothing was ever said: browsers open some ahead, and Node does not count them as idle. */
  endSilent(): void;
  endAll(): void;
}

/** A connection as it is told apart: the same for the TCP socket and for the TLS on it. */
interface Peer {
  readonly socket: Socket;
  /** Let in beyond the limit: only for health and readiness. */
  readonly isReserve: boolean;
  /** Requests that are not answered yet. */
  underWay: number;
}

/**
 * Too many connections of one address are closed at once, without a word: words cost what is to be saved. When all places are taken, a
 * connection on which nothing is under way makes room for a new one, the oldest first; where all are busy, the new one gets a place in
 * reserve, where only health and readiness are answered: however many watch or download, a monitor that asks whether the server lives is told.
 */
export function limitConnections(app: App): Connections {
  const { server } = app;
  const open = new Map<string, Peer>();
  const ofAddress = new Map<string, number>();
  server.maxConnections = MAX_CONNECTIONS;

  const makeRoom = (isReserve: boolean): boolean => {
    for (const [key, peer] of open) {
      if (peer.underWay > 0 || peer.isReserve !== isReserve) continue;
      open.delete(key);
      peer.socket.destroy();
      return true;
    }
    return false;
  };
  const admit = (): 'place' | 'reserve' | 'none' => {
    const reserved = [...open.values()].filter((peer) => peer.isReserve).length;
    if (open.size - reserved < PLACES || makeRoom(false)) return 'place';
    return reserved < RESERVED_CONNECTIONS || makeRoom(true) ? 'reserve' : 'none';
  };

  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (ofAddress.get(address) ?? 0) + 1;
    const place = count > MAX_CONNECTIONS_OF_ADDRESS && !isLoopbackHost(address) ? 'none' : admit();
    if (place === 'none') {
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    const peer: Peer = { socket, isReserve: place === 'reserve', underWay: 0 };
    open.set(key, peer);
    ofAddress.set(address, count);
    socket.once('close', () => {
      if (open.get(key) === peer) open.delete(key);
      const left = (ofAddress.get(address) ?? 1) - 1;
      if (left <= 0) ofAddress.delete(address);
      else ofAddress.set(address, left);
    });
  });
  server.on('request', (request, response) => {
    const peer = open.get(keyOf(request.socket));
    if (peer === undefined) return;
    peer.underWay += 1;
    response.once('close', () => {
      peer.underWay -= 1;
    });
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const isReserve = open.get(keyOf(request.raw.socket))?.isReserve === true;
    done(isReserve && !NEVER_REFUSED.has(request.routeOptions.url ?? '') ? tooManyConnections() : undefined);
  });
  return {
    endSilent() {
      for (const { socket } of open.values()) if (socket.bytesRead === 0) socket.destroy();
    },
    endAll() {
      for (const { socket } of open.values()) socket.destroy();
    },
  };
}

function keyOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress ?? ''} ${remotePort ?? ''}`;
}

function tooManyConnections(): ApiError {
  const headers = { connection: 'close', 'retry-after': '5' };
  const message = `${PLACES} connections are busy already; try again later`;
  return new ApiError(503, 'TOO_MANY_CONNECTIONS', message, { headers });
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
