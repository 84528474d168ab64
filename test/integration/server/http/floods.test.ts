import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { MAX_EXPORTS, STUCK_MS } from '../../../../src/server/http/routes/readings.ts';
import type { Store } from '../../../../src/server/store/store.ts';
import { type HttpRig, openHttpRig } from '../../../support/http-rig.ts';
import { openHttpStream } from '../../../support/http-stream.ts';
import { request } from '../../../support/raw-http.ts';
import { until } from '../../../support/until.ts';

const PEERS = 256;

let rig: HttpRig | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await rig?.[Symbol.asyncDispose]();
  rig = undefined;
});

/** A record without an end: what the system's sockets hold is never all of it. */
function endless(store: Store): Store {
  const reading = { roomUid: null, temperatureCelsius: 20, humidityPercent: 50, isUnsynced: false, isOnDemand: false };
  const readings = Array.from({ length: 200 }, (_, index) => ({
    ...reading,
    deviceUid: 'd'.repeat(2000),
    tsMs: index,
    epoch: 'e',
    seq: index + 1,
  }));
  return {
    ...store,
    readings: async () => {
      await setImmediate();
      return { readings, next: 'more' };
    },
  };
}

async function open(): Promise<{ readonly rig: HttpRig; readonly url: string; readonly port: number }> {
  rig = await openHttpRig({ withStore: endless });
  return { rig, ...(await rig.http.listen()) };
}

/** Asks over a connection of its own and reads nothing of the answer. */
function flood(port: number, path: string): void {
  for (let index = 0; index < PEERS; index += 1) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    socket.pause();
    if (path !== '') socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    sockets.push(socket);
  }
}

describe('whoever asks whether the server lives', () => {
  it.each([
    ['C8: event streams that are not read', '/api/v1/events'],
    ['C9: exports that are not read', '/api/v1/export?format=jsonl'],
    ['connections on which nothing is said', ''],
  ])('is told beside %s', async (_what, path) => {
    const { url, port } = await open();
    flood(port, path);
    await until('most are in', () => sockets.filter(({ readyState }) => readyState === 'open').length > PEERS / 2);
    for (const asked of ['/health', '/ready', '/api/v1/rooms'])
      expect((await request(url + asked)).status, asked).toBe(200);
  });
});

describe('an export', () => {
  it('C9: has a place among few, and loses it when nobody takes it', async () => {
    const { rig: house, url } = await open();
    const exports = [];
    for (let index = 0; index < MAX_EXPORTS; index += 1) exports.push(await openHttpStream(`${url}/api/v1/export`));
    expect(exports.map(({ status }) => status)).toEqual(exports.map(() => 200));
    const refused = await request(`${url}/api/v1/export`);
    expect(refused).toMatchObject({ status: 503, body: { code: 'TOO_MANY_EXPORTS' } });
    await until('they are stuck', async () => {
      await house.clock.advance(STUCK_MS / 2);
      const again = await openHttpStream(`${url}/api/v1/export`);
      again.destroy();
      return again.status === 200;
    });
    const [first] = exports;
    first?.read();
    await until('it is cut', () => first?.end() === 'cut');
    for (const each of exports) each.destroy();
  });
});
