import { type DecodedFrame, decodeFrame, FRAME_LENGTH, formatBytes, hasValidCrc, withCrc } from './frame.ts';

/**
 * CRC-8 lets one corrupted frame in 256 through, so a bus that corrupts is not to be believed on one frame. After the last
 * failure it has to be clean for this many readings, four times the number in which a slip is to be expected: 8 hours at the
 * usual 30 s. A second read costs a millisecond, less than 2 % of a measurement.
 */
const CLEAN_READINGS_TO_TRUST = 1024;

/** Conversions in which the byte after the data has to be no checksum before a chip counts as one that sends none. */
const CONVERSIONS_TO_KNOW = 3;
/** What is read where no chip drives the line. */
const UNDRIVEN = 0xff;

/** Whether this bus is believed on one frame. Starts, as after a failure, with asking twice. */
export class BusHealth {
  private cleanReadings = 0;
  private failed = false;

  get asksTwice(): boolean {
    return this.cleanReadings < CLEAN_READINGS_TO_TRUST;
  }

  /** Whether nothing went wrong since the last reading. */
  get wasCleanLast(): boolean {
    return !this.failed;
  }

  noteClean(): void {
    this.cleanReadings++;
    this.failed = false;
  }

  noteFailure(): void {
    this.cleanReadings = 0;
    this.failed = true;
  }
}

/**
 * Finds out whether the chip sends a checksum. An AHT10 does not: its seventh byte is the idle line, or the sixth again. A chip
 * that has sent one good checksum is never taken for it any more, so noise on an AHT20's wires cannot open this door.
 */
export class ChecksumStats {
  private checksum: 'unknown' | 'sent' | 'absent' = 'unknown';
  private conversionsWithout = 0;

  get knownAbsent(): boolean {
    return this.checksum === 'absent';
  }

  /** Takes note of a frame that was believed. A filler is no proof: in one AHT10 frame of 256 it is the checksum by chance. */
  noteBelieved(frame: Uint8Array): void {
    if (!endsInFiller(frame)) this.checksum = 'sent';
  }

  /**
   * What the reads of one finished conversion say if the chip is known to send no checksum and all reads agree.
   * @param frames all reads of the conversion, none of which had a good checksum
   */
  judge(frames: readonly Uint8Array[]): DecodedFrame | undefined {
    const [first] = frames;
    if (this.checksum === 'sent' || first === undefined) return undefined;
    const deadMask = this.checksum === 'absent' ? 0xff : 0x0f;
    if (frames.length < 2 || !frames.every((frame) => looksUnsummed(frame, deadMask) && equals(frame, first))) {
      if (this.checksum === 'unknown') this.conversionsWithout = 0;
      return undefined;
    }
    this.conversionsWithout++;
    if (this.conversionsWithout >= CONVERSIONS_TO_KNOW) this.checksum = 'absent';
    return this.checksum === 'absent' ? decodeFrame(withCrc(first)) : undefined;
  }
}

/** So many conversions in a row with the same bits were not made by a line: a live chip's values move in between. */
const EQUAL_CONVERSIONS = 3;

/**
 * Decides on frames that end as if the line were stuck. Such damage is the same in every read, so reading again finds nothing,
 * and its checksum, 00 or FF, is right once in 256 conversions. One good frame in 2048 ends so by chance; it is believed when
 * the bus was fine up to here, or when conversion after conversion says the same.
 */
export class StuckAtLimit {
  private bits = -1;
  private conversions = 0;

  static isSeenIn(frame: Uint8Array): boolean {
    const [, , , , , last = 0, checksum = 0] = frame;
    return (checksum === 0x00 && (last & 0x0f) === 0x00) || (checksum === UNDRIVEN && (last & 0x0f) === 0x0f);
  }

  /** Takes note of one conversion all of whose reads were equal, and returns whether it may be believed. */
  judge(bits: number, trust: BusHealth): boolean {
    this.conversions = bits === this.bits ? this.conversions + 1 : 1;
    this.bits = bits;
    return trust.wasCleanLast || this.conversions >= EQUAL_CONVERSIONS;
  }
}

/** What a chip says over and over; see FreezeWatch. */
const FROZEN_MIN_READINGS = 20;
const FROZEN_MIN_MS = 2 * 3600 * 1000;

/**
 * Notices a chip that repeats itself. The noise of a live one is about 50 steps of its scale, so that even two equal readings
 * in a row are rare, but a measurement every 0.1 s in a still room may be near that; so both many and for long. The longest run
 * of equal values in a real room, at the coarser 0.01 °C, was 36 minutes.
 */
export class FreezeWatch {
  private bits = -1;
  private readings = 0;
  private sinceMs = 0;

  /** Takes note of one measurement; returns whether the chip counts as frozen. */
  observe(bits: number, monotonicMs: number): boolean {
    if (bits !== this.bits) {
      this.bits = bits;
      this.readings = 0;
      this.sinceMs = monotonicMs;
    }
    this.readings++;
    return this.readings >= FROZEN_MIN_READINGS && monotonicMs - this.sinceMs >= FROZEN_MIN_MS;
  }
}

/**
 * Whether there is a filler where a checksum would be. A line that went dead a little earlier shows the same level in the byte
 * before, too: all of it is never believed, and half of it not while it is still open what the chip is.
 */
function looksUnsummed(frame: Uint8Array, deadMask: number): boolean {
  const [, , , , , last = 0, filler = 0] = frame;
  const looksDead = (level: number): boolean => filler === level && (last & deadMask) === (level & deadMask);
  return endsInFiller(frame) && !hasValidCrc(frame) && !looksDead(0x00) && !looksDead(UNDRIVEN);
}

function endsInFiller(frame: Uint8Array): boolean {
  const [, , , , , last, filler] = frame;
  return frame.length === FRAME_LENGTH && (filler === UNDRIVEN || filler === last);
}

function equals(one: Uint8Array, other: Uint8Array): boolean {
  return formatBytes(one) === formatBytes(other);
}
