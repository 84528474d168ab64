import { type Announcement, decodeAnnouncement, type ServerAbility } from '../../contract/messages.ts';
import type { MqttSection } from '../config.ts';

/** `receipt`: an entry leaves the journal when a server says it is stored. `broker`: when the broker has taken it. */
export type DeliveryMode = 'receipt' | 'broker';

/** A server that gives receipts, as it is remembered across restarts. */
export interface KnownServer {
  readonly name: string;
  readonly accepts: readonly ServerAbility[];
  /** When it was last heard of as online, epoch ms by this machine's clock; 0 where that is not known. */
  readonly seenMs: number;
  /** The identity of its record, where it told one. */
  readonly record?: string;
  /** Whether receipts came while it was online. */
  readonly gaveReceipts: boolean;
}

/** What an announcement came to. */
export interface Heard {
  /** What is remembered of servers has changed. */
  readonly changed: boolean;
  /** A server that gave receipts tells of another record than the one that gave them. */
  readonly otherRecord?: { readonly name: string; readonly before: string; readonly now: string };
}

export type Presence = 'online' | 'offline' | 'unheard';

interface Entry {
  server: KnownServer;
  presence: Presence;
}

/** A house has one, perhaps two to try things out. Strangers can make up as many as they like. */
export const MOST_SERVERS = 16;
/** How exactly it is remembered when a server was last online: a write to the SD card an hour at most. */
const SEEN_STEP_MS = 3_600_000;

/**
 * Which promise holds. A server that gives receipts is remembered from the first time that it is heard of as online until it clears
 * its announcement or a person says to forget it, whether it is online or not and whether the broker still knows of it or not: a
 * broker's PUBACK is not storage. What was never online changes nothing. Each announcement costs the same, whatever came before.
 */
export class KnownServers {
  readonly #known = new Map<string, Entry>();
  /** Those of them that are online. */
  #online: readonly Entry[] = [];
  /** A receipt came that no announced server can have given: brokers without retained messages hide the announcement. */
  #provedByReceipt = false;

  constructor(servers: Iterable<KnownServer>) {
    for (const server of servers) {
      if (this.#known.size < MOST_SERVERS) this.#known.set(server.name, { server, presence: 'unheard' });
    }
  }

  mode(setting: MqttSection['delivery']): DeliveryMode {
    if (setting !== 'auto') return setting;
    return this.#known.size > 0 ? 'receipt' : 'broker';
  }

  /** A new connection: who is there has to be said again. */
  forgetPresence(): void {
    this.#provedByReceipt = false;
    for (const entry of this.#known.values()) entry.presence = 'unheard';
    this.#online = [];
  }

  /** An announcement, or its removal (empty). @throws WireError and changes nothing */
  announced(instance: string, payload: string, nowMs: number): Heard {
    const heard = this.#hear(instance, payload, nowMs);
    this.#online = [...this.#known.values()].filter(({ presence }) => presence === 'online');
    return heard;
  }

  #hear(instance: string, payload: string, nowMs: number): Heard {
    if (payload === '') return { changed: this.#known.delete(instance) };
    const announcement = decodeAnnouncement(payload);
    const known = this.#known.get(instance);
    if (announcement.state === 'offline') {
      if (known === undefined) return { changed: false };
      this.#provedByReceipt = false;
      // Offline is the word of its will, so it was online until now; unless the broker kept that word for us.
      if (known.presence === 'online') this.#seen(known, nowMs);
      known.presence = 'offline';
      return { changed: false };
    }
    // A server that is online and gives none any more will not give any for what we hold.
    if (!announcement.accepts.includes('receipt')) return { changed: this.#known.delete(instance) };
    // The placeholder has done its work once the truth is known.
    const hadPlaceholder = this.#known.delete(SOME_SERVER);
    const heard =
      known === undefined ? this.#meet(instance, announcement, nowMs) : this.#meetAgain(known, announcement, nowMs);
    return { ...heard, changed: heard.changed || hadPlaceholder };
  }

  /** A receipt was believed: the server that gave it is there. @returns whether what is remembered has changed */
  receiptCame(nowMs: number): boolean {
    if (this.#online.length === 0) {
      this.#provedByReceipt = true;
      if (this.#known.size > 0) return false;
      const server = { name: SOME_SERVER, accepts: ['receipt'], seenMs: nowMs, gaveReceipts: true } as const;
      this.#known.set(SOME_SERVER, { server, presence: 'unheard' });
      return true;
    }
    let changed = false;
    for (const entry of this.#online) {
      if (entry.server.gaveReceipts) continue;
      entry.server = { ...entry.server, gaveReceipts: true };
      changed = true;
    }
    return changed;
  }

  /** From now on this is the record of that server: what had to be done about it is done. */
  acceptRecord(name: string, record: string): void {
    const entry = this.#known.get(name);
    if (entry !== undefined) entry.server = { ...entry.server, record };
  }

  /** As a person asks for it. @returns whether it was known */
  forget(name: string): boolean {
    this.#online = this.#online.filter(({ server }) => server.name !== name);
    return this.#known.delete(name);
  }

  /** Whether somebody is there who would give a receipt. */
  giverOnline(): boolean {
    return this.#provedByReceipt || this.#online.length > 0;
  }

  /** Whether one of those takes arrays on `backlog`. */
  takesBatches(): boolean {
    const isProvedOnly = this.#online.length === 0 && this.#provedByReceipt;
    const asked = isProvedOnly ? [...this.#known.values()] : this.#online;
    return asked.some(({ server }) => server.accepts.includes('batch'));
  }

  /** The servers to remember, by name. */
  servers(): readonly KnownServer[] {
    return [...this.#known.values()].map(({ server }) => server).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  presenceOf(name: string): Presence {
    return this.#known.get(name)?.presence ?? 'unheard';
  }

  #meet(name: string, { accepts, record }: Announcement, nowMs: number): Heard {
    if (this.#known.size >= MOST_SERVERS && !this.#makeRoom()) return { changed: false };
    const server = { name, accepts, seenMs: nowMs, gaveReceipts: false, ...(record !== undefined && { record }) };
    this.#known.set(name, { server, presence: 'online' });
    return { changed: true };
  }

  #meetAgain(entry: Entry, { accepts, record }: Announcement, nowMs: number): Heard {
    const { server: before } = entry;
    entry.presence = 'online';
    const changed = this.#seen(entry, nowMs) || before.accepts.join() !== accepts.join();
    entry.server = { ...entry.server, accepts };
    if (record === undefined || record === before.record) return { changed };
    if (before.record !== undefined && before.gaveReceipts) {
      return { changed, otherRecord: { name: before.name, before: before.record, now: record } };
    }
    entry.server = { ...entry.server, record };
    return { changed: true };
  }

  #seen(entry: Entry, nowMs: number): boolean {
    if (Math.abs(nowMs - entry.server.seenMs) < SEEN_STEP_MS) return false;
    entry.server = { ...entry.server, seenMs: nowMs };
    return true;
  }

  /** Who is online stays. Of the others the one goes that never gave a receipt, or was online longest ago. */
  #makeRoom(): boolean {
    const away = [...this.#known.values()].filter(({ presence }) => presence !== 'online');
    away.sort(
      (a, b) => Number(a.server.gaveReceipts) - Number(b.server.gaveReceipts) || a.server.seenMs - b.server.seenMs,
    );
    const [first] = away;
    return first !== undefined && this.#known.delete(first.server.name);
  }
}

/** Stands for "there may have been a server": what cannot be known is not risked. No instance can have this name. */
export const SOME_SERVER = '?';
