import { Type } from 'typebox';
import type { RouteFile } from '../app.ts';
import { errors } from '../schemas/common.ts';

/** A scraper waits ten seconds by default. */
const HEALTH_LIMIT_MS = 2_000;

/** Figures for Prometheus. Told also while the store is ill: what it does not say then is left out. */
export const addMetricsRoutes: RouteFile = (app, { store, feed, ingest, metrics, times, verdicts, clock }) => {
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
        record: verdict && { ...verdict.sum, ageMs: Math.max(0, clock.nowMs() - verdict.checkedMs) },
      });
      return reply.type(metrics.contentType).send(text);
    },
  );
};
