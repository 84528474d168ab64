import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { createSystemClock } from '../../src/platform/clock.ts';
import { openSqliteStore } from '../../src/server/store/sqlite/open-store.ts';
import { chromiumMissing, launchChromium } from '../browser/support/chromium.ts';
import { Mosquitto } from '../support/mosquitto.ts';
import { ServerProcess } from '../support/server-process.ts';
import { statusMessage } from '../support/server-store.ts';
import { Sqlite } from '../support/sqlite.ts';
import { median } from './process-figures.ts';
import { ratio, row } from './report.ts';

const ROOMS = Array.from({ length: 10 }, (_, index) => `room-${index}`);
/** A year of minutes. Less for a quick look; not less than a week, which is zoomed to. */
const ROWS_PER_DEVICE = Number(process.env['BENCH_ROWS_PER_DEVICE'] ?? 365 * 24 * 60);
/** What the almost empty store has: the last hour. */
const FEW_ROWS = 60;
const ROUNDS = 5;
const VIEW_BYTES = 100_000;
/** A cheap phone on a poor network, as browsers' own tools imitate it: a quarter of the speed, 1.6 Mbit/s. */
const PHONE_NETWORK = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 94_000 };
const PHONE_VALUE_MS = 1_500;

/**
 * Runs in the page before its own code: `benchMoment(name)` waits for the frame in which that was there, and tells how long it took
 * since the navigation; the week since the choice. A chart is there when it was drawn after the answer to its question.
 */
const WATCHER = `{
  let [chosenMs, strokeMs] = [Infinity, 0];
  document.addEventListener('change', ({ timeStamp }) => { chosenMs = timeStamp; }, true);
  const { stroke } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.stroke = function (...path) { strokeMs = performance.now(); return stroke.apply(this, path); };
  const answerMs = (query) => Math.max(0, ...performance.getEntriesByType('resource')
    .filter(({ name }) => name.includes('/series?') && name.includes(query)).map(({ responseEnd }) => responseEnd));
  const isDrawn = (sinceMs) => document.querySelector('.plot:not(.busy) canvas') !== null &&
    answerMs('room=') > sinceMs && strokeMs > answerMs('room=');
  const moments = {
    value: () => /[0-9]/.test(document.querySelector('[data-value=temperature]')?.textContent ?? ''),
    trend: () => answerMs('device=') > 0,
    year: () => isDrawn(0),
    week: () => isDrawn(chosenMs),
  };
  globalThis.benchMoment = async (name) => {
    while (!moments[name]()) await new Promise(requestAnimationFrame);
    return performance.now() - (name === 'week' ? chosenMs : 0);
  };
}`;

type Figures = Readonly<Record<'value' | 'year' | 'week' | 'bytes' | 'yearBytes', number>>;

test.skipIf(chromiumMissing !== undefined)(
  'the dashboard on ten rooms, beside an hour of them',
  async () => {
    const [full, few] = [await openServer(ROWS_PER_DEVICE), await openServer(FEW_ROWS)];
    const browser = await launchChromium();
    onTestFinished(() => browser.close());
    const visits: Record<'full' | 'few' | 'phone', Figures[]> = { full: [], few: [], phone: [] };
    // In turns, so that what disturbs one disturbs the other; one more to warm up.
    for (let round = 0; round <= ROUNDS; round += 1) {
      visits.full.push(await visit(browser, full));
      visits.few.push(await visit(browser, few));
      visits.phone.push(await visit(browser, full, true));
    }
    const middle = (of: keyof typeof visits, name: keyof Figures): number =>
      median(visits[of].slice(1).map((figures) => figures[name]));
    const ms = (figure: number): string => `${figure.toFixed(0)} ms`;
    const kB = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

    for (const [name, what, goal] of [
      ['value', `first value, cold cache, ${(ROWS_PER_DEVICE * 10).toLocaleString('en')} readings`, '<= 1.25'],
      ['year', 'a year of ten rooms drawn, cold cache', ''],
      ['week', 'zoom from there to a week', ''],
    ] as const) {
      const [ours, besides] = [middle('full', name), middle('few', name)];
      row(what, ms(ours), `an hour stored: ${ms(besides)}`, ratio(ours, besides), goal);
    }
    const [bytes, yearBytes, phone] = [middle('full', 'bytes'), middle('full', 'yearBytes'), middle('phone', 'value')];
    row('bytes of the first view', kB(bytes), `limit: ${kB(VIEW_BYTES)}`, ratio(bytes, VIEW_BYTES), '< 1');
    row('first value on a cheap phone', ms(phone), `limit: ${ms(PHONE_VALUE_MS)}`, ratio(phone, PHONE_VALUE_MS), '< 1');
    row('bytes of the year of ten rooms', kB(yearBytes), 'the first view', ratio(yearBytes, bytes), '');
  },
  3_600_000,
);

