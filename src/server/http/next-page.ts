import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Says where the next page is, for clients that follow links (RFC 8288). The target is relative to the request's own URL, so that it
 * holds behind any proxy and prefix.
 */
export function linkNextPage(request: FastifyRequest, reply: FastifyReply, next: string | undefined): void {
  if (next === undefined) return;
  const query = new URLSearchParams(request.url.split('?', 2)[1] ?? '');
  query.set('after', next);
  void reply.header('link', `<?${query.toString()}>; rel="next"`);
}
