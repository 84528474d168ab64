import { Bell } from '../../common/bell.ts';
import { SERVER_TOPIC_FILTER, sensorTopic } from '../../contract/topics.ts';
import type { LinkSession } from '../mqtt/link-session.ts';
import type { Desk } from './desk.ts';
import { homeAssistantStatusTopic } from './discovery.ts';
import { isRefusal } from './faults.ts';

/** Keeps the session subscribed to what the config and the journals want heard. */
export class Subscriptions {
  readonly #desk: Desk;
  readonly #bell = new Bell();
  readonly #held = new Set<string>();

  constructor(desk: Desk) {
    this.#desk = desk;
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
      await this.#bell.wait(this.#desk.parts.clock, Number.POSITIVE_INFINITY, signal);
      await this.#reconcile(session);
    }
  }

  /** What is refused is reported, and not tried again before the next session. */
  async #reconcile(session: LinkSession): Promise<void> {
    const { faults } = this.#desk.parts;
    const wanted = this.#wanted();
    const missing = [...wanted].filter((filter) => !this.#held.has(filter));
    const unwanted = [...this.#held].filter((filter) => !wanted.has(filter));
    for (const filter of unwanted) this.#held.delete(filter);
    for (const filter of missing) this.#held.add(filter);
    try {
      await session.subscribe(missing);
      if (missing.length > 0) faults.works('subscriptions');
      await session.unsubscribe(unwanted);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      faults.failedWith('subscriptions', error);
    }
  }

  #wanted(): ReadonlySet<string> {
    const { device, mqtt, homeassistant, journals } = this.#desk.parts;
    const { homeId, deviceUid } = device.current;
    const wanted = new Set<string>();
    if (mqtt.current.delivery !== 'broker') {
      wanted.add(SERVER_TOPIC_FILTER);
      // Readings of an earlier uid are still sent, and receipted, under that uid.
      for (const uid of [deviceUid, ...journals.journals().map((journal) => journal.deviceUid)]) {
        wanted.add(sensorTopic(homeId, uid, 'receipt'));
      }
    }
    if (mqtt.current.commands) wanted.add(sensorTopic(homeId, deviceUid, 'command'));
    if (homeassistant.current.discovery) wanted.add(homeAssistantStatusTopic(homeassistant.current.discoveryPrefix));
    return wanted;
  }
}
