import type { Clock, Random } from '../../common/clock.ts';
import type { Live } from '../../common/live.ts';
import type { Log } from '../../common/log.ts';
import type { Progress } from '../../common/progress.ts';
import { Pulse } from '../../common/pulse.ts';
import type { Command } from '../../contract/command.ts';
import type { DeviceStatus } from '../../contract/status.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config/device-config.ts';
import type { JournalSet, Placed, ReadingEntry } from '../journal/journal.ts';
import type { OpenLink } from '../mqtt/link-session.ts';
import { Announcer } from './announcer.ts';
import { BacklogLane } from './backlog-lane.ts';
import { ConnectionLoop } from './connection-loop.ts';
import type { DeliveryMode } from './delivery.ts';
import { Desk } from './desk.ts';
import { Faults } from './faults.ts';
import { Incoming } from './incoming.ts';
import { LiveLane } from './live-lane.ts';
import { Memory } from './memory.ts';
import { Subscriptions } from './subscriptions.ts';

export interface PublisherParts {
  readonly journals: Pick<JournalSet, 'journals' | 'stats'>;
  readonly openLink: OpenLink;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly progress: Progress;
  /** Longest time without a beat, ms; Infinity without a watchdog. */
  readonly maxIdleMs: number;
  /** File that remembers servers that give receipts, and what we left retained at the broker. */
  readonly memoryPath: string;
  /** For CREDENTIALS_DIRECTORY. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asked for whenever a status is to be published; also for `interval_s`. */
  readonly status: () => DeviceStatus;
  /** Somebody asks for something; bounded in rate. Must not wait. */
  readonly onCommand: (command: Command) => void;
  /** What `state()` tells has changed: `routine` when only `taken` has grown. Must not throw. */
  readonly onChange: (word: 'news' | 'routine') => void;
  readonly version: string;
}

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
}

export interface Publisher {
  /** Publishes until the signal is aborted; then ends in good order within a few seconds. Rejects only with a bug. */
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

/** What `run` puts together, once it knows what was remembered. */
interface Works {
  readonly desk: Desk;
  readonly live: LiveLane;
  readonly announcer: Announcer;
  readonly subscriptions: Subscriptions;
  readonly incoming: Incoming;
  readonly connection: ConnectionLoop;
}

class JournalPublisher implements Publisher {
  readonly #parts: PublisherParts;
  readonly #faults: Faults;
  readonly #pulse: Pulse;
  readonly #onChange: (word: 'news' | 'routine') => void;
  #works: Works | undefined;
  /** A reading that came before the memory was read. */
  #early: Placed<ReadingEntry> | undefined;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#onChange = parts.onChange;
    this.#faults = new Faults(parts.log, parts.clock, () => this.#changed());
    this.#pulse = new Pulse(parts.clock, parts.progress, parts.maxIdleMs);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#pulse.accompany(this.#run(signal));
  }

  live(placed: Placed<ReadingEntry>): void {
    if (this.#works === undefined) {
      this.#early = placed;
      return;
    }
    this.#works.live.offer(placed);
    // The journal may hold more than this one: gap records, or readings that found no room in the live lane.
    this.#works.desk.backlogBell.ring();
  }

  wake(): void {
    this.#works?.desk.rescan();
    this.#works?.subscriptions.changed();
  }

  statusChanged(): void {
    this.#works?.announcer.statusChanged();
  }

  state(): PublisherState {
    const { mqtt } = this.#parts;
    const session = this.#works?.connection.session();
    const lastError = this.#faults.last();
    return {
      connected: session !== undefined,
      ...(session !== undefined && { protocolVersion: session.protocolVersion }),
      delivery: this.#works?.desk.mode() ?? (mqtt.current.delivery === 'broker' ? 'broker' : 'receipt'),
      taken: this.#works?.desk.taken() ?? 0,
      serverOnline: this.#works?.desk.delivery.giverOnline() ?? false,
      ...(lastError !== undefined && { lastError }),
      ignoredMessages: this.#works?.incoming.ignored() ?? 0,
    };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const memory = await Memory.open(this.#parts.memoryPath, this.#faults, this.#pulse);
    const works = this.#assemble(memory);
    this.#works = works;
    if (this.#early !== undefined) works.live.offer(this.#early);
    await works.connection.run(signal);
    // What nobody waited for, such as which servers there are.
    await memory.settled();
  }

  #changed(): void {
    this.statusChanged();
    this.#onChange('news');
  }

  #assemble(memory: Memory): Works {
    const { random, log, version, status, onCommand } = this.#parts;
    const changed = (): void => this.#changed();
    const own = { faults: this.#faults, pulse: this.#pulse, onDeliveryChange: changed, onTaken: this.#onChange };
    const shared = { ...this.#parts, ...own };
    const desk = new Desk(shared, memory.current.servers);
    const live = new LiveLane(desk, () => (status().interval_s ?? 0) * 1000);
    const backlog = new BacklogLane(desk, live, random);
    const announcer = new Announcer({ desk, memory, random, version, status });
    const subscriptions = new Subscriptions(desk);
    const incoming = new Incoming({
      desk,
      // Not awaited: it never rejects, and what counts is in memory already.
      onServersChanged: () => void memory.update({ servers: desk.delivery.givers() }),
      onCommand,
      onHomeAssistant: () => announcer.announceAgain(),
      onIgnored: (topic, why) => log.debug({ topic }, `ignored a message: ${why}`),
    });
    const lanes = { desk, live, backlog, announcer, subscriptions };
    const { openLink, env } = this.#parts;
    const connection = new ConnectionLoop({
      ...lanes,
      openLink,
      incoming,
      random,
      log,
      env,
      onStateChange: changed,
    });
    return { ...lanes, incoming, connection };
  }
}
