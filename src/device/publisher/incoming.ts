import { WireError } from '../../contract/json.ts';
import { type Command, decodeCommand, decodeReceipt } from '../../contract/messages.ts';
import { normaliseRanges } from '../../contract/seq-ranges.ts';
import {
  parseSensorTopic,
  parseServerTopic,
  SERVER_TOPIC_FILTER,
  sensorTopic,
  serverTopic,
} from '../../contract/topics.ts';
import { isRefusal } from '../../mqtt/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { createFaultLog, type FaultLog } from '../../platform/fault-log.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import { TokenBucket } from '../../platform/pacing.ts';
import { WakeUp } from '../../platform/tasks.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config.ts';
import type { JournalSet } from '../journal/journal.ts';
import type { LinkSession } from '../mqtt/session.ts';
import type { DeliveryTracker } from './delivery-tracker.ts';
import { homeAssistantStatusTopic } from './discovery.ts';
import type { Faults, OptionalStep, SessionSteps } from './faults.ts';
import { type KnownServers, SOME_SERVER } from './known-servers.ts';
import type { ReceiptWait } from './receipt-wait.ts';
import type { ServerWatch } from './servers.ts';

/** A measurement warms the sensor; more of them on demand are not needed. */
const COMMANDS_PER_SECOND = 1;
const COMMAND_BURST = 5;
/** A server gives a receipt a message; more than this is a flood. What is not read now is receipted again when it is sent again. */
const RECEIPTS_PER_SECOND = 500;
const RECEIPT_BURST = 2_000;
/** A receipt names the numbers of a message or a few; of one that names more, the rest waits for the next. */
const MOST_RANGES = 2_000;
/** Home Assistant starts seldom; each time all is said again. */
const STARTS_PER_SECOND = 0.1;
const START_BURST = 3;
/** An announcement has some sixty bytes. */
const MOST_ANNOUNCEMENT_BYTES = 4_096;

export interface IncomingParts {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly log: Log;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly journals: Pick<JournalSet, 'journals'>;
  readonly servers: Pick<KnownServers, 'announced'>;
  readonly serverWatch: Pick<ServerWatch, 'heard'>;
  readonly receipts: Pick<ReceiptWait, 'serverSpoke'>;
  readonly tracker: Pick<DeliveryTracker, 'deliveryChanged' | 'received'>;
  readonly onCommand: (command: Command) => void;
  /** Home Assistant has started. */
  readonly onHomeAssistant: () => void;
  /** A message that was not believed, for the log at debug level. */
  readonly onIgnored: (topic: string, why: string) => void;
}

/** Reads what the broker brings. Nothing that arrives is trusted, and nothing that arrives can throw. */
export class Incoming {
  readonly #parts: IncomingParts;
  readonly #commands: TokenBucket;
  readonly #receipts: TokenBucket;
  readonly #starts: TokenBucket;
  readonly #disbelieved: FaultLog;
  #ignored = 0;

  constructor(parts: IncomingParts) {
    const { clock, log } = parts;
    this.#parts = parts;
    this.#commands = new TokenBucket(clock, COMMAND_BURST);
    this.#receipts = new TokenBucket(clock, RECEIPT_BURST);
    this.#starts = new TokenBucket(clock, START_BURST);
    this.#disbelieved = createFaultLog(log, clock);
  }

  /** Messages that were not believed, or came too fast. */
  ignored(): number {
    return this.#ignored;
  }

  readonly receive = (topic: string, payload: string, retained: boolean): void => {
    try {
      this.#dispatch(topic, payload, retained);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#ignore(topic, error.message);
    }
  };

  #dispatch(topic: string, payload: string, retained: boolean): void {
    const sensor = parseSensorTopic(topic);
    if (sensor?.leaf === 'receipt') {
      this.#receipt(topic, sensor.deviceUid, payload, retained);
      return;
    }
    if (sensor?.leaf === 'command') {
      this.#command(topic, payload, retained);
      return;
    }
    const instance = parseServerTopic(topic);
    if (instance !== undefined) {
      if (!retained) this.#parts.receipts.serverSpoke();
      this.#announcement(topic, instance, payload);
      return;
    }
    const { homeassistant } = this.#parts;
    if (topic === homeAssistantStatusTopic(homeassistant.current.discoveryPrefix)) {
      if (payload !== 'online' || retained) return;
      if (this.#starts.take(STARTS_PER_SECOND, START_BURST) > 0) this.#ignore(topic, 'Home Assistant starts too often');
      else this.#parts.onHomeAssistant();
    }
  }

