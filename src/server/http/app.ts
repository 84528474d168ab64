import compress from '@fastify/compress';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify from 'fastify';
import { DeadlineError, withDeadline } from '../../platform/tasks.ts';
import { addDocsPage, describeRoutes } from './docs.ts';
import { ApiError, createErrorAnswers, createMethodTable, type MethodTable, sendError } from './errors.ts';
import type { App, HttpParts, RouteFile } from './parts.ts';
import { addDeviceReadingsRoutes } from './routes/device-readings.ts';
import { addDeviceRoutes } from './routes/devices.ts';
import { addEventsRoutes } from './routes/events.ts';
import { addHealthRoutes } from './routes/health.ts';
import { addQuarantineRoutes } from './routes/quarantine.ts';
import { addExportRoutes, addReadingsRoutes } from './routes/readings.ts';
import { addGapsRoutes, addRejectedRoutes, addVerdictRoutes } from './routes/record.ts';
import { addRoomRoutes } from './routes/rooms.ts';
import { addDashboardRoutes, addMetricsRoutes, addServerRoutes } from './routes/server.ts';
import { addSeriesRoutes, addStatisticsRoutes } from './routes/statistics.ts';
import { Query } from './schemas/common.ts';
import { guardAccess, guardOrigin } from './security/access.ts';
import { addSecurityHeaders } from './security/headers.ts';
import { bodyTooLarge, limitBodies, limitConnections, limitRate } from './security/limits.ts';
import { serverOptions } from './server-options.ts';
import { compileValidator } from './validation.ts';

/** Answers under way get this long to end when the server closes; then their connections are cut. */
const CLOSE_LIMIT_MS = 5_000;
const NO_PARAMETERS = Query({});
/** Of a path that does not exist this much is repeated. */
const PATH_SHOWN = 100;

/** The server's HTTP side. */
export interface HttpApp {
  /** For tests: `app.inject`. */
  readonly app: App;
  /** Opens the port. @returns where it listens. @throws what the system says (EADDRINUSE, EACCES) */
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

/** Builds the whole HTTP side; nothing listens yet. @throws TlsFileError */
export async function createHttpApp(parts: HttpParts): Promise<HttpApp> {
  const { clock, http, metrics } = parts;
  const settings = http.current;
  const closing = new AbortController();
  const answers = createErrorAnswers(parts);
  const methods = createMethodTable();
  const app: App = Fastify({
    ...(await serverOptions(settings, parts.random)),
    frameworkErrors: (error, request, reply) => answers.answer(error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.decorate('closing', closing.signal);
  app.setValidatorCompiler(compileValidator);
  app.setErrorHandler((error, request, reply) => answers.answer(error, request, reply));
  app.addHook('onRoute', (route) => methods.add(route));
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    // A stream lasts as long as a page is open: that is no latency.
    const isStream = String(reply.getHeader('content-type')).startsWith('text/event-stream');
    const route = request.is404 ? '(unknown)' : (request.routeOptions.url ?? '(unknown)');
    if (!isStream) metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime);
    done();
  });
  const connections = limitConnections(app);
  app.addHook('preClose', (done) => {
    connections.endSilent();
    closing.abort(new Error('the server closes'));
    done();
  });
  await guard(app, parts);
  await describeRoutes(app, parts);
  for (const addRoutes of ROOT_ROUTES) addRoutes(app, parts);
  await app.register(
    async (api) => {
      await compressAnswers(api);
      // What the record says now is not what it says after the next commit; and it may be for holders of a token only.
      api.addHook('onRequest', (_request, reply, next) => {
        reply.header('cache-control', 'no-store');
        next();
      });
      // A route that knows no parameter takes none.
      api.addHook('onRoute', (route) => {
        if (route.method === 'OPTIONS') return;
        route.schema = { ...route.schema, querystring: route.schema?.querystring ?? NO_PARAMETERS };
      });
      for (const addRoutes of API_ROUTES) addRoutes(api, parts);
    },
    { prefix: '/api/v1' },
  );
  await addDocsPage(app, parts);
  answerUnknown(app, methods);
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
        connections.endAll();
      }
    },
  };
}

/** In the order in which a request meets them: the cheapest refusal first, the token's look-up last. */
async function guard(app: App, parts: HttpParts): Promise<void> {
  await addSecurityHeaders(app, parts);
  guardOrigin(app, parts);
  await limitRate(app, parts);
  guardAccess(app, parts);
  limitBodies(app, parts);
  readJsonBodies(app, parts);
}

/** No such path, or another method of a path that there is. */
function answerUnknown(app: App, methods: MethodTable): void {
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.replace(/\?.*$/s, '');
    const allowed = methods.methodsOf(path);
    const shown = `${request.method} ${path.length > PATH_SHOWN ? `${path.slice(0, PATH_SHOWN)}…` : path}`;
    // Its own answer would be there: only the rest of the path is none of its kind.
    if (allowed.length === 0 || allowed.includes(request.method)) {
      sendError(reply, new ApiError(404, 'ROUTE_NOT_FOUND', `there is no ${shown}; /docs describes what there is`));
      return;
    }
    const allow = [...allowed, 'OPTIONS'].join(', ');
    if (request.method === 'OPTIONS') {
      void reply.code(204).header('allow', allow).send();
      return;
    }
    const message = `there is no ${shown}; this path has ${allowed.join(', ')}`;
    sendError(reply, new ApiError(405, 'METHOD_NOT_ALLOWED', message, { headers: { allow } }));
  });
}

function addressOf(app: App, basePath: string): HttpAddress {
  const bound = app.server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the HTTP server listens on no port');
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  const scheme = 'setSecureContext' in app.server ? 'https' : 'http';
  return { host: bound.address, port: bound.port, url: `${scheme}://${host}:${bound.port}${basePath}` };
}

/** What the API is made of; the paths are relative to `/api/v1`. */
export const API_ROUTES: readonly RouteFile[] = [
  addServerRoutes,
  addDeviceRoutes,
  addRoomRoutes,
  addReadingsRoutes,
  addDeviceReadingsRoutes,
  addSeriesRoutes,
  addStatisticsRoutes,
  addGapsRoutes,
  addRejectedRoutes,
  addQuarantineRoutes,
  addVerdictRoutes,
  addExportRoutes,
  addEventsRoutes,
];

/** Beside the API: their paths begin at the server's root. */
export const ROOT_ROUTES: readonly RouteFile[] = [addHealthRoutes, addMetricsRoutes, addDashboardRoutes];

/**
 * A year of ten rooms is over a megabyte of JSON and a tenth of that compressed; the fastest level takes nearly all of it, and
 * a Pi's time is dear. Level 1 of zlib (https://www.zlib.net/manual.html#Basic).
 */
const ZLIB_LEVEL = 1;
/** Less than this fits into one packet as it is. */
const LEAST_BYTES = 1_024;
/** Not the event stream: an event has to leave when it happens, not when a block is full. */
const TYPES = /^(?:application\/(?:.+\+)?json|application\/x-ndjson|text\/csv)(?:;|$)/;

/** Answers of the routes added after it go out compressed to clients that can read that; also streamed ones, in constant memory. */
export async function compressAnswers(app: App): Promise<void> {
  await app.register(compress, {
    encodings: ['gzip'],
    zlibOptions: { level: ZLIB_LEVEL },
    threshold: LEAST_BYTES,
    customTypes: TYPES,
    // A compressed request could be a bomb, and no request needs to be so large.
    globalDecompression: false,
  });
}

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
