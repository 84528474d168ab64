import { join } from 'node:path';
import mqtt from 'mqtt';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { ServerProcess, serverMissing } from '../../support/server-process.ts';
import { Sqlite } from '../../support/sqlite.ts';
import { until } from '../../support/until.ts';
import { chromiumMissing, launchChromium } from './chromium.ts';

/** Why the dashboard can't be tested here; undefined when it can. */
export const dashboardRigMissing =
  chromiumMissing ?? serverMissing ?? (mosquittoInstalled ? undefined : 'Mosquitto is not installed');

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

export interface Value {
  readonly ts: number;
  readonly celsius: number;
  readonly percent?: number;
}

/** A real broker and server, and a real browser that shows the dashboard. What a page does wrong is remembered. */
export class DashboardRig {
  readonly broker: Mosquitto;
  readonly server: ServerProcess;
  readonly browser: Browser;
  /** Requests to elsewhere, violations of the page's policy, errors that nobody caught. */
  readonly wrongs: string[] = [];
  readonly #client: mqtt.MqttClient;
  #seq = 0;

  private constructor(broker: Mosquitto, server: ServerProcess, browser: Browser, client: mqtt.MqttClient) {
    this.broker = broker;
    this.server = server;
    this.browser = browser;
    this.#client = client;
  }

  static async open(config: Readonly<Record<string, readonly string[]>> = {}): Promise<DashboardRig> {
    const broker = await Mosquitto.start({ config: ['max_queued_messages 0'] });
    const house = ['name = Rue des Lilas 4', 'time_zone = Europe/Brussels'];
    const server = await ServerProcess.prepare({ brokerPort: broker.port, config: { house, ...config } });
    await server.start();
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`);
    return new DashboardRig(broker, server, await launchChromium(), client);
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.httpPort}/`;
  }

  /** A page whose wrongs are watched. The viewer is in the house's zone unless told otherwise. */
  async page(path = '', options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ timezoneId: 'Europe/Brussels', locale: 'en-GB', ...options });
    // Only there to end what hangs: a busy machine takes its time.
    context.setDefaultTimeout(100_000);
    context.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol.startsWith('http') && origin !== new URL(this.url).origin)
        this.wrongs.push(`asked ${request.url()}`);
    });
    const page = await context.newPage();
    page.on('pageerror', (error) => this.wrongs.push(`error ${error.message}`));
    await page.exposeFunction('tellWrong', (what: string) => this.wrongs.push(what));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        (window as unknown as { tellWrong(what: string): void }).tellWrong(`policy ${violatedDirective} ${blockedURI}`);
      });
    });
    await page.goto(`${this.url}${path}`);
    return page;
  }

  async status(uid: string, status: Readonly<Record<string, unknown>>): Promise<void> {
    const payload = JSON.stringify({ state: 'online', uid, version: '0.1.0', interval_s: 60, ...status });
    await this.#client.publishAsync(`home/lilas/sensors/${uid}/status`, payload, { qos: 1, retain: true });
  }

  /** One live reading. */
  async reading(uid: string, { ts, celsius, percent = 50 }: Value): Promise<void> {
    const payload = JSON.stringify({ temperature_c: celsius, humidity_pct: percent, ts });
    await this.#client.publishAsync(`home/lilas/sensors/${uid}/reading`, payload, { qos: 1 });
  }

  /** Many, and waits until they are stored. */
  async backlog(uid: string, values: readonly Value[]): Promise<void> {
    const items = values.map(({ ts, celsius, percent = 50 }) => {
      this.#seq += 1;
      return { temperature_c: celsius, humidity_pct: percent, ts, epoch: 'e1', seq: this.#seq };
    });
    for (let first = 0; first < items.length; first += 500) {
      const payload = JSON.stringify(items.slice(first, first + 500));
      await this.#client.publishAsync(`home/lilas/sensors/${uid}/backlog`, payload, { qos: 1 });
    }
    const newest = Math.max(...values.map(({ ts }) => ts));
    await until(`${uid} is stored`, async () => {
      const answer = await this.server.get(`/api/v1/devices/${uid}`);
      if (!answer.ok) return false;
      const { data } = (await answer.json()) as { data: { latest: { ts: string } | null } };
      return data.latest !== null && Date.parse(data.latest.ts) >= newest;
    });
  }

  /** As if the last reading of a device had come so long ago: silence goes by when something came. */
  heardAgo(uid: string, ageMs: number): void {
    const db = new Sqlite(join(this.server.folder, 'techtemp.db'), { timeout: 10_000 });
    const ofDevice = 'device_id = (SELECT id FROM devices WHERE uid = ?)';
    db.prepare(`UPDATE latest SET heard_ms = ?, seen_ms = ? WHERE ${ofDevice}`).run(
      Date.now() - ageMs,
      Date.now() - ageMs,
      uid,
    );
    db.close();
  }

  async gap(uid: string, fromMs: number, toMs: number, reason: string): Promise<void> {
    this.#seq += 1;
    const gap = { epoch: 'e1', from: 1, to: 90, count: 90, reason, from_ts: fromMs, to_ts: toMs };
    const payload = JSON.stringify({ gap, ts: toMs, epoch: 'e1', seq: this.#seq });
    await this.#client.publishAsync(`home/lilas/sensors/${uid}/gap`, payload, { qos: 1 });
    await until(
      'the gap is stored',
      async () => (await this.server.data<readonly unknown[]>('/api/v1/gaps')).length > 0,
    );
  }

  async raw(topic: string, payload: string): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1 });
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.#client.endAsync(true);
    await this.server.dispose();
    await this.broker.dispose();
  }
}

/** Every minute up to now, a calm room. */
export function calmValues(hours: number, nowMs: number, celsius: number): Value[] {
  return Array.from({ length: hours * 60 }, (_, minute) => ({
    ts: nowMs - (hours * 60 - minute) * MINUTE_MS,
    celsius: Math.round((celsius + Math.sin(minute / 200)) * 100) / 100,
  }));
}
