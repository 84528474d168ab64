import { TokenBucket } from '../../common/token-bucket.ts';
import { type Command, decodeCommand } from '../../contract/command.ts';
import { WireError } from '../../contract/json.ts';
import { decodeReceipt } from '../../contract/receipt.ts';
import { normaliseRanges } from '../../contract/seq-ranges.ts';
import { parseSensorTopic, parseServerTopic } from '../../contract/topics.ts';
import type { Desk } from './desk.ts';
import { homeAssistantStatusTopic } from './discovery.ts';

/** A measurement warms the sensor; nobody needs more of them on demand. */
const COMMANDS_PER_SECOND = 1;
const COMMAND_BURST = 5;

export interface IncomingParts {
  readonly desk: Desk;
  readonly onServersChanged: () => void;
  readonly onCommand: (command: Command) => void;
  /** Home Assistant has started. */
  readonly onHomeAssistant: () => void;
  /** A message that was not believed, for the log at debug level. */
  readonly onIgnored: (topic: string, why: string) => void;
}

/** Reads what the broker brings. Nothing that arrives is trusted, and nothing of it can throw. */
export class Incoming {
  readonly #parts: IncomingParts;
  readonly #commands: TokenBucket;
  #ignored = 0;

  constructor(parts: IncomingParts) {
    this.#parts = parts;
    this.#commands = new TokenBucket(parts.desk.parts.clock, COMMAND_BURST);
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
    const instance = parseServerTopic(topic);
    if (instance !== undefined) {
      if (!retained) this.#parts.desk.serverSpoke();
      this.#announcement(instance, payload);
      return;
    }
    const { homeassistant } = this.#parts.desk.parts;
    if (topic === homeAssistantStatusTopic(homeassistant.current.discoveryPrefix)) {
      if (payload === 'online' && !retained) this.#parts.onHomeAssistant();
      return;
    }
    const sensor = parseSensorTopic(topic);
    if (sensor?.leaf === 'receipt') this.#receipt(topic, sensor.deviceUid, payload);
    else if (sensor?.leaf === 'command') this.#command(topic, payload, retained);
  }

  #announcement(instance: string, payload: string): void {
    const { delivery } = this.#parts.desk;
    const before = delivery.givers().join();
    delivery.announced(instance, payload);
    if (delivery.givers().join() !== before) this.#parts.onServersChanged();
    this.#parts.desk.deliveryChanged();
  }

  #receipt(topic: string, deviceUid: string, payload: string): void {
    const { desk } = this.#parts;
    const { epoch, stored } = decodeReceipt(payload);
    const journal = desk.parts.journals
      .journals()
      .find((candidate) => candidate.epoch === epoch && candidate.deviceUid === deviceUid);
    // Not a fault: a repeated receipt for a journal that has been emptied since.
    if (journal === undefined) return;
    const { lastSeq } = journal.stats();
    if (stored.some(([, to]) => to > lastSeq)) {
      this.#ignore(topic, `a receipt for numbers above ${lastSeq}, which were never given`);
      return;
    }
    const ranges = normaliseRanges(stored);
    journal.release(ranges);
    desk.received(epoch, ranges);
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
