import { type DeviceStatus, encodeStatus } from '../../contract/status.ts';
import { sensorTopic } from '../../contract/topics.ts';
import { isRefusal } from '../../mqtt/errors.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import { backOffMs } from '../../platform/pacing.ts';
import { WakeUp } from '../../platform/tasks.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config.ts';
import type { LinkMessage } from '../mqtt/session.ts';
import { discoveryMessages } from './discovery.ts';
import type { Faults, SessionSteps } from './faults.ts';
import { latestWanted } from './live-sender.ts';
import type { Sender } from './sender.ts';
import type { StoredState } from './state-file.ts';

/** What is left out first where a broker takes only small packets. */
const LEAST_MISSED: readonly (keyof DeviceStatus)[] = [
  'mqtt',
  'config',
  'clock',
  'version',
  'label',
  'room',
  'journal',
  'last_error',
  'sensor',
  'interval_s',
  'uid',
  'ts',
  'delivery',
];

/** The retained `status`, whole where it fits, else without its least missed parts. */
export function statusMessage(
  topic: string,
  status: DeviceStatus,
  fits: (message: LinkMessage) => boolean,
): LinkMessage {
  let rest: Partial<DeviceStatus> & Pick<DeviceStatus, 'state'> = status;
  let message = { topic, payload: encodeStatus(rest), retain: true };
  for (const key of LEAST_MISSED) {
    if (fits(message)) break;
    rest = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== key)) as typeof rest;
    message = { topic, payload: encodeStatus(rest), retain: true };
  }
  return message;
}

/** Several things that change together are one status. */
const STATUS_DEBOUNCE_MS = 200;
const STATUS_SPACING_MS = 1_000;
/** `{"state":"online"}`: there is nothing to leave out of it. */
const SMALLEST_STATUS = 18;
/** What a broker has refused is offered again. */
const RETRY = { minMs: 30_000, maxMs: 600_000 };

export interface RetainedPublisherParts {
  readonly clock: Clock;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly faults: Faults;
  readonly state: StoredState;
  readonly steps: SessionSteps;
  readonly random: Random;
  readonly version: string;
  readonly status: () => DeviceStatus;
}

/** Keeps the retained topics true: `status`, Home Assistant's configurations, and nothing that we left there earlier. */
export class RetainedPublisher {
  readonly #parts: RetainedPublisherParts;
  readonly #wakeUp = new WakeUp();
  #statusDueMs = 0;
  #statusSentMs = Number.NEGATIVE_INFINITY;
  /** When discovery is offered again after a refusal. */
  #retryDueMs = Number.POSITIVE_INFINITY;
  /** In a row, by what was refused. */
  readonly #refusals = { status: 0, discovery: 0 };
  /** Whom the open connection speaks for; the config may be further by the time it says goodbye. */
  #device: DeviceSection;
  /** A status has to be shorter than this, as far as this connection has shown. */
  #statusLimit = Number.POSITIVE_INFINITY;
  /** Discovery as this connection has published it. */
  #published = new Map<string, string>();

  constructor(parts: RetainedPublisherParts) {
    this.#parts = parts;
    this.#device = parts.device.current;
  }