/** Somebody who was never here: looks at the rooms; another one at a year, and from there at the last week. */
async function visit(browser: Browser, { httpPort }: ServerProcess, isPhone = false): Promise<Figures> {
  const base = `http://127.0.0.1:${httpPort}/`;
  const now = await openPage(browser, base, isPhone);
  const value = await now.moment('value');
  await now.moment('trend');
  await now.page.context().close();
  const show = ROOMS.map((uid) => `show=room:${uid}`).join('&');
  const { page, moment, bytes } = await openPage(browser, `${base}history?${show}&last=1y`, isPhone);
  const year = await moment('year');
  const yearBytes = bytes();
  // An error would be shown quickly, too.
  expect(await page.locator('.readout-value', { hasText: '°C' }).count(), 'rooms in the chart').toBe(ROOMS.length);
  const [week] = await Promise.all([moment('week'), page.getByRole('radio', { name: /^7 d/ }).check()]);
  await page.context().close();
  return { value, year, week, bytes: now.bytes(), yearBytes };
}

/** A page that has only begun to load. */
async function openPage(browser: Browser, url: string, isPhone: boolean) {
  const size = isPhone ? { width: 360, height: 740 } : { width: 1280, height: 800 };
  const page = await (await browser.newContext({ locale: 'en-GB', viewport: size })).newPage();
  const tools = await page.context().newCDPSession(page);
  let bytes = 0;
  tools.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
  await tools.send('Network.enable');
  if (isPhone) {
    await tools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    await tools.send('Network.emulateNetworkConditions', PHONE_NETWORK);
  }
  await page.addInitScript({ content: WATCHER });
  await page.goto(url, { waitUntil: 'commit' });
  const moment = async (name: 'value' | 'trend' | 'year' | 'week'): Promise<number> =>
    await page.evaluate<number>(`benchMoment('${name}')`);
  return { page, moment, bytes: () => bytes };
}

/** Devices as they register themselves, then a reading a minute up to now: made inside SQLite, in order of the key. */
async function openServer(count: number): Promise<ServerProcess> {
  const broker = await Mosquitto.start();
  onTestFinished(() => broker.dispose());
  const server = await ServerProcess.prepare({ brokerPort: broker.port });
  onTestFinished(() => server.dispose());
  const path = join(server.folder, 'techtemp.db');
  const endMs = Math.floor(Date.now() / 60_000) * 60_000;
  const store = await openSqliteStore({ path, clock: createSystemClock() });
  const messages = ROOMS.map((room, index) =>
    statusMessage({ state: 'online', room, interval_s: 60 }, endMs - count * 60_000, `aht20-bench${index}`),
  );
  await store.commit({ messages, registration: 'auto', maxRejected: 1000 });
  await store.close();
  const db = new Sqlite(path);
  db.pragma('synchronous = OFF');
  db.prepare('INSERT INTO epochs (device_id, epoch) SELECT id, uid FROM devices').run();
  db.prepare(`
    WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < CAST(@count AS INTEGER))
    INSERT INTO readings
    SELECT device_id, CAST(@endMs AS INTEGER) - (CAST(@count AS INTEGER) - seq) * 60000, epochs.id, seq,
      round(18 + device_id / 2.0 + 3 * sin(seq / 229.0) + (seq * 7919 % 100) / 100.0, 2), 40 + seq % 2000 / 100.0, 0
    FROM epochs CROSS JOIN n ORDER BY device_id, seq`).run({ count, endMs });
  db.exec(`
    INSERT INTO rollups_hourly
    SELECT device_id, ts_ms / 3600000 * 3600000, count(*), sum(temperature), min(temperature), max(temperature),
      sum(humidity), min(humidity), max(humidity) FROM readings GROUP BY 1, 2;
    INSERT INTO latest SELECT device_id, max(ts_ms), epoch_id, seq, temperature, humidity, flags, ts_ms FROM readings GROUP BY 1`);
  db.close();
  await server.start();
  return server;
}
