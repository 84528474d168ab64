import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reading } from '../../src/contract/reading.ts';
import type { DeviceStatus } from '../../src/contract/status.ts';
import type { HttpSection } from '../../src/server/config.ts';
import { createHttpApp, type HttpApp } from '../../src/server/http/app.ts';
import type { HttpParts } from '../../src/server/http/parts.ts';
import { createLiveFeed, LIVE_FEED_CAPACITY, type LiveFeed } from '../../src/server/live-feed.ts';
import { createServerMetrics } from '../../src/server/metrics.ts';
import type { CommitResult, IngestMessage, ItemsMessage } from '../../src/server/store/ingest-store.ts';
import { openSqliteStore } from '../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../src/server/store/store.ts';
import { createCurrentVerdict } from '../../src/server/verify/current-verdict.ts';
import { SERVER_DEFAULTS } from './default-configs.ts';
import { FakeClock } from './fake-clock.ts';
import { recordingLog, testLive } from './recording.ts';
import { seededRandom } from './seeded-random.ts';
import { testTimes } from './test-times.ts';

export interface ApiRigOptions {
  /** What time it is; default: 2026-06-15 12:00 UTC. */
  readonly nowMs?: number;
  readonly timeZone?: string;
  readonly http?: Partial<HttpSection>;
  readonly backups?: HttpParts['backups'];
}

/** The real HTTP side on the real store in a folder of its own; readings come in as from the broker. */
export class ApiRig {
  readonly store: Store;
  readonly feed: LiveFeed;
  readonly clock: FakeClock;
  readonly http: HttpApp;
  readonly log: ReturnType<typeof recordingLog>;
  readonly #folder: string;

  private constructor(parts: Pick<ApiRig, 'store' | 'feed' | 'clock' | 'http' | 'log'>, folder: string) {
    this.store = parts.store;
    this.feed = parts.feed;
    this.clock = parts.clock;
    this.http = parts.http;
    this.log = parts.log;
    this.#folder = folder;
  }

  static async open(options: ApiRigOptions = {}): Promise<ApiRig> {
    const folder = await mkdtemp(join(tmpdir(), 'techtemp-api-'));
    const clock = new FakeClock({ nowMs: options.nowMs ?? Date.UTC(2026, 5, 15, 12) });
    const log = recordingLog();
    const path = join(folder, 'techtemp.db');
    const store = await openSqliteStore({ path, engine: 'in-process', clock, log });
    const feed = createLiveFeed({ capacity: LIVE_FEED_CAPACITY, random: seededRandom(1), clock });
    const http = await createHttpApp({
      store,
      feed,
      clock,
      log,
      metrics: createServerMetrics({ version: '0.0.0', clock }),
      ingest: () => ({
        link: 'connected',
        linkSinceMs: clock.monotonicMs(),
        broker: '127.0.0.1:1883',
        waiting: 0,
        isHeldBack: false,
        lastCommitMs: null,
        brokerDropped: null,
        leftOut: [],
      }),
      http: testLive<HttpSection>({ ...HTTP, ...options.http }),
      house: testLive({ name: 'Test house', timeZone: options.timeZone ?? 'Europe/Brussels' }),
      storeSettings: testLive({ path, minFreeBytes: 0 }),
      times: testTimes(clock),
      random: seededRandom(2),
      version: '0.0.0',
      verdicts: createCurrentVerdict({ store, clock, log }),
      ...(options.backups !== undefined && { backups: options.backups }),
    });
    return new ApiRig({ store, feed, clock, http, log }, folder);
  }

  /** As a message on the topic `reading` or `backlog`; published on the feed as ingest does. */
  async readings(deviceUid: string, readings: readonly ReadingGiven[]): Promise<CommitResult> {
    return this.commit([this.items(deviceUid, readings.map(toReading))]);
  }

  items(deviceUid: string, items: ItemsMessage['items']): ItemsMessage {
    return { ...this.#from(deviceUid, 'reading'), kind: 'items', items, bad: [] };
  }

  async status(deviceUid: string, status: DeviceStatus): Promise<CommitResult> {
    return this.commit([{ ...this.#from(deviceUid, 'status'), kind: 'status', status, isRetained: false }]);
  }

  async commit(messages: readonly IngestMessage[]): Promise<CommitResult> {
    const result = await this.store.commit({ messages, registration: 'auto', maxRejected: 1000 });
    this.feed.publish(result.changes, this.clock.nowMs());
    return result;
  }

  /** GET, or another method with a JSON body. */
  async ask(url: string, method: 'GET' | 'POST' | 'PUT' | 'DELETE' = 'GET', body?: object): Promise<Answer> {
    const response = await this.http.app.inject({ method, url, ...(body !== undefined && { payload: body }) });
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      body: isJson(response.headers['content-type']) ? (JSON.parse(response.body) as unknown) : undefined,
    };
  }

  /** `data` of an answer that must be 200. */
  async data<T>(url: string): Promise<T> {
    const { status, body, text } = await this.ask(url);
    if (status !== 200) throw new Error(`GET ${url}: ${status} ${text}`);
    return (body as { readonly data: T }).data;
  }

  async close(): Promise<void> {
    await this.http.close();
    await this.store.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #from(deviceUid: string, leaf: string) {
    const topic = `home/home-001/sensors/${deviceUid}/${leaf}`;
    return { topic, receivedMs: this.clock.nowMs(), homeId: 'home-001', deviceUid };
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly text: string;
  readonly body: unknown;
}

/** Time as ISO 8601, then values; with a number where it has one. */
export interface ReadingGiven {
  readonly at: string | number;
  readonly t?: number;
  readonly h?: number;
  readonly epoch?: string;
  readonly seq?: number;
}

function toReading({ at, t = 20, h = 50, epoch, seq }: ReadingGiven): Reading {
  return {
    temperatureCelsius: t,
    humidityPercent: h,
    tsMs: typeof at === 'number' ? at : Date.parse(at),
    ...(epoch !== undefined && { epoch }),
    ...(seq !== undefined && { seq }),
  };
}

function isJson(type: unknown): boolean {
  return typeof type === 'string' && type.startsWith('application/json');
}

const HTTP: HttpSection = {
  ...SERVER_DEFAULTS.http,
  port: 0,
  trustProxy: [],
  ratePerMinute: 0,
  maxBodyBytes: 1_048_576,
};