  /** Something that `status` tells has changed. */
  statusChanged(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const dueMs = Math.max(nowMs + STATUS_DEBOUNCE_MS, this.#statusSentMs + STATUS_SPACING_MS);
    if (dueMs >= this.#statusDueMs) return;
    this.#statusDueMs = dueMs;
    this.#wakeUp.notify();
  }

  /** Home Assistant has started: it wants to hear it all again. */
  announceAgain(): void {
    this.#published.clear();
    this.statusChanged();
  }

  /** The first word on a new connection: the will has said "offline", or may have. */
  async begin(sender: Sender, signal: AbortSignal): Promise<void> {
    this.#device = this.#parts.device.current;
    this.#published.clear();
    this.#retryDueMs = Number.POSITIVE_INFINITY;
    this.#statusLimit = Number.POSITIVE_INFINITY;
    await this.#remember(this.#wantedTopics());
    await this.#publishStatus(sender, signal);
  }

  async run(sender: Sender, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    for (;;) {
      await this.#announceDevice(sender, signal);
      const dueMs = Math.min(this.#statusDueMs, this.#retryDueMs);
      await this.#wakeUp.wait(clock, dueMs - clock.monotonicMs(), signal);
      const nowMs = clock.monotonicMs();
      if (nowMs >= this.#retryDueMs) this.#retryDueMs = Number.POSITIVE_INFINITY;
      if (nowMs >= this.#statusDueMs) await this.#publishStatus(sender, signal);
    }
  }

  /** The last message before a clean end, so that no client has to wait for the will. */
  async end(sender: Sender, signal: AbortSignal): Promise<void> {
    await sender.send('live', this.#statusOf({ state: 'offline' }, sender), signal);
  }

  async #publishStatus(sender: Sender, signal: AbortSignal): Promise<void> {
    const { clock, mqtt } = this.#parts;
    const limitBefore = this.#statusLimit;
    this.#statusSentMs = clock.monotonicMs();
    this.#statusDueMs = this.#statusSentMs + mqtt.current.statusIntervalMs;
    const taken = await this.#offer('status', this.#statusOf(this.#parts.status(), sender), sender, signal);
    if (!taken && this.#statusLimit !== limitBefore) return this.#publishStatus(sender, signal);
    if (!taken) this.#statusDueMs = this.#statusSentMs + this.#retryInMs('status');
  }

  #statusOf(status: DeviceStatus, sender: Sender): LinkMessage {
    const { homeId, deviceUid } = this.#device;
    const topic = sensorTopic(homeId, deviceUid, 'status');
    return statusMessage(
      topic,
      status,
      (message) => sender.fits(message) && message.payload.length < this.#statusLimit,
    );
  }

  /** Publishes what differs from what was published, and takes back what is not wanted any more. */
  async #announceDevice(sender: Sender, signal: AbortSignal): Promise<void> {
    if (this.#retryDueMs !== Number.POSITIVE_INFINITY) return;
    await this.#remember(this.#wantedTopics());
    for (const message of this.#discovery()) {
      if (this.#published.get(message.topic) === message.payload) continue;
      if (await this.#offer('discovery', message, sender, signal)) this.#published.set(message.topic, message.payload);
      else this.#retryDueMs = this.#parts.clock.monotonicMs() + this.#retryInMs('discovery');
    }
    await this.#clearStale(sender, signal);
  }

  /** Also what an earlier run of the program left, under another uid, prefix or home. */
  async #clearStale(sender: Sender, signal: AbortSignal): Promise<void> {
    const wanted = new Set(this.#wantedTopics());
    const stale = this.#parts.state.current.retained.filter((topic) => !wanted.has(topic));
    if (stale.length === 0) return;
    const kept = new Set(stale);
    for (const topic of stale) {
      this.#published.delete(topic);
      if (await this.#offer('discovery', { topic, payload: '', retain: true }, sender, signal)) kept.delete(topic);
    }
    const retained = this.#parts.state.current.retained.filter((topic) => wanted.has(topic) || kept.has(topic));
    await this.#parts.state.update({ retained });
  }

  /** @returns whether the broker took it */
  async #offer(
    place: 'status' | 'discovery',
    message: LinkMessage,
    sender: Sender,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { faults } = this.#parts;
    const what = `we publish to ${message.topic}`;
    try {
      // What is left out counts as said: its fault is told already.
      if (!(await this.#parts.steps.take(place, what, async () => sender.send('live', message, signal)))) return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (place === 'status' && error.reasonCode !== undefined && error.code === 'LINK_TOO_LARGE') {
        // The broker does not say how large it may be; each time the least missed part goes.
        if (message.payload.length > SMALLEST_STATUS) this.#statusLimit = message.payload.length;
      }
      faults.failedWith(place, error);
      return false;
    }
    this.#refusals[place] = 0;
    faults.works(place);
    return true;
  }

  #retryInMs(place: 'status' | 'discovery'): number {
    this.#refusals[place] += 1;
    return backOffMs(this.#refusals[place] - 1, RETRY, this.#parts.random);
  }

  #discovery(): readonly LinkMessage[] {
    const { device, homeassistant, mqtt } = this.#parts;
    if (!homeassistant.current.discovery) return [];
    return discoveryMessages({
      device: device.current,
      prefix: homeassistant.current.discoveryPrefix,
      latest: latestWanted({ mqtt, homeassistant }),
      intervalSeconds: this.#parts.status().interval_s ?? 0,
      version: this.#parts.version,
    });
  }

  #wantedTopics(): readonly string[] {
    const { device, mqtt, homeassistant } = this.#parts;
    const { homeId, deviceUid } = device.current;
    return [
      sensorTopic(homeId, deviceUid, 'status'),
      ...(latestWanted({ mqtt, homeassistant }) ? [sensorTopic(homeId, deviceUid, 'latest')] : []),
      ...this.#discovery().map(({ topic }) => topic),
    ];
  }

  /** Before the first message on a topic, so that it can be taken back even if we die now. */
  async #remember(topics: readonly string[]): Promise<void> {
    const { retained } = this.#parts.state.current;
    if (topics.every((topic) => retained.includes(topic))) return;
    await this.#parts.state.update({ retained: [...new Set([...retained, ...topics])] });
  }
}
