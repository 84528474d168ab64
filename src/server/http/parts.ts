import type { Server } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
} from 'fastify';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import type { BackupReport } from '../backup/backup-schedule.ts';
import type { HouseSection, HttpSection, StoreSection } from '../config.ts';
import type { IngestState } from '../ingest/ingest.ts';
import type { LiveFeed } from '../live-feed.ts';
import type { ServerMetrics } from '../metrics.ts';
import type { Store } from '../store/store.ts';
import type { ServerTime } from '../store/stored.ts';
import type { ClockState } from '../trusted-clock.ts';
import type { CurrentVerdict } from '../verify/current-verdict.ts';

/** Everything that the HTTP side is made of; the composition root gives it, tests too. */
export interface HttpParts {
  readonly store: Store;
  readonly feed: LiveFeed;
  readonly ingest: () => IngestState;
  readonly metrics: ServerMetrics;
  readonly http: Live<HttpSection>;
  readonly house: Live<HouseSection>;
  readonly storeSettings: Live<StoreSection>;
  readonly clock: Clock;
  readonly times: HttpTimes;
  readonly random: Random;
  readonly log: Log;
  readonly version: string;
  /** What is known of the backups; absent: none are made by schedule. */
  readonly backups?: () => BackupReport | undefined;
  /** Absent: there is no verdict about the record, and the API says so. */
  readonly verdicts?: CurrentVerdict;
}

/** What is known of this server's clock, and of what waits because of times. */
export interface HttpTimes {
  readonly clockState: () => ClockState;
  readonly now: () => ServerTime;
  /** How much may wait in quarantine. */
  readonly maxQuarantine: () => number;
}

/** The server with the types of its schemas: what a handler is given has been checked against them. */
export type App = FastifyInstance<
  Server,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Adds the routes of one file. Those of the API are given an app that puts `/api/v1` before their paths. */
export type RouteFile = (app: App, parts: HttpParts) => void;

/** What a request must be allowed to do; by default GET and HEAD read, everything else writes. */
export type Access = 'open' | 'read' | 'write';

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: Access;
  }

  interface FastifyInstance {
    /** Aborted when the server begins to close: answers that never end by themselves end then. */
    readonly closing: AbortSignal;
  }
}
