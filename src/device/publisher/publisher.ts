import type { Command } from '../../contract/command.ts';
import type { DeviceStatus } from '../../contract/status.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import { LoopHeartbeat, type Progress } from '../../platform/systemd.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config.ts';
import type { JournalSet, Placed, ReadingEntry } from '../journal/journal.ts';
import type { OpenLink } from '../mqtt/session.ts';
import { BacklogSender } from './backlog-sender.ts';
import { ConnectionLoop } from './connection-loop.ts';
import type { DeliveryMode, KnownServer, Presence } from './delivery.ts';
import { Desk } from './desk.ts';
import { type Fault, Faults } from './faults.ts';
import { Incoming, Subscriptions } from './incoming.ts';
import { LiveSender } from './live-sender.ts';
import { createSessionSteps, type SessionSteps } from './optional-steps.ts';
import { RetainedPublisher } from './retained.ts';
import { followForgetting } from './servers.ts';
import { type PublisherMemory, StoredState } from './state-file.ts';

export interface PublisherParts {
  readonly journals: Pick<JournalSet, 'journals' | 'stats' | 'recall'>;
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

/** What `run` puts together, once it knows what was remembered. */
interface Works {
  readonly desk: Desk;
  readonly live: LiveSender;
  readonly retained: RetainedPublisher;
  readonly subscriptions: Subscriptions;
  readonly steps: SessionSteps;
  readonly incoming: Incoming;
  readonly connection: ConnectionLoop;
}

class JournalPublisher implements Publisher {
  readonly #parts: PublisherParts;
  readonly #faults: Faults;
  readonly #heartbeat: LoopHeartbeat;
  readonly #onChange: (word: 'news' | 'routine') => void;
  #works: Works | undefined;
  /** A reading that came before the memory was read. */
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
    if (this.#works === undefined) {
      this.#early = placed;
      return;
    }
    this.#works.live.offer(placed);
    // The journal may hold more than this one: gap records, or readings that found no room in the live lane.
    this.#works.desk.backlogWakeUp.notify();
  }

  wake(): void {
    this.#works?.desk.rescan();
    this.#works?.subscriptions.changed();
  }

  statusChanged(): void {
    this.#works?.retained.statusChanged();
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
      problems: this.#faults.all(),
      nobodySubscribed: this.#works?.desk.subscribers.areNone() ?? false,
      waitingForServer: this.#works?.desk.mode() === 'broker' && this.#works.desk.subscribers.isWaiting(),
      leftOut: this.#works?.steps.leftOut().map(({ name }) => name) ?? [],
      setAside: this.#works?.desk.aside.count(this.#parts.clock.monotonicMs()) ?? 0,
      servers: this.#servers(),
    };
  }

  #servers(): PublisherState['servers'] {
    const delivery = this.#works?.desk.delivery;
    if (delivery === undefined) return [];
    return delivery.servers().map((server) => ({ ...server, presence: delivery.presenceOf(server.name) }));
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { memoryPath, clock } = this.#parts;
    const memory = await StoredState.open(memoryPath, this.#faults, this.#heartbeat, clock);
    const works = this.#assemble(memory);
    this.#works = works;
    if (this.#early !== undefined) works.live.offer(this.#early);
    const forget = async (names: readonly string[]): Promise<void> => {
      await this.#forget(works.desk, memory, names);
    };
    await Promise.all([works.connection.run(signal), followForgetting({ memoryPath, clock, forget }, signal)]);
    // What no caller waited for, such as which servers there are.
    await memory.update(works.desk.toRemember());
  }

  /** A person has asked for it. */
  async #forget(desk: Desk, memory: StoredState, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const known = desk.delivery.forget(name);
      const what = known
        ? `forgot the server ${name}, as asked`
        : `asked to forget the server ${name}, which is not known`;
      this.#parts.log.info({ server: name }, what);
    }
    await memory.update({ servers: desk.delivery.servers() });
    desk.deliveryChanged();
    this.#changed();
  }

  #changed(): void {
    this.statusChanged();
    this.#onChange('news');
  }

  #assemble(memory: StoredState): Works {
    const { random, log, version, status, onCommand } = this.#parts;
    const changed = (): void => this.#changed();
    const own = {
      faults: this.#faults,
      heartbeat: this.#heartbeat,
      onDeliveryChange: changed,
      onTaken: this.#onChange,
    };
    const remember = (changes: Partial<PublisherMemory>): void => memory.note(changes);
    const desk = new Desk({ ...this.#parts, ...own, remember }, memory.current);
    const steps = createSessionSteps(this.#parts.clock, this.#faults);
    const live = new LiveSender(desk, steps, () => (status().interval_s ?? 0) * 1000);
    const backlog = new BacklogSender(desk, live, random);
    const retained = new RetainedPublisher({ desk, memory, steps, random, version, status });
    const subscriptions = new Subscriptions(desk, steps);
    const incoming = new Incoming({
      desk,
      onCommand,
      onHomeAssistant: () => retained.announceAgain(),
      onIgnored: (topic, why) => log.debug({ topic }, `ignored a message: ${why}`),
    });
    const lanes = { desk, live, backlog, retained, subscriptions, steps };
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
