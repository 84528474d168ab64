import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { App, HttpParts } from '../parts.ts';

/** Everything from here, nothing inline, nothing from outside; the dashboard is written to it. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  fontSrc: ["'self'"],
  connectSrc: ["'self'"],
  manifestSrc: ["'self'"],
  workerSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};
/** So that a browser need not ask before each request. */
const PREFLIGHT_MAX_AGE_S = 600;
const SIX_MONTHS_S = 15_552_000;

/** Headers that tell browsers to be strict, and which other origins may use the API (none, unless the configuration names them). */
export async function addSecurityHeaders(app: App, { http }: Pick<HttpParts, 'http'>): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
    // Over plain HTTP a browser must ignore it; behind a proxy it is the proxy's to say.
    hsts: http.current.tlsCertFile === '' ? false : { maxAge: SIX_MONTHS_S, includeSubDomains: false },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
  });
  await app.register(cors, {
    origin: (origin, decide) => decide(null, origin !== undefined && http.current.corsOrigins.includes(origin)),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'last-event-id'],
    exposedHeaders: ['content-disposition', 'link', 'retry-after', 'x-request-id'],
    maxAge: PREFLIGHT_MAX_AGE_S,
    credentials: false,
  });
  // Pages of configured origins may read answers, which the default of helmet would still keep from no-cors requests.
  app.addHook('onSend', (request, reply, payload, done) => {
    const { origin } = request.headers;
    if (origin !== undefined && http.current.corsOrigins.includes(origin)) {
      reply.header('cross-origin-resource-policy', 'cross-origin');
    }
    done(null, payload);
  });
}
