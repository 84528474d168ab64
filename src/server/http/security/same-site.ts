import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../api-error.ts';
import type { App } from '../app.ts';
import type { HttpParts } from '../http-parts.ts';
import { bearerOf } from './access.ts';
import { hostName, isForwarded, isLoopbackHost } from './network.ts';

/**
 * Names that only a home network gives: mDNS (RFC 6762), private use (RFC 8375, ICANN's .internal), and what routers use. Nobody can
 * register one in the public DNS and let it mean our address. (.fritz.box belongs to the maker of the router.)
 */
const HOME_SUFFIXES = ['.local', '.lan', '.internal', '.home.arpa', '.home', '.localdomain', '.fritz.box'];

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Keeps the pages of other sites from using the browser of somebody who may read or write here.
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
    const { corsOrigins, host, hostNames = [] } = http.current;
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
