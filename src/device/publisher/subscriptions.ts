import { Bell } from '../../common/bell.ts';
import { SERVER_TOPIC_FILTER, sensorTopic, serverTopic } from '../../contract/topics.ts';
import type { LinkSession } from '../mqtt/link-session.ts';
import { SOME_SERVER } from './delivery.ts';
import type { Desk } from './desk.ts';
import { homeAssistantStatusTopic } from './discovery.ts';
import { isRefusal, type OptionalStep } from './faults.ts';
import type { OptionalSteps } from './optional-steps.ts';

/** `instance` of a server where its config says nothing. */
const COMMON_INSTANCE = 'main';

/** In the order in which they are taken: what matters most first. */
type Wanted = ReadonlyMap<OptionalStep, readonly string[]>;

/**
 * Keeps the session subscribed to what the config and the journals want heard. One packet for each purpose: where a broker hangs up
 * on one, the others hold.
 */
export class Subscriptions {
  readonly #desk: Desk;
  readonly #steps: OptionalSteps;
  readonly #bell = new Bell();
  readonly #held = new Set<string>();

  constructor(desk: Desk, steps: OptionalSteps) {
    this.#desk = desk;
    this.#steps = steps;
  }

  /** A journal came or went, or the config changed. */
  changed(): void {
    this.#bell.ring();
  }

  /** A new session holds none. */
  async begin(session: LinkSession): Promise<void> {
    this.#held.clear();
    await this.#reconcile(session);
  }

  async run(session: LinkSession, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#bell.wait(this.#desk.parts.clock, this.#steps.nextDueMs(), signal);
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
    const { faults } = this.#desk.parts;
    const missing = filters.filter((filter) => !this.#held.has(filter));
    if (missing.length === 0 || this.#steps.isLeftOut(step)) return;
    for (const filter of missing) this.#held.add(filter);
    try {
      await this.#steps.take(step, `we subscribe to ${missing.join(', ')}`, async () => session.subscribe(missing));
      faults.works(`subscription to ${step}`);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      faults.failedWith(`subscription to ${step}`, error);
    }
  }

  #wanted(): Wanted {
    const { device, mqtt, homeassistant, journals } = this.#desk.parts;
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
      const names = this.#desk.delivery.servers().map(({ name }) => name);
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
