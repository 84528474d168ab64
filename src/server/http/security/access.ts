import type { FastifyRequest } from 'fastify';
import { hashToken, isTokenSecret } from '../../tokens.ts';
import { ApiError } from '../api-error.ts';
import type { Access, App } from '../app.ts';
import type { HttpParts } from '../http-parts.ts';
import { isForwarded, isLoopbackHost } from './network.ts';

/** What somebody may do here; `write` includes reading. */
export type Rights = 'none' | 'read' | 'write';

const RANK: Readonly<Record<Rights | Access, number>> = { none: 0, open: 0, read: 1, write: 2 };
const HOW = 'send it as "Authorization: Bearer SECRET"; techtemp-server token create makes one';

/**
 * Lets a request pass only with the rights that its route asks for, before its body is read.
 *
 * Reading is open unless `http.reading = token`. Writing without a token is for those on this machine alone: `http.writing = auto`
 * asks for a token as soon as the server is configured to listen beyond loopback (`http.host` is what counts: a firewall in front
 * of it is not seen from here), and for requests that a proxy passed on, which come over loopback from anywhere in the world. A
 * proxy that hides itself (sends no X-Forwarded-*, Forwarded or Via) is not recognised: say `http.writing = token` behind one.
 *
 * A token is taken from the Authorization header alone: addresses end in logs and histories.
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
