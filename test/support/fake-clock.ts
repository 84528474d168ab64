import { setImmediate as macrotask } from 'node:timers/promises';
import type { Clock } from '../../src/platform/clock.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until told to move; sleepers wake in the order of their due times. */
export class FakeClock implements Clock {
  readonly bootId: string;
  #monotonicMs: number;
  #wallMinusMonotonicMs: number;
  #suspendedMs = 0;
  #sleepers: Sleeper[] = [];

  constructor(options: { readonly bootId?: string; readonly nowMs?: number; readonly monotonicMs?: number } = {}) {
    this.bootId = options.bootId ?? 'boot-a';
    this.#monotonicMs = options.monotonicMs ?? 1_000;
    this.#wallMinusMonotonicMs = (options.nowMs ?? Date.UTC(2026, 0, 1)) - this.#monotonicMs;
  }

  nowMs = (): number => this.#monotonicMs + this.#wallMinusMonotonicMs;
  monotonicMs = (): number => this.#monotonicMs;

  sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    if (ms <= 0) return;
    await new Promise<void>((resolve, reject) => {
      const sleeper: Sleeper = {
        dueMs: this.#monotonicMs + ms,
        wake: () => {
          signal?.removeEventListener('abort', aborted);
          resolve();
        },
      };
      const aborted = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#sleepers.push(sleeper);
    });
  };

  suspendedMs = (): number => this.#suspendedMs;

  /** The machine sleeps: the wall clock goes on, the monotonic clock stands still. */
  suspend(ms: number): void {
    this.#suspendedMs += ms;
    this.#wallMinusMonotonicMs += ms;
  }

  /** The wall clock jumps; the monotonic clock does not notice. */
  stepWall(byMs: number): void {
    this.#wallMinusMonotonicMs += byMs;
  }

  /** Lets time pass, waking sleepers one by one and letting everything they cause happen in between. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settle();
    for (;;) {
      const next = this.#sleepers.filter((sleeper) => sleeper.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs);
      next.wake();
      await settle();
    }
    this.#monotonicMs = endMs;
    await settle();
  }

  /** How many waits are pending; for tests that look for leaks. */
  sleepers(): number {
    return this.#sleepers.length;
  }
}

/** Lets promises settle and immediate callbacks run. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 5; round += 1) await macrotask();
}
