import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { ApiError } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import { Data, errors } from '../schemas/common.ts';
import { ServerInfo } from '../schemas/record.ts';
import { bearerOf, rightsOf, rightsWithoutToken } from '../security/access.ts';

/** What a page needs to know before anything else: whose house this is, and whether it has to ask for a token. */
export const addServerRoutes: RouteFile = (app, parts) => {
  app.get(
    '/server',
    {
      // A client without a token must be able to learn that it needs one.
      config: { access: 'open' },
      schema: {
        tags: ['server'],
        operationId: 'getServer',
        summary: 'The server, and what this request may do',
        description: 'Answers everybody; name, version and time zone only to those who may read.',
        response: { 200: Data(ServerInfo), ...errors },
      },
    },
    async (request, reply) => {
      const { http, house, version } = parts;
      const open = rightsWithoutToken(request, http.current);
      const rights = await rightsOf(request, parts);
      // Elsewhere a wrong token is refused, also where none is needed.
      const known = rights === 'unknown-token' ? 'none' : rights;
      reply.header('cache-control', 'no-store');
      return {
        data: {
          product: 'TechTemp' as const,
          ...(known !== 'none' && { name: house.current.name, version, time_zone: house.current.timeZone }),
          reading: open === 'none' ? ('token' as const) : ('open' as const),
          writing: open === 'write' ? ('open' as const) : ('token' as const),
          rights: known,
          token:
            bearerOf(request) === undefined
              ? ('absent' as const)
              : rights === 'unknown-token'
                ? ('invalid' as const)
                : ('valid' as const),
        },
      };
    },
  );
};

/** A scraper waits ten seconds by default. */
const HEALTH_LIMIT_MS = 2_000;

/** Figures for Prometheus. Answers also while the store does not work: what the store does not tell then is left out. */
export const addMetricsRoutes: RouteFile = (app, { store, feed, ingest, metrics, times, verdicts, backups, clock }) => {
  app.get(
    '/metrics',
    {
      schema: {
        tags: ['server'],
        operationId: 'getMetrics',
        summary: 'Figures for Prometheus',
        response: { 200: { content: { 'text/plain': { schema: Type.String() } } }, ...errors },
      },
    },
    async (_request, reply) => {
      const [storeHealth, devices, quarantine] = await Promise.all([
        store.health(HEALTH_LIMIT_MS).catch(() => undefined),
        store.devices({ withRemoved: true }).catch(() => undefined),
        store.quarantineSummary().catch(() => undefined),
      ]);
      const verdict = verdicts?.current();
      const text = await metrics.exposition({
        ingest: ingest(),
        storeHealth,
        devices,
        quarantine,
        clockState: times.clockState(),
        watchers: feed.watchers,
        backups: backups?.(),
        record: verdict && { ...verdict.sum, ageMs: Math.max(0, clock.nowMs() - verdict.checkedMs) },
      });
      return reply.type(metrics.contentType).send(text);
    },
  );
};

/** The pages of src/dashboard/view/navigation.ts: one document shows them all. */
const PAGES = ['/', '/history', '/devices', '/wall'];
/** Beside the page, under names that browsers know; may change with each version. */
const FILES = ['service-worker.js', 'manifest.webmanifest', 'icon.svg', 'icon-192.png', 'icon-512.png'];
const A_YEAR_S = 31_536_000;

/**
 * The dashboard, as scripts/build-dashboard.mjs made it. Names in `assets/` carry a hash of what is inside, so browsers need
 * never ask for them again; about everything else they ask each time, and mostly hear that nothing has changed. Everybody may
 * load the page: what it shows, it has to ask the API for.
 */
export const addDashboardRoutes: RouteFile = (app, { http }) => {
  const root = dashboardFolder();
  if (root === undefined) return;
  const { basePath } = http.current;
  const assets = new Set(readdirSync(join(root, 'assets')).filter((name) => !/\.(br|gz)$/.test(name)));
  app.register(async (pages) => {
    await pages.register(fastifyStatic, { root, serve: false, preCompressed: true, cacheControl: false, index: false });
    const options = { config: { access: 'open' }, schema: { hide: true } } as const;
    const send = (reply: FastifyReply, file: string, caching: string) => {
      // What lies between may keep answers: not a compressed one for a browser that can't read it.
      const vary = [reply.getHeader('vary'), 'Accept-Encoding'].filter((name) => name !== undefined).join(', ');
      return reply.headers({ vary, 'cache-control': caching }).sendFile(file);
    };
    for (const path of PAGES) {
      pages.get(path, options, (request, reply) => {
        // The page's addresses are relative: without the slash they would lead out of the prefix.
        const isBare = basePath !== '' && request.originalUrl.replace(/\?.*$/, '') === basePath;
        return isBare ? reply.redirect(`${basePath}/`, 308) : send(reply, 'index.html', 'no-cache');
      });
    }
    for (const file of FILES) pages.get(`/${file}`, options, (_request, reply) => send(reply, file, 'no-cache'));
    pages.get<{ Params: { '*': string } }>('/assets/*', options, (request, reply) => {
      const name = request.params['*'];
      if (!assets.has(name)) throw new ApiError(404, 'NOT_FOUND', 'the dashboard has no such file; reload its page');
      return send(reply, `assets/${name}`, `public, max-age=${A_YEAR_S}, immutable`);
    });
  });
};

/** Beside the built program, or in dist/ when the server runs from its source; undefined where it is not built. */
function dashboardFolder(): string | undefined {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = [join(here, 'dashboard'), join(here, '../../../../dist/dashboard')];
  return places.find((place) => existsSync(join(place, 'index.html')));
}
