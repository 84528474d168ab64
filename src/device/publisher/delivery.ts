import { type Announcement, decodeAnnouncement } from '../../contract/announcement.ts';
import type { MqttSection } from '../config/device-config.ts';

/** `receipt`: an entry leaves the journal when a server says it is stored. `broker`: when the broker has taken it. */
export type DeliveryMode = 'receipt' | 'broker';

/**
 * Which promise holds. A server that gives receipts is remembered from its first announcement until it clears it, whether it is
 * online or not and whether the broker still knows of it or not: a broker's PUBACK is not storage.
 */
export class Delivery {
  readonly #givers: Set<string>;
  /** What is retained under `techtemp/server/` as far as this connection has told us. */
  readonly #present = new Map<string, Announcement>();

  constructor(givers: Iterable<string>) {
    this.#givers = new Set(givers);
  }

  mode(setting: MqttSection['delivery']): DeliveryMode {
    if (setting !== 'auto') return setting;
    return this.#givers.size > 0 ? 'receipt' : 'broker';
  }

  /** A new connection: who is there has to be said anew. */
  forgetPresence(): void {
    this.#present.clear();
  }

  /** An announcement, or its removal (empty). @throws WireError and changes nothing */
  announced(instance: string, payload: string): void {
    if (payload === '') {
      this.#present.delete(instance);
      this.#givers.delete(instance);
      return;
    }
    const announcement = decodeAnnouncement(payload);
    this.#present.set(instance, announcement);
    if (announcement.accepts.includes('receipt')) this.#givers.add(instance);
    // A server that is online and gives none any more will not give any for what we hold; one that is offline may just be brief.
    else if (announcement.state === 'online') this.#givers.delete(instance);
    // The placeholder for an unreadable memory has done its work once the truth is known.
    if (this.#givers.has(instance)) this.#givers.delete(SOME_SERVER);
  }

  /** Whether somebody is there who would give a receipt. */
  giverOnline(): boolean {
    return this.#onlineGivers().length > 0;
  }

  /** Whether one of those takes arrays on `backlog`. */
  takesBatches(): boolean {
    return this.#onlineGivers().some(({ accepts }) => accepts.includes('batch'));
  }

  /** Names of the servers to remember. */
  givers(): readonly string[] {
    return [...this.#givers].sort();
  }

  #onlineGivers(): readonly Announcement[] {
    return [...this.#present.values()].filter(
      ({ state, accepts }) => state === 'online' && accepts.includes('receipt'),
    );
  }
}

/** Stands for "there may have been a server": what cannot be known is not risked. No instance can have this name. */
export const SOME_SERVER = '?';
