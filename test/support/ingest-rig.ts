import { type Clock, createSystemClock, systemRandom } from '../../src/platform/clock.ts';
import { createLiveValue, type LiveValue } from '../../src/platform/live.ts';
import type { IngestSection, MqttSection } from '../../src/server/config.ts';
import { createIngest } from '../../src/server/ingest/create-ingest.ts';
import type { Ingest, IngestObserver } from '../../src/server/ingest/ingest.ts';
import type { CommitCounts, IngestStore, StoreChange } from '../../src/server/store/ingest-store.ts';
import { SERVER_DEFAULTS } from './default-configs.ts';
import { recordingLog } from './recording.ts';

export function serverMqtt(port: number, changes: Partial<MqttSection> = {}): MqttSection {
  return {
    ...SERVER_DEFAULTS.mqtt,
    brokerHost: '127.0.0.1',
    brokerPort: port,
    reconnectMinMs: 50,
    reconnectMaxMs: 500,
    ...changes,
  };
}

export function ingestSection(changes: Partial<IngestSection> = {}): IngestSection {
  return {
    ...SERVER_DEFAULTS.ingest,
    maxWaiting: 10_000,
    maxRejected: 100_000,
    maxDevices: 1e6,
    maxHomes: 1e6,
    maxRooms: 1e6,
    maxEpochsPerMinute: 1e6,
    maxGapRecordsPerMinute: 1e6,
    maxRejectedPerMinute: 1e6,
    maxRoomsPerMinute: 1e6,
    maxStatusesPerMinute: 1e6,
    ...changes,
  };
}

export interface IngestRigOptions {
  readonly store: IngestStore;
  readonly port: number;
  readonly mqtt?: Partial<MqttSection>;
  readonly ingest?: Partial<IngestSection>;
  readonly clock?: Clock;
  readonly isClockTrusted?: boolean;
  readonly answerTimeoutMs?: number;
}

/** Ingest on its own: a broker on one side, a store on the other. */
export class IngestRig {
  readonly log = recordingLog();
  readonly changes: StoreChange[] = [];
  readonly counts: CommitCounts[] = [];
  readonly observed = { received: 0, receipted: 0, failed: 0, limited: 0, worstReceiptMs: 0 };
  readonly mqtt: LiveValue<MqttSection>;
  readonly ingest: LiveValue<IngestSection>;
  readonly server: Ingest;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: IngestRigOptions) {
    const {
      store,
      port,
      mqtt = {},
      ingest = {},
      clock = createSystemClock(),
      isClockTrusted = true,
      answerTimeoutMs,
    } = options;
    this.mqtt = createLiveValue(serverMqtt(port, mqtt));
    this.ingest = createLiveValue(ingestSection(ingest));
    this.server = createIngest({
      store,
      mqtt: this.mqtt,
      ingest: this.ingest,
      clock,
      random: systemRandom,
      log: this.log,
      progress: { beat: () => undefined, end: () => undefined },
      maxIdleMs: 10_000,
      changes: { publish: (changes) => this.changes.push(...changes) },
      observer: this.#observer(),
      env: {},
      serverClock: {
        judgedByMs: () => (isClockTrusted ? clock.nowMs() : Number.POSITIVE_INFINITY),
        time: () => ({
          nowMs: clock.nowMs(),
          bootId: clock.bootId,
          wallMinusMonotonicMs: clock.nowMs() - clock.monotonicMs(),
          isConfirmed: isClockTrusted,
        }),
        heard: () => undefined,
      },
      ...(answerTimeoutMs !== undefined && { answerTimeoutMs }),
    });
  }

  static start(options: IngestRigOptions): IngestRig {
    const rig = new IngestRig(options);
    rig.start();
    return rig;
  }

  start(): void {
    this.#running = this.server.run(this.#stop.signal);
    // A failure is for `stop` to report.
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the test stops the server'));
    await this.#running;
  }

  /** Sum over all commits. */
  total(key: 'stored' | 'duplicates' | 'corrected' | 'gaps' | 'statuses' | 'registered'): number {
    return this.counts.reduce((sum, counts) => sum + counts[key], 0);
  }

  totalRejected(): number {
    return this.counts.reduce(
      (sum, { rejected }) => sum + Object.values(rejected).reduce((inner, count) => inner + count, 0),
      0,
    );
  }

  #observer(): IngestObserver {
    const { observed } = this;
    return {
      received: (messages) => (observed.received += messages),
      committed: (counts) => this.counts.push(counts),
      commitFailed: () => (observed.failed += 1),
      receipted: (numbers, latencyMs) => {
        observed.receipted += numbers;
        observed.worstReceiptMs = Math.max(observed.worstReceiptMs, latencyMs);
      },
      limited: () => (observed.limited += 1),
    };
  }
}
