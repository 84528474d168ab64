import type { Clock } from '../../common/clock.ts';
import { createFaultLog, type FaultLog } from '../../common/fault-log.ts';
import type { Log } from '../../common/log.ts';
import { LinkError } from '../mqtt/link-session.ts';

/** What can be at fault independently of the rest. */
export type FaultPlace =
  | 'connection'
  | 'subscriptions'
  | 'reading'
  | 'backlog'
  | 'oversize'
  | 'receipts'
  | 'status'
  | 'latest'
  | 'discovery'
  | 'memory';

/** What is wrong at the moment, place by place: logged as states, and the newest of them published in `status`. */
export class Faults {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #logs = new Map<FaultPlace, FaultLog>();
  /** Newest last. */
  readonly #current = new Map<FaultPlace, { readonly code: string; readonly message: string }>();

  constructor(log: Log, clock: Clock, onChange: () => void) {
    this.#log = log;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** It failed, perhaps again. `loud`: the first time is an error, not a warning, for what only a person can repair. */
  failed(place: FaultPlace, code: string, message: string, loudness: 'normal' | 'loud' = 'normal'): void {
    const before = this.#current.get(place);
    if (loudness === 'loud' && before?.code !== code) this.#log.error({ code }, message);
    else this.#faultLog(place).failed(code, { code }, message);
    if (before?.message === message) return;
    this.#current.delete(place);
    this.#current.set(place, { code, message });
    this.#onChange();
  }

  failedWith(place: FaultPlace, error: unknown): void {
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'INTERNAL';
    this.failed(place, code, error instanceof Error ? error.message : String(error));
  }

  works(place: FaultPlace): void {
    if (!this.#current.delete(place)) return;
    this.#faultLog(place).works({}, `MQTT: ${place} works again`);
    this.#onChange();
  }

  /** The newest of what is wrong, for people. */
  last(): string | undefined {
    return [...this.#current.values()].at(-1)?.message;
  }

  #faultLog(place: FaultPlace): FaultLog {
    let faultLog = this.#logs.get(place);
    if (faultLog === undefined) {
      faultLog = createFaultLog(
        {
          warn: (fields, message) => this.#log.warn(fields, message),
          // A connection that works is announced by the connection loop, which knows more about it.
          info: (fields, message) => (place === 'connection' ? undefined : this.#log.info(fields, message)),
        },
        this.#clock,
      );
      this.#logs.set(place, faultLog);
    }
    return faultLog;
  }
}

/** An error that concerns one message or filter; the session itself goes on. */
export function isRefusal(error: unknown): error is LinkError {
  if (!(error instanceof LinkError)) return false;
  return (
    error.code === 'LINK_PUBLISH_REFUSED' || error.code === 'LINK_TOO_LARGE' || error.code === 'LINK_SUBSCRIBE_REFUSED'
  );
}
