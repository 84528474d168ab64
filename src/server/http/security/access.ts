import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { isLoopbackHost } from '../../../config/web-formats.ts';
import { hashToken, isTokenSecret } from '../../tokens.ts';
import { ApiError } from '../errors.ts';
import type { Access, App, HttpParts } from '../parts.ts';

/** What proxies add to a request that they pass on. */
const FORWARDING_HEADERS = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
  'via',
];

/** Whether a proxy passed this request on. A client that claims this falsely only loses rights. */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  return FORWARDING_HEADERS.some((name) => headers[name] !== undefined);
}

/** The name or address in a Host header, without its port, brackets and final dot. */
export function hostName(host: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(host) ?? [];
  return (bracketed ?? host.replace(/:\d*$/, '').replace(/\.$/, '')).toLowerCase();
}

/** What a client may do here; `write` includes reading. */
export type Rights = 'none' | 'read' | 'write';

const RANK: Readonly<Record<Rights | Access, number>> = { none: 0, open: 0, read: 1, write: 2 };
const HOW = 'send it as "Authorization: Bearer SECRET"; techtemp-server token create makes one';

/**
 * Lets a request pass only with the rights that its route asks for, before its body is read.
 *
 * Reading is open unless `http.reading = token`. Writing without a token is only for clients on this machine: `http.writing = auto`
 * asks for a token as soon as the server is configured to listen beyond loopback (`http.host` is what counts: a firewall in front
 * of it is not seen from here), and for requests that a proxy passed on, which come over loopback from anywhere in the world. A
 * proxy that hides itself (sends no X-Forwarded-*, Forwarded or Via) is not recognised: say `http.writing = token` behind one.
 *
 * A token is taken only from the Authorization header: addresses end in logs and histories.
 */
export function guardAccess(app: App, parts: AccessParts): void {
  app.addHook('onRequest', async (request) => {
    const needed = accessOf(request);
    if (needed === 'open') return;
    const rights = await rightsOf(request, parts);
    if (rights === 'unknown-token') {
      throw unauthorized('INVALID_TOKEN', 'this token is not (or no longer) valid', ', error="invalid_token"');
    }
    if (RANK[rights] >= RANK[needed]) return;
    if (bearerOf(request) === undefined) throw unauthorized('UNAUTHORIZED', `this needs a token: ${HOW}`);
    throw new ApiError(403, 'FORBIDDEN', 'this token may read but not write', {
      headers: { 'www-authenticate': 'Bearer realm="TechTemp", error="insufficient_scope"' },
    });
  });
}

export type AccessParts = Pick<HttpParts, 'http' | 'store' | 'clock'>;

/** What this request may do: what everybody may, or what its token allows where that is more. */
export async function rightsOf(
  request: FastifyRequest,
  { http, store, clock }: AccessParts,
): Promise<Rights | 'unknown-token'> {
  const open = rightsWithoutToken(request, http.current);
  const secret = bearerOf(request);
  if (secret === undefined) return open;
  const token = isTokenSecret(secret) ? await store.tokenByHash(hashToken(secret), clock.nowMs()) : undefined;
  if (token === undefined) return 'unknown-token';
  return RANK[token.scope] > RANK[open] ? token.scope : open;
}

/** What everybody may who reaches this server the way this request did. */
export function rightsWithoutToken(
  request: Pick<FastifyRequest, 'headers'>,
  {
    host,
    reading,
    writing,
  }: { readonly host: string; readonly reading: 'open' | 'token'; readonly writing: 'auto' | 'token' },
): Rights {
  const isLocal = isLoopbackHost(host) && !isForwarded(request.headers);
  if (writing === 'auto' && isLocal && reading === 'open') return 'write';
  return reading === 'open' ? 'read' : 'none';
}

/** The secret of a Bearer token; other schemes are those of a proxy in front and none of our business. */
export function bearerOf(request: Pick<FastifyRequest, 'headers'>): string | undefined {
  const [, secret] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
  return secret;
}

