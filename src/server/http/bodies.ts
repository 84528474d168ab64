import type { App } from './app.ts';
import type { HttpParts } from './http-parts.ts';
import { bodyTooLarge } from './security/limits.ts';

/**
 * Bodies are JSON and nothing else: what a form of another site can send (text/plain too) is not even parsed. An empty body is none,
 * whatever its type says: many clients send a type with every DELETE. `__proto__` and `constructor.prototype` are refused.
 */
export function readJsonBodies(app: App, { http }: Pick<HttpParts, 'http'>): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = String(body);
    const { maxBodyBytes } = http.current;
    if (Buffer.byteLength(text) > maxBodyBytes) done(bodyTooLarge(maxBodyBytes));
    else if (text === '') done(null, undefined);
    else void parse(request, text, done);
  });
}
