import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from '../../src/contract/messages.ts';
import type { DeviceStatus } from '../../src/contract/status.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../../src/device/config.ts';
import type { NewReading, Placed, ReadingEntry } from '../../src/device/journal/journal.ts';
import { createOpenLink } from '../../src/device/mqtt/client.ts';
import type { OpenLink } from '../../src/device/mqtt/session.ts';
import { createPublisher, type Publisher } from '../../src/device/publisher/publisher.ts';
import { type Clock, createSystemClock, type Random } from '../../src/platform/clock.ts';
import { deviceSection, homeAssistantSection, mqttSection } from './device-sections.ts';
import { ArrayJournal, ArrayJournalSet } from './memory-journal-set.ts';
import { recordingLog, recordingProgress, testLive } from './recording.ts';
import { until } from './until.ts';

export const UID = 'aht20-0a1b2c';
export const HOME = 'home-001';
export const EPOCH = 'epoch1';

export interface RigOptions {
  readonly mqtt?: Partial<MqttSection>;
  readonly device?: Partial<DeviceSection>;
  readonly homeassistant?: Partial<HomeAssistantSection>;
  readonly journals?: ArrayJournalSet;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly openLink?: OpenLink;
  readonly statePath?: string;
  readonly status?: Partial<DeviceStatus>;
  readonly env?: Record<string, string>;
  readonly maxIdleMs?: number;
}

/** A publisher with everything around it: the outermost edges are the test's, the broker is real. */
export class PublisherRig {
  readonly mqtt: ReturnType<typeof testLive<MqttSection>>;
  readonly device: ReturnType<typeof testLive<DeviceSection>>;
  readonly homeassistant: ReturnType<typeof testLive<HomeAssistantSection>>;
  readonly journals: ArrayJournalSet;
  readonly log = recordingLog();
  readonly progress = recordingProgress();
  /** What the publisher said of itself, in order. */
  readonly changes: ('news' | 'routine')[] = [];
  readonly commands: Command[] = [];
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly folder: string;
  readonly statePath: string;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(port: number, options: RigOptions = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'techtemp-publisher-'));
    this.statePath = options.statePath ?? join(this.folder, 'state', 'delivery.json');
    this.mqtt = testLive(mqttSection(port, options.mqtt));
    this.device = testLive(deviceSection({ deviceUid: UID, homeId: HOME, ...options.device }));
    this.homeassistant = testLive(homeAssistantSection(options.homeassistant));
    this.journals = options.journals ?? new ArrayJournalSet(new ArrayJournal(UID, EPOCH));
    this.clock = options.clock ?? createSystemClock();
    this.publisher = createPublisher({
      journals: this.journals,
      openLink: options.openLink ?? createOpenLink({ clock: this.clock }),
      device: this.device,
      mqtt: this.mqtt,
      homeassistant: this.homeassistant,
      clock: this.clock,
      random: options.random ?? Math.random,
      log: this.log,
      progress: this.progress,
      maxIdleMs: options.maxIdleMs ?? Number.POSITIVE_INFINITY,
      statePath: this.statePath,
      env: options.env ?? {},
      status: () => this.status(options.status),
      onCommand: (command) => this.commands.push(command),
      onChange: (word) => this.changes.push(word),
      version: '1.2.3',
    });
  }

  status(changes: Partial<DeviceStatus> = {}): DeviceStatus {
    const { delivery, lastError } = this.publisher.state();
    return {
      state: 'online',
      uid: this.device.current.deviceUid,
      interval_s: 60,
      delivery,
      journal: { epoch: EPOCH, state: 'ok', buffered: this.journals.stats().unreleased, dropped: 0 },
      ...(lastError !== undefined && { last_error: lastError }),
      ...changes,
    };
  }

  start(): void {
    this.#running = this.publisher.run(this.#stop.signal);
    // A test that expects a failure awaits `stop`.
    this.#running.catch(() => undefined);
  }

  async startConnected(): Promise<void> {
    this.start();
    await this.connected();
  }

  async connected(): Promise<void> {
    await until('the publisher is connected', () => this.publisher.state().connected);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the test is over'));
    await this.#running;
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A reading as the sampler would make it now; number n has its own values. */
  reading(n: number, changes: Partial<NewReading> = {}): NewReading {
    return {
      temperatureCelsius: 20 + (n % 500) / 100,
      humidityPercent: 40 + (n % 3000) / 100,
      stamp: { state: 'synced', tsMs: 1_790_000_000_000 + n * 1_000 },
      bootId: this.clock.bootId,
      monotonicMs: this.clock.monotonicMs(),
      ...changes,
    };
  }

  /** Puts readings into the journal that is written to, as if they had been taken offline. */
  buffer(count: number, changes: Partial<NewReading> = {}): void {
    const journal = this.journals.active();
    for (let n = 0; n < count; n += 1) journal.put(this.reading(journal.stats.lastSeq + 1, changes));
  }

  /** Takes a reading: into the journal and to the publisher. */
  take(changes: Partial<NewReading> = {}): Placed<ReadingEntry> {
    const journal = this.journals.active();
    const placed = { journal, entry: journal.put(this.reading(journal.stats.lastSeq + 1, changes)) };
    this.publisher.live(placed);
    return placed;
  }

  unreleased(): number {
    return this.journals.stats().unreleased;
  }

  async drained(limitMs?: number): Promise<void> {
    await until('the journals are empty', () => this.unreleased() === 0, limitMs);
  }

  topic(leaf: string): string {
    return `home/${this.device.current.homeId}/sensors/${this.device.current.deviceUid}/${leaf}`;
  }

  /** Everything that was logged, as one text. */
  logged(): string {
    return this.log.lines.map((line) => JSON.stringify(line)).join('\n');
  }
}

/** 1, 2, … n */
export function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index + 1);
}
