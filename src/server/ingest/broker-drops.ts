import type { Clock } from '../../common/clock.ts';
import { createFaultLog, type FaultLog } from '../../common/fault-log.ts';
import type { Log } from '../../common/log.ts';

/** Mosquitto's own count of messages that it took from a publisher and did not deliver to somebody, since it started. */
export const DROPS_TOPIC = '$SYS/broker/publish/messages/dropped';

/** What the broker says it threw away. It acknowledges what it drops, so nobody else can know. */
export class BrokerDrops {
  readonly #faults: FaultLog;
  #count: number | null = null;

  constructor(clock: Clock, log: Log) {
    this.#faults = createFaultLog(log, clock);
  }

  /** Null where the broker does not say. */
  count(): number | null {
    return this.#count;
  }

  heard(payload: string): void {
    const count = Number(payload);
    if (!/^\d{1,15}$/.test(payload)) return;
    const before = this.#count;
    this.#count = count;
    if (before === null || count <= before) return;
    this.#faults.failed(
      'BROKER_DROPS',
      { dropped: count },
      `the broker has dropped ${count - before} messages for clients that were slow or away; older agents lose readings by that. Set max_queued_messages 0 in its configuration`,
    );
  }
}