function accessOf(request: FastifyRequest): Access {
  // An unknown path is told so to everybody; there is nothing to guard.
  if (request.is404) return 'open';
  return (
    request.routeOptions.config.access ?? (request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write')
  );
}

function unauthorized(code: string, message: string, challenge = ''): ApiError {
  return new ApiError(401, code, message, { headers: { 'www-authenticate': `Bearer realm="TechTemp"${challenge}` } });
}

/**
 * Names that only a home network gives: mDNS (RFC 6762), private use (RFC 8375, ICANN's .internal), and what routers use. It is not possible to
 * register one in the public DNS and let it mean our address. (.fritz.box belongs to the maker of the router.)
 */
const HOME_SUFFIXES = ['.local', '.lan', '.internal', '.home.arpa', '.home', '.localdomain', '.fritz.box'];

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Keeps the pages of other sites from using the browser of a person who may read or write here.
 *
 * Other origin: a request that changes something and says, in Sec-Fetch-Site or Origin, that it comes from a page of another origin
 * is refused, unless `http.cors_origins` names that one. Same-site is not enough: every port of localhost is the same site.
 * Programs send neither header. (Bodies are JSON only, which a form can't send.)
 *
 * Rebinding: the server answers only to addresses, to names that the public DNS cannot give to anybody, and to those that
 * `http.host_names` and `http.cors_origins` name. Otherwise a page of evil.example whose name suddenly means 127.0.0.1 or 192.168.1.10
 * would be of our own origin to the browser. That a proxy passed the name on proves nothing on a server that listens on loopback: such a
 * page can send X-Forwarded-For too. On one that others reach, a proxy on this machine is believed. Who sends a token is no such page;
 * a wrong one is refused later.
 */
export function guardOrigin(app: App, { http }: Pick<HttpParts, 'http'>): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { corsOrigins, host, hostNames } = http.current;
    const isProxied =
      !isLoopbackHost(host) && isForwarded(request.headers) && isLoopbackHost(request.socket.remoteAddress ?? '');
    const mayBeForeign = bearerOf(request) === undefined && !isProxied;
    if (mayBeForeign && !isKnownName(request.headers.host, corsOrigins, hostNames)) {
      done(unknownName(request.headers.host ?? '', isLoopbackHost(host)));
    } else if (!SAFE_METHODS.has(request.method) && isCrossOrigin(request, corsOrigins)) {
      done(crossOrigin());
    } else {
      done();
    }
  });
}

function isCrossOrigin(request: FastifyRequest, allowed: readonly string[]): boolean {
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin !== undefined && allowed.includes(origin)) return false;
  // The browser says it itself, and no page can change what it says. (Sent to https and localhost only.)
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && origin !== `${request.protocol}://${request.host}`;
}

function isKnownName(host: string | undefined, origins: readonly string[], names: readonly string[]): boolean {
  // HTTP/1.0 needs none, and no browser leaves it out.
  if (host === undefined) return true;
  const name = hostName(host);
  // An address is not looked up, and browsers look names below localhost up at home: neither can be bound to something else.
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  if (!name.includes('.') || HOME_SUFFIXES.some((suffix) => name.endsWith(suffix)) || names.includes(name)) return true;
  return origins.some((origin) => URL.canParse(origin) && new URL(origin).hostname === name);
}

function unknownName(host: string, isLoopback: boolean): ApiError {
  const shown = JSON.stringify(host.slice(0, 100));
  const message = isLoopback
    ? `this server listens on this machine only and is not known as ${shown}; behind a reverse proxy that passes its own name on, ` +
      'add its origin to http.cors_origins, or the name to http.host_names'
    : `this server is not known as ${shown}; if that is its name, add it to http.host_names in server.conf, or use its address`;
  return new ApiError(421, 'HOST_NOT_ALLOWED', message);
}

function crossOrigin(): ApiError {
  const message = 'a page of another origin may not change anything here; http.cors_origins can allow it';
  return new ApiError(403, 'CROSS_ORIGIN', message);
}
