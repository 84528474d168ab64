import { setTimeout as sleep } from 'node:timers/promises';
import { readyOf } from './heal.ts';
import type { ChaosWorld } from './world.ts';

/** Between two questions. */
const PERIOD_MS = 100;
const CATCH_UP_MS = 3_000;
const LOST = /was removed or moved away|was replaced|was cut|was emptied|was overwritten|is being changed/;

/**
 * Asks /ready all the time, and holds it to these rules, for each process of the server:
 *
 * 1. Once it has said that its record is not at its place, it does not say "ready" any more, until the files are put back or it is
 *    started anew; and it gives no receipt that the broker did not have by then.
 * 2. What waits in quarantine is never kept quiet: with a count there is a problem or a note. While the count grows it is not "ready".
 * 3. "ready" is 200 and everything else is 503.
 */
export class ReadyWatch {
  readonly #world: ChaosWorld;
  readonly #stopped = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #asked = 0;
  /** Of the server's process that said so. */
  #lost: { readonly start: number; receiptsFrom: number | undefined } | undefined;
  #before: { readonly start: number; readonly waiting: number; readonly steps: number } | undefined;

  constructor(world: ChaosWorld) {
    this.#world = world;
  }

  /** How often it was answered. */
  get answers(): number {
    return this.#asked;
  }

  /** Whether the process that runs has said that its record is gone. */
  get saysLost(): boolean {
    return this.#lost?.start === this.#world.serverStarts;
  }

  begin(): void {
    this.#loop = this.#run(this.#stopped.signal);
  }

  async end(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
  }

  /** The files are at their place again without a restart. */
  forgive(): void {
    this.#lost = undefined;
  }

  /** To be called before the server is ended or its files are put back. */
  checkReceipts(): void {
    const from = this.#lost?.receiptsFrom;
    const { receipted } = this.#world.tap;
    if (this.saysLost && from !== undefined && receipted.length > from) {
      const { epoch, seq } = receipted[from]!;
      this.#world.violation(
        `${receipted.length - from} receipts (first ${epoch}/${seq}) after /ready had said that the record is gone`,
      );
      this.#lost!.receiptsFrom = undefined;
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look();
      await sleep(PERIOD_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const world = this.#world;
    const { serverStarts: start, serverClockSteps: steps } = world;
    if (!world.isServerUp) return;
    const lostBefore = this.#lost;
    const ready = await readyOf(world);
    if (ready === undefined || this.#hasEnded(start)) return;
    this.#asked += 1;
    const { status, body } = ready;
    if ((status === 200) !== (body.status === 'ready'))
      world.violation(`/ready answers ${status} with "${body.status}"`);
    const { database, quarantine } = body.parts;
    if (
      lostBefore !== undefined &&
      lostBefore === this.#lost &&
      lostBefore.start === start &&
      body.status === 'ready'
    ) {
      world.violation('/ready says "ready" after it had said that the record is not at its place');
    }
    if (database?.ok === false && LOST.test(database.problem ?? '') && !this.saysLost) {
      const lost = { start, receiptsFrom: undefined as number | undefined };
      this.#lost = lost;
      world.note('/ready says that the record is gone');
      // What was given before this answer is at the broker by now.
      if ((await world.tap.caughtUp(CATCH_UP_MS)) && this.#lost === lost)
        lost.receiptsFrom = world.tap.receipted.length;
    }
    this.#lookAtQuarantine(quarantine, body.status, { start, steps });
  }

  #hasEnded(start: number): boolean {
    return !this.#world.isServerUp || this.#world.serverStarts !== start;
  }

  #lookAtQuarantine(
    part: { readonly problem?: string; readonly note?: string; readonly waiting?: number | null } | undefined,
    status: string,
    { start, steps }: { readonly start: number; readonly steps: number },
  ): void {
    const world = this.#world;
    const waiting = part?.waiting ?? undefined;
    if (waiting === undefined) return;
    if (waiting > 0 && part?.problem === undefined && part?.note === undefined)
      world.violation(`/ready says nothing of ${waiting} in quarantine`);
    const before = this.#before;
    const isSame = before?.start === start && before.steps === steps && world.serverClockSteps === steps;
    if (isSame && waiting > before.waiting && status === 'ready')
      world.violation(`/ready says "ready" while the quarantine grows from ${before.waiting} to ${waiting}`);
    this.#before = { start, steps, waiting };
  }
}
