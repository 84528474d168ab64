/** After arrays got smaller they grow again by this factor with each receipt: twice in 15 arrays. */
const GROWTH = 1.05;
/** How long it is remembered at which size an array did not get through: a broker's limit can have been changed since. */
const CEILING_MS = 3_600_000;

/**
 * How long the arrays of the backlog may be. A broker of MQTT 3.1.1 with a limit acknowledges what is too large and drops it: no
 * receipt comes, and no error either. So an array whose receipt does not come is compared with smaller messages: where those get
 * through, arrays become shorter, down to a single reading. Where nothing gets through the server is slow, and size says nothing.
 */
export class ArraySizes {
  #limitBytes = Number.POSITIVE_INFINITY;
  #ceilingBytes = Number.POSITIVE_INFINITY;
  #ceilingSinceMs = Number.NEGATIVE_INFINITY;
  /** Largest message that got through since the last one that did not. */
  #goodBytes = 0;
  /** The smallest array without a receipt, until a smaller message has shown whether size is the reason. */
  #suspectBytes: number | undefined;
  #shrunk = 0;

  /** Most bytes of the next array's payload. */
  limitBytes(nowMs: number): number {
    this.#forgetCeiling(nowMs);
    return Math.min(this.#limitBytes, this.#ceilingBytes);
  }

  /** Whether the next message has to be a single entry, to see whether anything gets through. */
  probing(): boolean {
    return this.#suspectBytes !== undefined;
  }

  /** Largest size that has shown to be too large; undefined while there is none, or one array alone that may have been lost. */
  knownLimit(nowMs: number): number | undefined {
    this.#forgetCeiling(nowMs);
    return this.#shrunk > 1 ? this.#ceilingBytes : undefined;
  }

  /** A message got through. @returns the size of an array that did not, where that is now known to be for its size */
  passed(bytes: number, entries: number): number | undefined {
    this.#goodBytes = Math.max(this.#goodBytes, bytes);
    const suspect = this.#suspectBytes;
    this.#suspectBytes = undefined;
    if (suspect !== undefined && bytes < suspect) return suspect;
    if (entries > 1 && bytes * 2 >= this.#limitBytes) this.#limitBytes *= GROWTH;
    return undefined;
  }

  /** An array got no receipt in time, and nothing smaller that was sent after it did. */
  missed(bytes: number): void {
    this.#suspectBytes = Math.min(this.#suspectBytes ?? Number.POSITIVE_INFINITY, bytes);
  }

  /** An array of this size does not get through, and smaller messages do. */
  tooLarge(bytes: number, nowMs: number): void {
    this.#forgetCeiling(nowMs);
    if (bytes > this.#ceilingBytes) return;
    // What had passed at this size does not any more.
    if (this.#goodBytes >= bytes) this.#goodBytes = 0;
    this.#ceilingBytes = bytes - 1;
    this.#ceilingSinceMs = nowMs;
    this.#limitBytes = Math.max(Math.floor(bytes / 2), this.#goodBytes);
    this.#shrunk += 1;
  }

  /** The connection broke under it: perhaps the only way of this broker to say that it is too large. */
  brokeUnder(bytes: number): void {
    this.#limitBytes = Math.max(1, Math.min(this.#limitBytes, Math.floor(bytes / 2)));
  }

  /** Others are there now: what was missed was not missed for its size. */
  forgetSuspicion(): void {
    this.#suspectBytes = undefined;
  }

  #forgetCeiling(nowMs: number): void {
    if (nowMs - this.#ceilingSinceMs < CEILING_MS) return;
    this.#ceilingBytes = Number.POSITIVE_INFINITY;
    this.#ceilingSinceMs = Number.NEGATIVE_INFINITY;
    this.#shrunk = 0;
  }
}