  #announcement(topic: string, instance: string, payload: string): void {
    const { clock, servers, serverWatch, tracker } = this.#parts;
    if (payload.length > MOST_ANNOUNCEMENT_BYTES) {
      this.#ignore(topic, 'no announcement is so long');
      return;
    }
    serverWatch.heard(servers.announced(instance, payload, clock.nowMs()));
    tracker.deliveryChanged();
  }

  #receipt(topic: string, deviceUid: string, payload: string, retained: boolean): void {
    const { journals, tracker } = this.#parts;
    if (this.#receipts.take(RECEIPTS_PER_SECOND, RECEIPT_BURST) > 0) {
      this.#ignore(topic, 'receipts come too fast');
      return;
    }
    const { epoch, stored } = decodeReceipt(payload);
    const journal = journals
      .journals()
      .find((candidate) => candidate.epoch === epoch && candidate.deviceUid === deviceUid);
    // Not a fault: a repeated receipt for a journal that has been emptied since.
    if (journal === undefined) return;
    if (retained) {
      this.#disbelieve(
        topic,
        'RECEIPT_RETAINED',
        'a retained receipt: it is not known when it was given, and by which server',
      );
      return;
    }
    const neverSent = tracker.received(journal, normaliseRanges(stored.slice(0, MOST_RANGES)));
    if (neverSent === 0) return;
    const { lastSeq } = journal.stats;
    if (stored.some(([, to]) => to > lastSeq)) {
      this.#disbelieve(
        topic,
        'RECEIPT_FORGED',
        `a receipt for ${neverSent} numbers that were never sent, some above ${lastSeq}, which were never given`,
      );
    } else {
      // A true one, too, when the program has just been started again.
      const what = `a receipt for ${neverSent} numbers that were not sent since the start; they are sent before they are believed to be stored`;
      this.#disbelieve(topic, 'RECEIPT_NOT_SENT', what);
    }
  }

  /** Said in the log, seldom: a receipt that is not true may come from somebody who means no good. */
  #disbelieve(topic: string, code: string, what: string): void {
    this.#disbelieved.failed(code, { topic, code }, `not believed: ${what}`);
    this.#ignore(topic, what);
  }

  #command(topic: string, payload: string, retained: boolean): void {
    if (retained) {
      this.#ignore(topic, 'a retained command would be carried out at each connection');
      return;
    }
    const command = decodeCommand(payload);
    if (this.#commands.take(COMMANDS_PER_SECOND, COMMAND_BURST) > 0) this.#ignore(topic, 'commands come too fast');
    else this.#parts.onCommand(command);
  }

  #ignore(topic: string, why: string): void {
    this.#ignored += 1;
    this.#parts.onIgnored(topic, why);
  }
}

/** `instance` of a server where its config says nothing. */
const COMMON_INSTANCE = 'main';

/** In the order in which they are taken: what matters most first. */
type Wanted = ReadonlyMap<OptionalStep, readonly string[]>;

export interface SubscriptionsParts {
  readonly clock: Clock;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly journals: Pick<JournalSet, 'journals'>;
  readonly faults: Faults;
  readonly steps: SessionSteps;
  readonly servers: Pick<KnownServers, 'servers'>;
}

/**
 * Keeps the session subscribed to what the config and the journals want heard. One packet for each purpose: where a broker hangs up
 * on one, the others hold.
 */
export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #wakeUp = new WakeUp();
  readonly #held = new Set<string>();

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts;
  }

  /** A journal came or went, or the config changed. */
  changed(): void {
    this.#wakeUp.notify();
  }

  /** A new session holds none. */
  async begin(session: LinkSession): Promise<void> {
    this.#held.clear();
    await this.#reconcile(session);
  }

  async run(session: LinkSession, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#wakeUp.wait(this.#parts.clock, this.#parts.steps.nextDueMs(), signal);
      await this.#reconcile(session);
    }
  }

  /** What is refused is reported, and not tried again before the next session. */
  async #reconcile(session: LinkSession): Promise<void> {
    const wanted = this.#wanted();
    const all = new Set([...wanted.values()].flat());
    const unwanted = [...this.#held].filter((filter) => !all.has(filter));
    for (const filter of unwanted) this.#held.delete(filter);
    for (const [step, filters] of wanted) await this.#subscribe(session, step, filters);
    await session.unsubscribe(unwanted);
  }

  async #subscribe(session: LinkSession, step: OptionalStep, filters: readonly string[]): Promise<void> {
    const { faults, steps } = this.#parts;
    const missing = filters.filter((filter) => !this.#held.has(filter));
    if (missing.length === 0 || steps.isLeftOut(step)) return;
    for (const filter of missing) this.#held.add(filter);
    try {
      await steps.take(step, `we subscribe to ${missing.join(', ')}`, async () => session.subscribe(missing));
      faults.works(`subscription to ${step}`);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      faults.failedWith(`subscription to ${step}`, error);
    }
  }

  #wanted(): Wanted {
    const { device, mqtt, homeassistant, journals, servers } = this.#parts;
    const { homeId, deviceUid } = device.current;
    const wanted = new Map<OptionalStep, readonly string[]>();
    if (mqtt.current.delivery !== 'broker') {
      // Readings of an earlier uid are still sent, and receipted, under that uid.
      const uids = new Set([deviceUid, ...journals.journals().map((journal) => journal.deviceUid)]);
      wanted.set(
        'receipts',
        [...uids].map((uid) => sensorTopic(homeId, uid, 'receipt')),
      );
      // Some brokers (RabbitMQ) give retained messages to exact topics alone.
      const names = servers.servers().map(({ name }) => name);
      const exact = new Set([COMMON_INSTANCE, ...names.filter((name) => name !== SOME_SERVER)]);
      wanted.set('known servers', [...exact].map(serverTopic));
      wanted.set('servers', [SERVER_TOPIC_FILTER]);
    }
    if (mqtt.current.commands) wanted.set('commands', [sensorTopic(homeId, deviceUid, 'command')]);
    if (homeassistant.current.discovery) {
      wanted.set('Home Assistant', [homeAssistantStatusTopic(homeassistant.current.discoveryPrefix)]);
    }
    return wanted;
  }
}
