import { encodeReading } from '../../contract/reading.ts';
import { sensorTopic } from '../../contract/topics.ts';
import { isRefusal } from '../../mqtt/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import { WakeUp } from '../../platform/tasks.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config.ts';
import type { Placed, ReadingEntry } from '../journal/journal.ts';
import type { Taken } from '../mqtt/session.ts';
import type { DeliveryLimits } from './delivery-limits.ts';
import type { DeliveryTracker } from './delivery-tracker.ts';
import { entryMessage, wireItem } from './entry-message.ts';
import type { Faults, SessionSteps } from './faults.ts';
import type { InFlight } from './in-flight.ts';
import type { BacklogSignal, Sender, SendSlot, TaskGroup } from './sender.ts';

/** More than these few wait in the journal, where the backlog lane finds them. */
const MOST_WAITING = 4;
/** What is older is history: it goes with the backlog, and never to `latest`. */
const FRESH_MS = 60_000;
const FRESH_INTERVALS = 2;
/** A server that is there but silent must not fill the memory: older ones are found in the journal anyway. */
const MOST_UNRECEIPTED = 500;

export interface LiveSenderParts {
  readonly clock: Clock;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly faults: Faults;
  readonly steps: SessionSteps;
  readonly inFlight: InFlight;
  readonly tracker: Pick<DeliveryTracker, 'acknowledged'>;
  readonly limits: Pick<DeliveryLimits, 'refusedAlone'>;
  readonly backlog: Pick<BacklogSignal, 'rescan'>;
  /** Time between two readings. */
  readonly intervalMs: () => number;
}

/** Sends each new reading the moment it comes, and keeps `latest` up to date. */
export class LiveSender {
  readonly #parts: LiveSenderParts;
  readonly #wakeUp = new WakeUp();
  #waiting: Placed<ReadingEntry>[] = [];
  #online = false;

  constructor(parts: LiveSenderParts) {
    this.#parts = parts;
  }

  /**
   * Takes a new reading; its number is in the journal already. Keeps the newest only while there is no connection.
   * @returns whether it goes out on this lane, and nothing else had to make way for it
   */
  offer(placed: Placed<ReadingEntry>): boolean {
    if (placed.entry.stamp.state === 'pending') return false;
    const most = this.#online ? MOST_WAITING : 1;
    this.#waiting.push(placed);
    const isAll = this.#waiting.length <= most;
    if (!isAll) this.#waiting = this.#waiting.slice(-most);
    this.#wakeUp.notify();
    return isAll;
  }

  /** Whether this lane is about to send it. */
  holds(epoch: string, seq: number): boolean {
    return this.#waiting.some(({ journal, entry }) => journal.epoch === epoch && entry.seq === seq);
  }

  waiting(): number {
    return this.#waiting.length;
  }

  async run(sender: Sender, tasks: TaskGroup, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    this.#online = true;
    this.#waiting = this.#waiting.filter(({ entry }) => this.#isFresh(entry));
    try {
      for (;;) {
        if (this.#waiting.length === 0) await this.#wakeUp.wait(clock, Number.POSITIVE_INFINITY, signal);
        if (this.#waiting.length === 0) continue;
        const slot = await sender.slot('live', signal);
        const next = this.#waiting.shift();
        if (next === undefined) slot.release();
        else {
          tasks.add(this.#send(slot, next));
          if (latestWanted(this.#parts)) tasks.add(this.#sendLatest(sender, next, signal));
        }
      }
    } finally {
      this.#online = false;
      this.#waiting = this.#waiting.slice(-1);
    }
  }

  async #send(slot: SendSlot, placed: Placed<ReadingEntry>): Promise<void> {
    const { device, faults, inFlight, tracker, limits, backlog } = this.#parts;
    const { journal, entry } = placed;
    const message = entryMessage(device.current.homeId, journal, entry);
    const bytes = Buffer.byteLength(message.payload);
    const outgoing = { epoch: journal.epoch, urgency: 'live', seqs: [entry.seq], bytes } as const;
    if (inFlight.messages.live < MOST_UNRECEIPTED) inFlight.add(outgoing);
    let taken: Taken;
    try {
      taken = await slot.send(message);
    } catch (error) {
      inFlight.remove(outgoing);
      if (!isRefusal(error)) {
        // Still the newest: the next connection begins with it.
        if (this.#waiting.length === 0) this.#waiting = [placed];
        throw error;
      }
      if (error.code === 'LINK_TOO_LARGE') limits.refusedAlone(journal.epoch, entry.seq, error);
      else faults.failedWith('reading', error);
      backlog.rescan();
      return;
    }
    faults.works('reading');
    await tracker.acknowledged(outgoing, journal, 'reading', taken);
  }

  async #sendLatest(sender: Sender, { journal, entry }: Placed<ReadingEntry>, signal: AbortSignal): Promise<void> {
    const { device, faults, steps } = this.#parts;
    const item = wireItem(journal.epoch, entry);
    if ('gap' in item) return;
    const topic = sensorTopic(device.current.homeId, device.current.deviceUid, 'latest');
    const message = { topic, payload: encodeReading(item), retain: true };
    try {
      const what = 'we publish the retained latest reading';
      if (await steps.take('latest', what, async () => sender.send('live', message, signal))) faults.works('latest');
    } catch (error) {
      if (!isRefusal(error)) throw error;
      faults.failedWith('latest', error);
    }
  }

  /** By the monotonic clock of this boot: the wall clock may have jumped in between. */
  #isFresh({ bootId, monotonicMs }: ReadingEntry): boolean {
    const { clock, intervalMs } = this.#parts;
    const limitMs = Math.max(FRESH_MS, FRESH_INTERVALS * intervalMs());
    return bootId === clock.bootId && clock.monotonicMs() - monotonicMs <= limitMs;
  }
}

/** Whether the newest reading is kept on `latest`. */
export function latestWanted({ mqtt, homeassistant }: Pick<LiveSenderParts, 'mqtt' | 'homeassistant'>): boolean {
  const { publishLatest } = mqtt.current;
  return publishLatest === 'yes' || (publishLatest === 'auto' && homeassistant.current.discovery);
}
