import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GapRecord, Reading } from '../../src/contract/reading.ts';
import { type DeviceStatus, encodeStatus } from '../../src/contract/status.ts';
import { sensorTopic } from '../../src/contract/topics.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import type { BadItem, CommitResult, IngestMessage, Registration } from '../../src/server/store/ingest-store.ts';
import { openSqliteStore } from '../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../src/server/store/store.ts';

export const TEST_HOME = 'home-001';
export const TEST_DEVICE = 'aht20-0a1b2c';

/** A real store file in a folder of its own, and what commands need to be pointed at it. */
export class ServerStore {
  readonly folder = mkdtempSync(join(tmpdir(), 'techtemp-server-'));
  readonly path = join(this.folder, 'techtemp.db');
  /** For any command: no config file, this store. */
  readonly options = { configPath: join(this.folder, 'server.conf'), flags: { 'store.path': this.path } };
  #store: Store | undefined;

  async open(): Promise<Store> {
    this.#store ??= await openSqliteStore({ path: this.path, clock: createSystemClock() });
    return this.#store;
  }

  async commit(messages: readonly IngestMessage[], registration: Registration = 'auto'): Promise<CommitResult> {
    return await (await this.open()).commit({ messages, registration, maxRejected: 1000 });
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  async dispose(): Promise<void> {
    await this.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function itemsMessage(
  items: readonly (Reading | GapRecord)[],
  changes: { readonly deviceUid?: string; readonly bad?: readonly BadItem[]; readonly receivedMs?: number } = {},
): IngestMessage {
  const { deviceUid = TEST_DEVICE, bad = [], receivedMs = items[0]?.tsMs ?? 0 } = changes;
  const topic = sensorTopic(TEST_HOME, deviceUid, 'backlog');
  return { kind: 'items', topic, homeId: TEST_HOME, deviceUid, receivedMs, items, bad };
}

export function statusMessage(status: DeviceStatus, receivedMs: number, deviceUid = TEST_DEVICE): IngestMessage {
  const topic = sensorTopic(TEST_HOME, deviceUid, 'status');
  // As it comes from the wire.
  const received = JSON.parse(encodeStatus(status)) as DeviceStatus;
  return { kind: 'status', topic, homeId: TEST_HOME, deviceUid, status: received, isRetained: false, receivedMs };
}

/** Readings of one epoch with these numbers, half a minute apart. */
export function readingsOf(epoch: string, seqs: readonly number[], startMs: number, stepMs = 30_000): Reading[] {
  return seqs.map((seq) => ({
    temperatureCelsius: 20 + (seq % 10) / 10,
    humidityPercent: 50,
    tsMs: startMs + seq * stepMs,
    epoch,
    seq,
  }));
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
