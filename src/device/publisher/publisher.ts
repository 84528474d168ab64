import { LoopHeartbeat } from '../../platform/systemd.ts';
import type { Placed, ReadingEntry } from '../journal/journal.ts';
import { type AssembledPublisher, assemblePublisher, type PublisherParts } from './assemble-publisher.ts';
import { type Fault, Faults } from './faults.ts';
import type { DeliveryMode, KnownServer, Presence } from './known-servers.ts';
import { followForgetting } from './servers.ts';
import { StoredState } from './state-file.ts';

export interface PublisherState {
  readonly connected: boolean;
  /** Of the connection that is open. */
  readonly protocolVersion?: 4 | 5;
  readonly delivery: DeliveryMode;
  /** Entries that the broker has acknowledged since the start. */
  readonly taken: number;
  /** Whether a server that gives receipts is online; where none is, readings stay in the journal in receipt mode. */
  readonly serverOnline: boolean;
  /** The newest of what is wrong at the moment, for people. */
  readonly lastError?: string;
  /** Received messages that were not believed, or commands that came too fast. */
  readonly ignoredMessages: number;
  /** All that is wrong at the moment, oldest first. */
  readonly problems: readonly Fault[];
  /** Whether the broker has said that no program is subscribed to our readings. */
  readonly nobodySubscribed: boolean;
  /** Whether nothing leaves the journal yet, since a server may be about to announce itself. */
  readonly waitingForServer: boolean;
  /** Steps that this broker answers by hanging up. */
  readonly leftOut: readonly string[];
  /** Entries that do not get through while others do. */
  readonly setAside: number;
  readonly servers: readonly (KnownServer & { readonly presence: Presence })[];
}

export interface Publisher {
  /** Publishes until the signal is aborted; then ends normally within a few seconds. Rejects only with a bug. */
  run(signal: AbortSignal): Promise<void>;
  /** Takes a reading that has just been appended. Does not wait, keeps at most a few in memory. */
  live(placed: Placed<ReadingEntry>): void;
  /** Pending times were settled, or journals came or went: there may be more to send. */
  wake(): void;
  /** Something that `status` tells has changed. */
  statusChanged(): void;
  state(): PublisherState;
}

/** Everything between the journal and the broker. One caller of `run`, once. */
export function createPublisher(parts: PublisherParts): Publisher {
  return new JournalPublisher(parts);
}

class JournalPublisher implements Publisher {
  readonly #parts: PublisherParts;
  readonly #faults: Faults;
  readonly #heartbeat: LoopHeartbeat;
  readonly #onChange: (word: 'news' | 'routine') => void;
  #assembled: AssembledPublisher | undefined;
  /** A reading that came before the state file was read. */
  #early: Placed<ReadingEntry> | undefined;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#onChange = parts.onChange;
    this.#faults = new Faults(parts.log, parts.clock, () => this.#changed());
    this.#heartbeat = new LoopHeartbeat(parts.clock, parts.progress, parts.maxIdleMs);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#heartbeat.accompany(this.#run(signal));
  }

  live(placed: Placed<ReadingEntry>): void {
    if (this.#assembled === undefined) {
      this.#early = placed;
      return;
    }
    // Else the PUBACK wakes the backlog sender: the journal may hold gap records besides.
    if (!this.#assembled.live.offer(placed)) this.#assembled.backlogSignal.notify();
  }

  wake(): void {
    this.#assembled?.backlogSignal.rescan();
    this.#assembled?.subscriptions.changed();
  }

  statusChanged(): void {
    this.#assembled?.retained.statusChanged();
  }

  state(): PublisherState {
    const { mqtt } = this.#parts;
    const session = this.#assembled?.connection.session();
    const lastError = this.#faults.last();
    return {
      connected: session !== undefined,
      ...(session !== undefined && { protocolVersion: session.protocolVersion }),
      delivery: this.#assembled?.tracker.mode() ?? (mqtt.current.delivery === 'broker' ? 'broker' : 'receipt'),
      taken: this.#assembled?.tracker.taken() ?? 0,
      serverOnline: this.#assembled?.servers.giverOnline() ?? false,
      ...(lastError !== undefined && { lastError }),
      ignoredMessages: this.#assembled?.incoming.ignored() ?? 0,
      problems: this.#faults.all(),
      nobodySubscribed: this.#assembled?.subscribers.areNone() ?? false,
      waitingForServer: this.#assembled?.tracker.mode() === 'broker' && this.#assembled.subscribers.isWaiting(),
      leftOut: this.#assembled?.steps.leftOut().map(({ name }) => name) ?? [],
      setAside: this.#assembled?.limits.setAside() ?? 0,
      servers: this.#servers(),
    };
  }

  #servers(): PublisherState['servers'] {
    const servers = this.#assembled?.servers;
    if (servers === undefined) return [];
    return servers.servers().map((server) => ({ ...server, presence: servers.presenceOf(server.name) }));
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { statePath, clock } = this.#parts;
    const state = await StoredState.open(statePath, this.#faults, this.#heartbeat, clock);
    const assembled = assemblePublisher({
      ...this.#parts,
      faults: this.#faults,
      heartbeat: this.#heartbeat,
      state,
      onStateChange: () => this.#changed(),
    });
    this.#assembled = assembled;
    if (this.#early !== undefined) assembled.live.offer(this.#early);
    const forget = async (names: readonly string[]): Promise<void> => {
      await this.#forget(assembled, state, names);
    };
    await Promise.all([assembled.connection.run(signal), followForgetting({ statePath, clock, forget }, signal)]);
    // What no caller waited for, such as which servers there are.
    await state.update(assembled.tracker.toRemember());
  }

  /** A person has asked for it. */
  async #forget({ servers, tracker }: AssembledPublisher, state: StoredState, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const known = servers.forget(name);
      const what = known
        ? `forgot the server ${name}, as asked`
        : `asked to forget the server ${name}, which is not known`;
      this.#parts.log.info({ server: name }, what);
    }
    await state.update({ servers: servers.servers() });
    tracker.deliveryChanged();
    this.#changed();
  }

  #changed(): void {
    this.statusChanged();
    this.#onChange('news');
  }
}
