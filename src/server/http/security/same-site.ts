import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../api-error.ts';
import type { App } from '../app.ts';
import type { HttpParts } from '../http-parts.ts';
import { hostName, isLoopbackHost } from './network.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Keeps the pages of other sites from using the browser of somebody who may write here.
 *
 * Other origin: a request that changes something and says, in Sec-Fetch-Site or Origin, that it comes from a page of another origin
 * is refused, unless `http.cors_origins` names that one. Same-site is not enough: every port of localhost is the same site.
 * Programs send neither header. (Bodies are JSON only, which a form can't send.)
 *
 * Rebinding: a server on loopback answers only to names of this machine. Otherwise a page of evil.example whose name suddenly means
 * 127.0.0.1 would be of our own origin to the browser. Names that a trusted proxy passes on are the proxy's to judge.
 */
export function guardOrigin(app: App, { http }: Pick<HttpParts, 'http'>): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { corsOrigins, host } = http.current;
    if (isLoopbackHost(host) && !isThroughTrustedProxy(request) && !isNameOfThisMachine(request, host)) {
      done(
        new ApiError(
          421,
          'HOST_NOT_ALLOWED',
          `this server listens on this machine only and is not known as ${JSON.stringify(request.headers.host ?? '')}; behind a reverse proxy set http.trust_proxy`,
        ),
      );
      return;
    }
    if (!SAFE_METHODS.has(request.method) && isCrossOrigin(request, corsOrigins)) {
      done(
        new ApiError(
          403,
          'CROSS_ORIGIN',
          'a page of another origin may not change anything here; http.cors_origins can allow it',
        ),
      );
      return;
    }
    done();
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

/** Fastify believes X-Forwarded-* (and so has more than one address to tell) only from proxies that it was told to trust. */
function isThroughTrustedProxy(request: FastifyRequest): boolean {
  return (request.ips?.length ?? 0) > 1;
}

function isNameOfThisMachine(request: FastifyRequest, listensOn: string): boolean {
  const { host } = request.headers;
  // HTTP/1.0 needs none, and no browser leaves it out.
  if (host === undefined) return true;
  const name = hostName(host);
  return isLoopbackHost(name) || name === hostName(listensOn) || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}
