import { isRefusal } from '../../mqtt/errors.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import { WakeUp } from '../../platform/tasks.ts';
import { LinkError, type LinkMessage, type LinkSession, publishPacketSize, type Taken } from '../mqtt/session.ts';

/** The link limits a publish by this; a place in the window is free after as long at the latest. */
export const PUBLISH_TIMEOUT_MS = 30_000;
/** After this much more something hangs that is not the broker. */
const SLACK_MS = 30_000;

/** A place in the window, for one message. */
export interface SendSlot {
  /** Resolves at PUBACK and gives the place back in any case. @throws LinkError */
  send(message: LinkMessage): Promise<Taken>;
  /** Gives the place back unused. */
  release(): void;
}

/** The session and its window: the only way by which the lanes publish. */
export class Sender {
  readonly session: LinkSession;
  readonly #window: SendWindow;
  readonly #heartbeat: LoopHeartbeat;

  constructor(session: LinkSession, window: SendWindow, heartbeat: LoopHeartbeat) {
    this.session = session;
    this.#window = window;
    this.#heartbeat = heartbeat;
  }

  async slot(urgency: Urgency, signal: AbortSignal): Promise<SendSlot> {
    signal.throwIfAborted();
    const limitMs = PUBLISH_TIMEOUT_MS + SLACK_MS;
    if (!this.#window.tryEnter(urgency)) await this.#heartbeat.during(limitMs, this.#window.enter(urgency, signal));
    const release = (): void => this.#window.leave(urgency);
    return {
      release,
      send: async (message) => {
        try {
          return await this.#heartbeat.during(limitMs, this.session.publish(message));
        } finally {
          release();
        }
      },
    };
  }

  /** Waits for a place and sends. @throws LinkError, or the signal's reason */
  async send(urgency: Urgency, message: LinkMessage, signal: AbortSignal): Promise<Taken> {
    const place = await this.slot(urgency, signal);
    return await place.send(message);
  }

  fits({ topic, payload }: LinkMessage): boolean {
    const { protocolVersion, maximumPacketSize } = this.session;
    return publishPacketSize(topic, Buffer.byteLength(payload), protocolVersion) <= maximumPacketSize;
  }
}

/** `live`: what is new (readings, status, discovery). `backlog`: what has waited in the journal. */
export type Urgency = 'live' | 'backlog';

interface Waiter {
  readonly admit: () => void;
}

/**
 * Places for unacknowledged messages. The last place is kept for what is new, so that a backlog never delays it; with a single
 * place, what is new goes first when it falls free.
 */
export class SendWindow {
  #size: number;
  readonly #held: Record<Urgency, number> = { live: 0, backlog: 0 };
  readonly #waiting: Readonly<Record<Urgency, Set<Waiter>>> = { live: new Set(), backlog: new Set() };

  constructor(size: number) {
    this.#size = size;
  }

  /** A smaller window takes effect as places fall free. */
  resize(size: number): void {
    this.#size = size;
    this.#admit();
  }

  /** Takes a place if one is free. Who takes one gives it back with `leave`, once. */
  tryEnter(urgency: Urgency): boolean {
    if (!this.#hasPlace(urgency)) return false;
    this.#held[urgency] += 1;
    return true;
  }

  /** Waits for a place. Rejects with the signal's reason. */
  async enter(urgency: Urgency, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiting = this.#waiting[urgency];
      const abort = (): void => {
        waiting.delete(waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        admit: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      waiting.add(waiter);
      this.#admit();
    });
  }

  leave(urgency: Urgency): void {
    this.#held[urgency] -= 1;
    this.#admit();
  }

  #admit(): void {
    for (const urgency of ['live', 'backlog'] as const) {
      for (const waiter of this.#waiting[urgency]) {
        if (!this.#hasPlace(urgency)) break;
        this.#waiting[urgency].delete(waiter);
        this.#held[urgency] += 1;
        waiter.admit();
      }
    }
  }

  #hasPlace(urgency: Urgency): boolean {
    const { live, backlog } = this.#held;
    if (live + backlog >= this.#size) return false;
    if (urgency === 'live') return true;
    return backlog < Math.max(1, this.#size - 1);
  }
}

/** The tasks of one session. They end with it; what fails for another reason is not swallowed. */
export class TaskGroup {
  /** Resolves with the first error that must not be ignored. */
  readonly failed: Promise<unknown>;
  readonly #tasks = new Set<Promise<void>>();
  readonly #signal: AbortSignal;
  #fail!: (error: unknown) => void;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  add(task: Promise<void>): void {
    const watched = task
      .catch((error: unknown) => {
        // The end of the session is told by the session itself; its tasks only notice.
        const ended = this.#signal.aborted || (error instanceof LinkError && !isRefusal(error));
        if (!ended) this.#fail(error);
      })
      .finally(() => this.#tasks.delete(watched));
    this.#tasks.add(watched);
  }

  /** Resolves when all tasks are over, also those that are added meanwhile. */
  async over(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }
}

/**
 * Wakes the backlog sender, and tells it when to begin again at the oldest entry. `notify`: there may be something to send, or
 * room to send it.
 */
export class BacklogSignal extends WakeUp {
  /** How often `rescan` was called: a change means that the backlog begins again. */
  rescans = 0;

  /** The backlog begins again at the oldest entry that is not in flight. */
  rescan(): void {
    this.rescans += 1;
    this.notify();
  }
}
