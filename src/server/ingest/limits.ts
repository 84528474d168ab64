import type { GapRecord, Reading } from '../../contract/reading.ts';
import type { Clock } from '../../platform/clock.ts';
import { createFaultLog, type FaultLog } from '../../platform/fault-log.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import { TokenBucket } from '../../platform/pacing.ts';
import type { IngestSection } from '../config.ts';
import type { BadItem, IngestMessage, ItemsMessage, StatusMessage } from '../store/ingest-store.ts';
import type { LimitedKind } from './ingest.ts';

export interface SenderLimitsParts {
  readonly ingest: Live<Pick<IngestSection, (typeof LIMITS)[LimitedKind]>>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** One of a kind was left out. Must not throw. */
  readonly onLimited: (kind: LimitedKind) => void;
}

/** What is remembered of a device. */
interface Sender {
  readonly buckets: Map<LimitedKind, TokenBucket>;
  /** The newest ones, oldest first: only what is not among these counts as new. */
  readonly epochs: Set<string>;
  readonly rooms: Set<string>;
}

/** The key that limits each kind. */
const LIMITS = {
  epoch: 'maxEpochsPerMinute',
  gap: 'maxGapRecordsPerMinute',
  rejected: 'maxRejectedPerMinute',
  room: 'maxRoomsPerMinute',
  status: 'maxStatusesPerMinute',
} as const satisfies Readonly<Record<LimitedKind, keyof IngestSection>>;
/** Of all devices together; the one that spoke longest ago is forgotten first. */
const MAX_SENDERS = 10_000;
/** An agent has one journal, and a few more after faults; a device stands in one room. */
const MAX_NAMES = 64;

/**
 * Bounds what one device can make the record grow by, whatever it sends: new epochs, rooms, gap records, rejected messages and statuses
 * have a rate. What is above it is not stored and not receipted, so an agent keeps it and sends it again. Readings have no rate: a
 * backlog is welcome at any speed, and the disk's own limit holds.
 */
export class SenderLimits {
  readonly #parts: SenderLimitsParts;
  readonly #faults: FaultLog;
  readonly #senders = new Map<string, Sender>();

  constructor(parts: SenderLimitsParts) {
    this.#parts = parts;
    this.#faults = createFaultLog(parts.log, parts.clock);
  }

  /** What may be stored of a message; undefined: nothing. */
  allowed(message: IngestMessage): IngestMessage | undefined {
    // Strangers that name no device share one place.
    const device = message.deviceUid ?? '';
    const sender = this.#senderOf(device);
    if (message.kind === 'items') return this.#items(device, sender, message);
    if (message.kind === 'status') return this.#status(device, sender, message);
    return this.#takes(device, sender, 'rejected') ? message : undefined;
  }

  #items(device: string, sender: Sender, message: ItemsMessage): ItemsMessage | undefined {
    const { items, bad } = message;
    const takenBad = bad.filter((one) => this.#takesBad(device, sender, one));
    const taken = items.filter((item) => this.#takesItem(device, sender, item));
    if (taken.length === items.length && takenBad.length === bad.length) return message;
    if (taken.length === 0 && takenBad.length === 0) return undefined;
    return { ...message, items: taken, bad: takenBad };
  }

  #takesItem(device: string, sender: Sender, item: Reading | GapRecord): boolean {
    if (item.epoch !== undefined && !this.#takesName(device, sender, 'epoch', item.epoch)) return false;
    return !('gap' in item) || this.#takes(device, sender, 'gap');
  }

  #takesBad(device: string, sender: Sender, { epoch, reason }: BadItem): boolean {
    if (epoch !== undefined && !this.#takesName(device, sender, 'epoch', epoch)) return false;
    // A reading of an odd time is a reading: it waits in quarantine, which has a bound of its own.
    return reason === 'bad-time' || this.#takes(device, sender, 'rejected');
  }

  #status(device: string, sender: Sender, message: StatusMessage): StatusMessage | undefined {
    if (!this.#takes(device, sender, 'status')) return undefined;
    const { room, ...rest } = message.status;
    if (typeof room !== 'string' || this.#takesName(device, sender, 'room', room)) return message;
    return { ...message, status: rest };
  }

  #takesName(device: string, sender: Sender, kind: 'epoch' | 'room', name: string): boolean {
    const names = kind === 'epoch' ? sender.epochs : sender.rooms;
    if (names.has(name)) return true;
    if (!this.#takes(device, sender, kind)) return false;
    names.add(name);
    if (names.size > MAX_NAMES) for (const oldest of names) return names.delete(oldest);
    return true;
  }

  #takes(device: string, sender: Sender, kind: LimitedKind): boolean {
    const { clock, ingest, onLimited } = this.#parts;
    const perMinute = ingest.current[LIMITS[kind]];
    let bucket = sender.buckets.get(kind);
    if (bucket === undefined) {
      bucket = new TokenBucket(clock, perMinute);
      sender.buckets.set(kind, bucket);
    }
    if (bucket.take(perMinute / 60, perMinute) === 0) return true;
    onLimited(kind);
    const who = device === '' ? 'messages that name no device' : `device ${device}`;
    this.#faults.failed(
      kind,
      { device, kind, perMinute },
      `${who}: more than ${perMinute} ${WORDS[kind]} a minute; the rest is not stored and not receipted`,
    );
    return false;
  }

  #senderOf(device: string): Sender {
    const known = this.#senders.get(device);
    if (known !== undefined) {
      // A full memory forgets the device that was silent longest: the order matters only then.
      if (this.#senders.size >= MAX_SENDERS / 2) {
        this.#senders.delete(device);
        this.#senders.set(device, known);
      }
      return known;
    }
    if (this.#senders.size >= MAX_SENDERS) {
      for (const oldest of this.#senders.keys()) {
        this.#senders.delete(oldest);
        break;
      }
    }
    const sender: Sender = { buckets: new Map(), epochs: new Set(), rooms: new Set() };
    this.#senders.set(device, sender);
    return sender;
  }
}

const WORDS: Readonly<Record<LimitedKind, string>> = {
  epoch: 'new epochs',
  gap: 'gap records',
  rejected: 'messages or items that cannot be stored as readings',
  room: 'new room names',
  status: 'statuses',
};

/** Mosquitto's own count of messages that it took from a publisher and did not deliver to a subscriber, since it started. */
export const DROPS_TOPIC = '$SYS/broker/publish/messages/dropped';

/** What the broker says it threw away. It acknowledges what it drops, so only the broker can know. */
export class BrokerDrops {
  readonly #faults: FaultLog;
  #count: number | null = null;

  constructor(clock: Clock, log: Log) {
    this.#faults = createFaultLog(log, clock);
  }

  /** Null where the broker does not say. */
  count(): number | null {
    return this.#count;
  }

  heard(payload: string): void {
    const count = Number(payload);
    if (!/^\d{1,15}$/.test(payload)) return;
    const before = this.#count;
    this.#count = count;
    if (before === null || count <= before) return;
    this.#faults.failed(
      'BROKER_DROPS',
      { dropped: count },
      `the broker has dropped ${count - before} messages for clients that were slow or away; older agents lose readings by that. Set max_queued_messages 100000 in its configuration`,
    );
  }
}
