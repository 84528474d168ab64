import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../api-error.ts';
import type { App } from '../app.ts';
import type { HttpParts } from '../http-parts.ts';
import { bearerOf } from './access.ts';
import { hostName, isLoopbackHost } from './network.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Keeps the pages of other sites from using the browser of somebody who may read or write here.
 *
 * Other origin: a request that changes something and says, in Sec-Fetch-Site or Origin, that it comes from a page of another origin
 * is refused, unless `http.cors_origins` names that one. Same-site is not enough: every port of localhost is the same site.
 * Programs send neither header. (Bodies are JSON only, which a form can't send.)
 *
 * Rebinding: a server on loopback answers only to names of this machine and of `http.cors_origins`. Otherwise a page of evil.example
 * whose name suddenly means 127.0.0.1 would be of our own origin to the browser. That a proxy passed the name on proves nothing: such
 * a page can send X-Forwarded-For too. Who sends a token is no such page; a wrong one is refused later.
 */
export function guardOrigin(app: App, { http }: Pick<HttpParts, 'http'>): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { corsOrigins, host } = http.current;
    if (isLoopbackHost(host) && bearerOf(request) === undefined && !isKnownName(request.headers.host, corsOrigins)) {
      done(unknownName(request.headers.host ?? ''));
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

function isKnownName(host: string | undefined, origins: readonly string[]): boolean {
  // HTTP/1.0 needs none, and no browser leaves it out.
  if (host === undefined) return true;
  const name = hostName(host);
  // An address is not looked up, and browsers look names below localhost up at home: neither can be bound to something else.
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  return origins.some((origin) => URL.canParse(origin) && new URL(origin).hostname === name);
}

function unknownName(host: string): ApiError {
  const message =
    `this server listens on this machine only and is not known as ${JSON.stringify(host.slice(0, 100))}; ` +
    'behind a reverse proxy that passes its own name on, add its origin to http.cors_origins';
  return new ApiError(421, 'HOST_NOT_ALLOWED', message);
}

function crossOrigin(): ApiError {
  const message = 'a page of another origin may not change anything here; http.cors_origins can allow it';
  return new ApiError(403, 'CROSS_ORIGIN', message);
}
