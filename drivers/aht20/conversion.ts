import { SensorError } from '../sensor.ts';
import { type DecodedFrame, decodeFrame, FRAME_LENGTH, type FrameValue, formatBytes } from './frame.ts';
import type { ChipTransport } from './transport.ts';
import { type BusHealth, type ChecksumStats, StuckAtLimit } from './validity.ts';

/** The frame itself is the poll: its first byte is the status. Together 120 ms beyond the sheet's 80, as much as Linux gives. */
const BUSY_POLL_MS = 2;
const MAX_BUSY_POLLS = 60;
/** The chip keeps a result until the next trigger, so a disturbed frame is read again, which costs 1 ms instead of 80. */
const MAX_READS = 6;
const READS_OF_UNSUMMED = 2;

/** What is known about the chip and its wires; remembered between measurements. */
export interface ValidityRules {
  readonly trust: BusHealth;
  readonly checksum: ChecksumStats;
  readonly stuckEnd: StuckAtLimit;
  noteCrcError(): void;
}

export interface BelievedFrame {
  readonly value: FrameValue;
  readonly frame: Uint8Array;
}

/**
 * Reads the result of the running conversion until one frame may be believed: a good checksum where the bus is trusted, two
 * frames with the same 40 bits and good checksums where it is not, six where they end like those of a stuck line.
 * @throws SensorError SENSOR_BUSY, SENSOR_CRC, SENSOR_NOT_CALIBRATED, SENSOR_IMPLAUSIBLE; I2cError
 */
export async function readConversion(
  talk: ChipTransport,
  place: string,
  beliefs: ValidityRules,
): Promise<BelievedFrame> {
  const { trust, checksum } = beliefs;
  const candidates: number[] = [];
  const disturbed: Uint8Array[] = [];
  let busyPolls = 0;
  while (candidates.length + disturbed.length < MAX_READS) {
    const frame = await talk.read(FRAME_LENGTH);
    const decoded = decodeFrame(frame);
    switch (decoded.kind) {
      case 'value':
        candidates.push(decoded.bits);
        if (isBelieved(decoded, frame, candidates, beliefs)) {
          checksum.noteBelieved(frame);
          return { value: decoded, frame };
        }
        break;
      case 'busy':
        if (++busyPolls > MAX_BUSY_POLLS) throw refusal(decoded, frame, place);
        await talk.wait(BUSY_POLL_MS);
        break;
      case 'crc': {
        disturbed.push(frame);
        const unsummed = checksum.knownAbsent;
        if (unsummed && disturbed.length < READS_OF_UNSUMMED) break;
        if (unsummed) return judgeUnsummed(disturbed, place, beliefs);
        beliefs.noteCrcError();
        trust.noteFailure();
        break;
      }
      case 'blank':
      case 'uncalibrated':
      case 'implausible':
        throw refusal(decoded, frame, place);
    }
  }
  if (candidates.length === 0) return judgeUnsummed(disturbed, place, beliefs);
  throw crcError(disturbed, place);
}

function isBelieved(
  value: FrameValue,
  frame: Uint8Array,
  candidates: readonly number[],
  beliefs: ValidityRules,
): boolean {
  const { trust, checksum, stuckEnd } = beliefs;
  const agreeing = candidates.filter((bits) => bits === value.bits).length;
  if (StuckAtLimit.isSeenIn(frame)) return agreeing === MAX_READS && stuckEnd.judge(value.bits, trust);
  return agreeing >= (trust.asksTwice || checksum.knownAbsent ? 2 : 1);
}

/** The last chance of frames without a good checksum: an AHT10 sends none. */
function judgeUnsummed(frames: readonly Uint8Array[], place: string, beliefs: ValidityRules): BelievedFrame {
  const decoded = beliefs.checksum.judge(frames);
  const [frame] = frames;
  if (decoded === undefined || frame === undefined) throw crcError(frames, place);
  if (decoded.kind !== 'value') throw refusal(decoded, frame, place);
  return { value: decoded, frame: frame.subarray(0, FRAME_LENGTH - 1) };
}

function refusal(decoded: Exclude<DecodedFrame, FrameValue>, frame: Uint8Array, place: string): SensorError {
  const said = `the chip at ${place} sent ${formatBytes(frame)}`;
  switch (decoded.kind) {
    case 'busy':
      return new SensorError('SENSOR_BUSY', `${said}: it is still busy long after the conversion should have ended`);
    case 'crc':
      return crcError([frame], place);
    case 'uncalibrated':
      return new SensorError(
        'SENSOR_NOT_CALIBRATED',
        `${said}: it lost its calibration; check its supply for brief drops`,
      );
    case 'blank':
      return new SensorError(
        'SENSOR_IMPLAUSIBLE',
        `${said}: nothing but equal bits; check SDA and the supply of the sensor`,
      );
    case 'implausible': {
      const { temperatureCelsius, humidityPercent } = decoded;
      return new SensorError(
        'SENSOR_IMPLAUSIBLE',
        `${said}: ${temperatureCelsius.toFixed(2)} °C and ${humidityPercent.toFixed(2)} %RH cannot be (-40 to 85 °C can)`,
      );
    }
  }
}

function crcError(disturbed: readonly Uint8Array[], place: string): SensorError {
  const last = disturbed.at(-1);
  const found =
    last === undefined
      ? `${MAX_READS} reads of one result of the chip at ${place} do not agree, or end like those of a stuck line`
      : `${disturbed.length} of ${MAX_READS} frames of the chip at ${place} had a wrong checksum, the last ${formatBytes(last)}`;
  return new SensorError(
    'SENSOR_CRC',
    `${found}: shorten the wires, keep them from power lines, or lower the bus clock (dtparam=i2c_arm_baudrate=50000)`,
  );
}
