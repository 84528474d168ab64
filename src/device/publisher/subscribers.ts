import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import type { MqttSection } from '../config.ts';
import type { Faults } from './faults.ts';
import type { DeliveryMode } from './known-servers.ts';
import type { StoredState } from './state-file.ts';

/**
 * A new installation may meet the broker before its server does. MQTT 5 says whether somebody is subscribed; with 3.1.1 nothing
 * leaves the journal for this long after the first connection, unless a server has announced itself by then.
 */
const WAIT_FOR_SERVER_MS = 600_000;
/** While no program is subscribed, one entry of the backlog asks again, beside each live reading. */
const ASK_AGAIN = { minMs: 300_000, maxMs: 3_600_000 };

export interface SubscribersParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
  readonly mqtt: Live<MqttSection>;
  readonly faults: Faults;
  readonly state: Pick<StoredState, 'current' | 'note'>;
  /** Who is there to take readings has changed. */
  readonly onDeliveryChange: () => void;
}

/** Who is at the other end of the broker, as far as PUBACK and time can tell. */
export class Subscribers {
  readonly #parts: SubscribersParts;
  /** Topics on which no program is subscribed, with the monotonic ms from which on one more message may ask. */
  readonly #withoutSubscriber = new Map<string, { askMs: number; pauseMs: number }>();
  #hasWaited: boolean;
  #protocolVersion: 4 | 5 | undefined;
  #firstConnectedMs: number | undefined;
  #told = false;

  constructor(parts: SubscribersParts) {
    this.#parts = parts;
    this.#hasWaited = parts.state.current.waitedForServer;
  }

  /** A new session: it may be another broker, or others may be there. */
  begin(protocolVersion: 4 | 5): void {
    this.#protocolVersion = protocolVersion;
    this.#firstConnectedMs ??= this.#parts.clock.monotonicMs();
    this.#withoutSubscriber.clear();
    this.#parts.faults.works('subscribers');
  }

  /** The broker has acknowledged a message. @returns whether somebody is there who was not: what was kept is to be sent again */
  answered(leaf: string, byNobody: boolean, mode: DeliveryMode): boolean {
    const nobody = this.#withoutSubscriber.get(leaf);
    if (!byNobody) {
      if (nobody === undefined) return false;
      this.#withoutSubscriber.delete(leaf);
      this.#somebody(leaf);
      return true;
    }
    const nowMs = this.#parts.clock.monotonicMs();
    const pauseMs = nobody === undefined ? ASK_AGAIN.minMs : nowMs < nobody.askMs ? nobody.pauseMs : nobody.pauseMs * 2;
    this.#withoutSubscriber.set(leaf, {
      askMs: nowMs + Math.min(pauseMs, ASK_AGAIN.maxMs),
      pauseMs: Math.min(pauseMs, ASK_AGAIN.maxMs),
    });
    if (nobody === undefined) this.#tellNobody(leaf, mode);
    return false;
  }

  /** Whether the broker has said that no program is subscribed to our readings. */
  areNone(): boolean {
    return this.#withoutSubscriber.has('reading');
  }

  /** Ms until an entry of the backlog may be sent on that topic; 0 where somebody is there, or may be. */
  askInMs(leaf: string): number {
    if (this.#parts.mqtt.current.noSubscriber === 'release') return 0;
    const askMs = this.#withoutSubscriber.get(leaf)?.askMs;
    return askMs === undefined ? 0 : Math.max(0, askMs - this.#parts.clock.monotonicMs());
  }

  /** Whether nothing may leave the journal yet, since a server may be about to announce itself. */
  isWaiting(): boolean {
    return !this.#hasWaited && this.#protocolVersion === 4 && this.#parts.mqtt.current.delivery === 'auto';
  }

  hasWaited(): boolean {
    return this.#hasWaited;
  }

  /** Whether the wait has just ended: from now on PUBACK is enough where there is no server. */
  waitIsOver(nowMs: number): boolean {
    if (this.#hasWaited || this.#firstConnectedMs === undefined || this.#leftMs(nowMs) > 0) return false;
    const wasWaiting = this.isWaiting();
    this.#hasWaited = true;
    this.#parts.state.note({ waitedForServer: true });
    if (!wasWaiting) return false;
    const minutes = WAIT_FOR_SERVER_MS / 60_000;
    this.#parts.log.info(
      {},
      `no server has announced itself within ${minutes} minutes: readings count as delivered when the broker has them`,
    );
    this.#parts.onDeliveryChange();
    return true;
  }

  /** Ms until the wait is over; Infinity while nothing waits. */
  waitLeftMs(nowMs: number): number {
    return this.isWaiting() && this.#firstConnectedMs !== undefined
      ? Math.max(1, this.#leftMs(nowMs))
      : Number.POSITIVE_INFINITY;
  }

  #leftMs(nowMs: number): number {
    return (this.#firstConnectedMs ?? 0) + WAIT_FOR_SERVER_MS - nowMs;
  }

  #somebody(leaf: string): void {
    if (leaf !== 'reading' && leaf !== 'backlog') return;
    if (this.#told) this.#parts.log.info({ topic: leaf }, 'somebody is subscribed to our readings again');
    this.#told = false;
    this.#parts.state.note({ nobodySubscribed: false });
    this.#parts.faults.works('subscribers');
    this.#parts.onDeliveryChange();
  }

  /** Beside Home Assistant, which reads `latest`, this is how it should be; where a server says that it is there, it is not. */
  #tellNobody(leaf: string, mode: DeliveryMode): void {
    if (mode === 'receipt') {
      const what = `the broker says that no program is subscribed to the topic ${leaf} of this device, although the device waits for receipts`;
      this.#parts.faults.failed('subscribers', 'NO_SUBSCRIBER', `${what}; the readings are kept`);
      return;
    }
    if (leaf !== 'reading') return;
    this.#told = true;
    this.#parts.state.note({ nobodySubscribed: true });
    const then =
      this.#parts.mqtt.current.noSubscriber === 'keep'
        ? 'they stay in the journal, up to its limit, until somebody is'
        : 'they leave the journal all the same (no_subscriber = release)';
    this.#parts.log.info({}, `the broker says that no program is subscribed to our readings: ${then}`);
    this.#parts.onDeliveryChange();
  }
}
