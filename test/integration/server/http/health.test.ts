import { afterEach, describe, expect, it } from 'vitest';
import { parseExposition } from '../../../support/exposition.ts';
import { type HttpRig, type HttpRigOptions, openHttpRig } from '../../../support/http-rig.ts';
import { until } from '../../../support/until.ts';

let rig: HttpRig | undefined;
async function open(options: HttpRigOptions = {}): Promise<HttpRig> {
  rig = await openHttpRig(options);
  return rig;
}
afterEach(async () => {
  await rig?.[Symbol.asyncDispose]();
  rig = undefined;
});

describe('/health', () => {
  it('has the shape of the older API', async () => {
    const { ask } = await open();
    expect(await ask('GET', '/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it('S3: does not hide that the broker is away, nor ask for a restart because of it', async () => {
    const { ask, ingestIs } = await open();
    ingestIs({ link: 'connecting', linkProblem: 'connection refused' });
    expect(await ask('GET', '/health')).toMatchObject({ status: 200, body: { status: 'ok', broker: 'connecting' } });
    expect(await ask('GET', '/ready')).toMatchObject({
      status: 503,
      body: {
        status: 'not-ready',
        parts: { broker: { ok: false, problem: 'no connection to the broker 127.0.0.1:1883: connection refused' } },
      },
    });
  });

  it('fails with a store that is ill, that throws, or that was closed', async () => {
    const ill = await open({
      withStore: (store) => ({
        ...store,
        health: async () =>
          Promise.resolve({ isOk: false, problem: 'not a database', schemaVersion: 0, sizeBytes: 0, freeBytes: null }),
      }),
    });
    expect(await ill.ask('GET', '/health')).toMatchObject({ status: 500, body: { status: 'failed' } });
    expect((await ill.ask('GET', '/ready')).body).toMatchObject({
      parts: { database: { ok: false, problem: 'not a database' } },
    });
    await ill[Symbol.asyncDispose]();
    const throwing = await open({
      withStore: (store) => ({ ...store, health: () => Promise.reject(new Error('gone')) }),
    });
    expect((await throwing.ask('GET', '/health')).status).toBe(500);
    await throwing[Symbol.asyncDispose]();
    const closed = await open();
    await closed.store.close();
    expect((await closed.ask('GET', '/health')).status).toBe(500);
    expect(
      (await closed.ask('GET', '/ready', { headers: { authorization: `Bearer ttk_${'A'.repeat(43)}` } })).status,
    ).toBe(503);
  });
});

describe('/ready', () => {
  it('is what a monitor asks: every part with its problem', async () => {
    const { ask, ingestIs, storeSettings, clock } = await open();
    expect((await ask('GET', '/ready')).status).toBe(200);
    ingestIs({ storeProblem: 'the disk is full', lastCommitMs: clock.nowMs() - 90_000, waiting: 12, isHeldBack: true });
    storeSettings.set({ ...storeSettings.current, minFreeBytes: Number.MAX_SAFE_INTEGER });
    const { status, body } = await ask('GET', '/ready');
    expect(status).toBe(503);
    expect(body).toMatchObject({
      status: 'not-ready',
      parts: {
        database: { ok: true },
        broker: { ok: true },
        ingest: { ok: false, problem: 'the disk is full', last_commit_age_s: 90, waiting: 12, held_back: true },
        disk: { ok: false, problem: expect.stringMatching(/MB free on the store's disk, less than/) as string },
      },
    });
  });
});

describe('/metrics', () => {
  it('S3: are exposed, by the rules of Prometheus', async () => {
    const { ask, store, metrics, ingestIs } = await open();
    await store.addDevices([{ uid: 'aht20-aaaaaa', room: { name: 'Office' } }], 0);
    metrics.observer.received(5, 500);
    ingestIs({ waiting: 4 });
    for (const path of [
      '/api/v1/devices',
      '/api/v1/devices/a',
      '/api/v1/devices/b',
      '/x/1',
      '/x/2',
      '/api/v1/devices?removed=true',
    ])
      await ask('GET', path);
    const { status, headers, text } = await ask('GET', '/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const { problems, value } = parseExposition(text);
    expect(problems).toEqual([]);
    const count = (route: string, code: number) =>
      value(`techtemp_http_request_duration_seconds_count{method="GET",route="${route}",status="${code}"}`);
    expect(count('/api/v1/devices', 200)).toBe(2);
    expect(count('/api/v1/devices/:uid', 404)).toBe(2);
    expect(count('(unknown)', 404)).toBe(2);
    expect(value('techtemp_ingest_messages_total')).toBe(5);
    expect(value('techtemp_ingest_waiting_messages')).toBe(4);
    expect(value('techtemp_devices{state="active",presence="unknown"}')).toBe(1);
    expect(value('techtemp_store_up')).toBe(1);
    expect(value('techtemp_store_size_bytes')).toBeGreaterThan(0);
    expect(value('techtemp_store_free_bytes')).toBeGreaterThan(0);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  it('are there also while the store is not', async () => {
    const { ask, store } = await open();
    await store.close();
    const { status, text } = await ask('GET', '/metrics');
    expect(status).toBe(200);
    const { problems, value } = parseExposition(text);
    expect(problems).toEqual([]);
    expect(value('techtemp_store_up')).toBe(0);
    expect(value('techtemp_devices{state="active",presence="online"}')).toBeUndefined();
  });

  it('tell how many watch', async () => {
    const { ask, feed } = await open();
    const watching = new AbortController();
    const next = feed.subscribe(undefined, watching.signal)[Symbol.asyncIterator]().next();
    await until('it watches', () => feed.watchers === 1);
    expect(parseExposition((await ask('GET', '/metrics')).text).value('techtemp_live_watchers')).toBe(1);
    watching.abort();
    await next.catch(() => undefined);
  });
});
