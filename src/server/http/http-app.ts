import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyServerOptions } from 'fastify';
import { DeadlineError, withDeadline } from '../../common/deadline.ts';
import type { App } from './app.ts';
import { createErrorAnswers } from './error-answers.ts';
import type { HttpParts } from './http-parts.ts';
import { API_ROUTES, ROOT_ROUTES } from './routes.ts';
import { compileValidator } from './validation.ts';

/** Answers under way get this long to end when the server closes; then their connections are cut. */
const CLOSE_LIMIT_MS = 5_000;
/** Random text that names a request in answers and log lines. */
const REFERENCE_LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const REFERENCE_LENGTH = 10;

/** The server's HTTP side. */
export interface HttpApp {
  /** For tests: `app.inject`. */
  readonly app: App;
  /** Opens the port. @returns where it listens. @throws what the system says (EADDRINUSE, EACCES) with what to do */
  listen(): Promise<HttpAddress>;
  /** Undefined until it listens. */
  readonly address: HttpAddress | undefined;
  /** Takes no more requests, ends the streams, waits for the rest, but not for ever. */
  close(): Promise<void>;
}

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:3000/prefix`, without a slash at its end. */
  readonly url: string;
}

/** Builds the whole HTTP side; nothing listens yet. */
export async function createHttpApp(parts: HttpParts): Promise<HttpApp> {
  const { clock, http, random } = parts;
  const settings = http.current;
  const answers = createErrorAnswers(parts);
  const closing = new AbortController();
  const options: FastifyServerOptions = {
    logger: false,
    genReqId: () => reference(random),
    bodyLimit: settings.maxBodyBytes,
  };
  const app: App = Fastify(options).withTypeProvider<TypeBoxTypeProvider>();
  app.decorate('closing', closing.signal);
  app.setValidatorCompiler(compileValidator);
  app.setErrorHandler((error, request, reply) => answers.answer(error, request, reply));
  app.addHook('preClose', (done) => {
    closing.abort(new Error('the server closes'));
    done();
  });
  for (const addRoutes of ROOT_ROUTES) addRoutes(app, parts);
  await app.register(
    (api, _options, done) => {
      for (const addRoutes of API_ROUTES) addRoutes(api, parts);
      done();
    },
    { prefix: '/api/v1' },
  );
  await app.ready();

  let address: HttpAddress | undefined;
  return {
    app,
    get address() {
      return address;
    },
    async listen() {
      await app.listen({ host: settings.host, port: settings.port });
      address = addressOf(app, settings.basePath);
      return address;
    },
    async close() {
      try {
        await withDeadline(app.close(), { clock, limitMs: CLOSE_LIMIT_MS, what: 'closing the HTTP server' });
      } catch (error) {
        if (!(error instanceof DeadlineError)) throw error;
        app.server.closeAllConnections();
      }
    },
  };
}

function addressOf(app: App, basePath: string): HttpAddress {
  const bound = app.server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the HTTP server listens on no port');
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  const scheme = 'setSecureContext' in app.server ? 'https' : 'http';
  return { host: bound.address, port: bound.port, url: `${scheme}://${host}:${bound.port}${basePath}` };
}

function reference(random: () => number): string {
  return Array.from(
    { length: REFERENCE_LENGTH },
    () => REFERENCE_LETTERS[Math.floor(random() * REFERENCE_LETTERS.length)],
  ).join('');
}
