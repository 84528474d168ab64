import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLiveValue, type LiveValue } from '../../src/platform/live.ts';
import type { HttpSection, StoreSection } from '../../src/server/config.ts';
import { createHttpApp, type HttpApp } from '../../src/server/http/app.ts';
import type { HttpParts } from '../../src/server/http/parts.ts';
import type { IngestState } from '../../src/server/ingest/ingest.ts';
import { createLiveFeed } from '../../src/server/live-feed.ts';
import { createServerMetrics, type ServerMetrics } from '../../src/server/metrics.ts';
import { openSqliteStore } from '../../src/server/store/sqlite/open-store.ts';
import type { Store, TokenScope } from '../../src/server/store/store.ts';
import { createTokenId, createTokenSecret, hashToken } from '../../src/server/tokens.ts';
import { createCurrentVerdict } from '../../src/server/verify/current-verdict.ts';
import { SERVER_DEFAULTS } from './default-configs.ts';
import { FakeClock } from './fake-clock.ts';
import { recordingLog } from './recording.ts';
import { seededRandom } from './seeded-random.ts';
import { testTimes } from './test-times.ts';

/** The HTTP side on a real store, every part of which a test can reach and change. */
export interface HttpRig extends AsyncDisposable {
  readonly http: HttpApp;
  readonly settings: LiveValue<HttpSection>;
  readonly storeSettings: LiveValue<StoreSection>;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly log: ReturnType<typeof recordingLog>;
  readonly feed: HttpParts['feed'];
  readonly metrics: ServerMetrics;
  /** What ingest says of itself from now on. */
  readonly ingestIs: (state: Partial<IngestState>) => void;
  /** Changes some settings while the server runs. */
  readonly configure: (change: Partial<HttpSection>) => void;
  /** A request without a network. */
  readonly ask: (
    method: Method,
    url: string,
    more?: { readonly body?: unknown; readonly headers?: Record<string, string> },
  ) => Promise<Told>;
  /** Makes a token. @returns its secret */
  readonly token: (scope: TokenScope, more?: { readonly expiresMs?: number }) => Promise<string>;
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS' | 'PATCH';

export interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly text: string;
  /** Of JSON; `{}` otherwise. */
  readonly body: Readonly<Record<string, unknown>>;
}

const LOOPBACK: HttpSection = { ...SERVER_DEFAULTS.http, port: 0, ratePerMinute: 0, maxBodyBytes: 64 * 1024 };

const WELL: IngestState = {
  link: 'connected',
  linkSinceMs: 0,
  broker: '127.0.0.1:1883',
  waiting: 0,
  isHeldBack: false,
  lastCommitMs: null,
  brokerDropped: null,
  leftOut: [],
};

export interface HttpRigOptions {
  readonly http?: Partial<HttpSection>;
  /** Stands between the HTTP side and the store, for a store that is ill. */
  readonly withStore?: (store: Store) => Store;
}

export async function openHttpRig({
  http: given = {},
  withStore = (store) => store,
}: HttpRigOptions = {}): Promise<HttpRig> {
  const folder = await mkdtemp(join(tmpdir(), 'techtemp-http-'));
  const clock = new FakeClock({ nowMs: Date.UTC(2026, 5, 15, 12) });
  const log = recordingLog();
  const path = join(folder, 'techtemp.db');
  const store = await openSqliteStore({ path, engine: 'in-process', clock, log });
  const settings = createLiveValue<HttpSection>({ ...LOOPBACK, ...given });
  const storeSettings = createLiveValue<StoreSection>({ path, minFreeBytes: 0 });
  const feed = createLiveFeed({ capacity: 100, random: seededRandom(1), clock });
  const metrics = createServerMetrics({ version: '1.2.3', clock });
  let ingest = WELL;
  const http = await createHttpApp({
    store: withStore(store),
    feed,
    metrics,
    ingest: () => ingest,
    http: settings,
    house: createLiveValue({ name: 'Rue des Lilas 4', timeZone: 'Europe/Paris' }),
    storeSettings,
    times: testTimes(clock),
    clock,
    random: seededRandom(2),
    log,
    version: '1.2.3',
    verdicts: createCurrentVerdict({ store, clock, log }),
  }).catch(async (error: unknown) => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  return {
    http,
    settings,
    storeSettings,
    store,
    clock,
    log,
    feed,
    metrics,
    ingestIs: (state) => {
      ingest = { ...ingest, ...state };
    },
    configure: (change) => settings.set({ ...settings.current, ...change }),
    async ask(method, url, { body, headers = {} } = {}) {
      const response = await http.app.inject({
        method,
        url,
        headers: {
          host: 'localhost:3000',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      return told(response.statusCode, response.headers, response.body);
    },
    async token(scope, { expiresMs } = {}) {
      const secret = createTokenSecret();
      await store.addToken({
        id: createTokenId(),
        name: `a ${scope} token`,
        scope,
        hash: hashToken(secret),
        createdMs: clock.nowMs(),
        expiresMs: expiresMs ?? null,
      });
      return secret;
    },
    async [Symbol.asyncDispose]() {
      await http.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function bearer(secret: string): { readonly authorization: string } {
  return { authorization: `Bearer ${secret}` };
}

export function told(status: number, headers: Told['headers'], text: string): Told {
  const isJson = String(headers['content-type']).startsWith('application/json') && text !== '';
  return { status, headers, text, body: isJson ? (JSON.parse(text) as Told['body']) : {} };
}
