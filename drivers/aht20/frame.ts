/** x^8 + x^5 + x^4 + 1, most significant bit first (DHT20 V1.0 section 7.4). */
const POLYNOMIAL = 0x31;
const INITIAL = 0xff;

/** The checksum that the AHT20 family appends to its frames: polynomial 0x31, initial value 0xFF, no final XOR. */
export function crc8(bytes: Uint8Array): number {
  let crc = INITIAL;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x80) === 0 ? (crc << 1) & 0xff : ((crc << 1) & 0xff) ^ POLYNOMIAL;
    }
  }
  return crc;
}

/**
 * The frame in which an AHT20 answers: one status byte, 20 bits of humidity, 20 bits of temperature, a CRC-8 over the six
 * bytes before it (AHT20 v1.1 and DHT20 V1.0 section 7.4; where the sheets differ on 20+20 or 24+16 bits, 20+20 is right).
 *
 *   byte   0        1        2        3        4        5        6
 *          status   HHHHHHHH HHHHHHHH HHHHTTTT TTTTTTTT TTTTTTTT CRC
 */
export const FRAME_LENGTH = 7;
const DATA_LENGTH = 6;

/** Status bits (DHT20 V1.0 table 9); the rest is reserved, 0x18, 0x1C, 0x98 and 0x9C are seen in the field. */
export const STATUS_BUSY = 0x80;
export const STATUS_CALIBRATED = 0x08;
/** Both bits are set once the chip has loaded its calibration (DHT20 V1.0 section 7.4). */
export const STATUS_LOADED = 0x18;

const FULL_SCALE = 2 ** 20;
/** Operating range of the AHT20 (v1.1 section 2). Outside it the bytes say something else than the temperature of a room. */
const MIN_TEMPERATURE_CELSIUS = -40;
const MAX_TEMPERATURE_CELSIUS = 85;

export interface FrameValue {
  readonly kind: 'value';
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
  /** The 40 bits of data as one number: equal bits mean that the chip said exactly the same again. */
  readonly bits: number;
}

/** What a frame is. Only `value` may become a reading. */
export type DecodedFrame =
  | FrameValue
  /** All zeros or all ones: a line held low, or not driven. */
  | { readonly kind: 'blank' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'crc' }
  | { readonly kind: 'uncalibrated' }
  | { readonly kind: 'implausible'; readonly temperatureCelsius: number; readonly humidityPercent: number };

/** Says what the bytes of one read are. Total: any bytes of any length give an answer. 0 °C and 0 %RH are values. */
export function decodeFrame(frame: Uint8Array): DecodedFrame {
  if (isBlank(frame)) return { kind: 'blank' };
  const status = frame[0] ?? 0;
  if ((status & STATUS_BUSY) !== 0) return { kind: 'busy' };
  if (!hasValidCrc(frame)) return { kind: 'crc' };
  // A chip that lost its calibration in a power glitch goes on measuring, with a good CRC and nonsense in it.
  if ((status & STATUS_CALIBRATED) === 0) return { kind: 'uncalibrated' };
  const { humidity, temperature } = rawValues(frame);
  const humidityPercent = (humidity / FULL_SCALE) * 100;
  const temperatureCelsius = (temperature / FULL_SCALE) * 200 - 50;
  if (temperatureCelsius < MIN_TEMPERATURE_CELSIUS || temperatureCelsius > MAX_TEMPERATURE_CELSIUS) {
    return { kind: 'implausible', temperatureCelsius, humidityPercent };
  }
  return { kind: 'value', temperatureCelsius, humidityPercent, bits: humidity * FULL_SCALE + temperature };
}

/** Whether these are seven bytes whose last one is the checksum of the six before it. */
export function hasValidCrc(frame: Uint8Array): boolean {
  return frame.length === FRAME_LENGTH && crc8(frame.subarray(0, DATA_LENGTH)) === frame[DATA_LENGTH];
}

/** Whether all bytes are 00 or all are FF. */
export function isBlank(frame: Uint8Array): boolean {
  return frame.every((byte) => byte === 0x00) || frame.every((byte) => byte === 0xff);
}

/** The first six bytes with the checksum that belongs to them, for a chip that sends none (AHT10). */
export function withCrc(frame: Uint8Array): Uint8Array {
  const data = frame.subarray(0, DATA_LENGTH);
  return Uint8Array.of(...data, crc8(data));
}

/** The frame of a chip at these values, to the nearest step of its scale; what is beyond the scale becomes its end. */
export function encodeFrame(
  values: { readonly temperatureCelsius: number; readonly humidityPercent: number },
  status: number = STATUS_LOADED,
): Uint8Array {
  const humidity = toRaw(values.humidityPercent / 100);
  const temperature = toRaw((values.temperatureCelsius + 50) / 200);
  return withCrc(
    Uint8Array.of(
      status,
      humidity >> 12,
      (humidity >> 4) & 0xff,
      ((humidity & 0x0f) << 4) | (temperature >> 16),
      (temperature >> 8) & 0xff,
      temperature & 0xff,
    ),
  );
}

/** For messages: `1C65B425CD26C6`. */
export function formatBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

function rawValues(frame: Uint8Array): { readonly humidity: number; readonly temperature: number } {
  const [, first = 0, second = 0, shared = 0, fourth = 0, fifth = 0] = frame;
  return {
    humidity: (first << 12) | (second << 4) | (shared >> 4),
    temperature: ((shared & 0x0f) << 16) | (fourth << 8) | fifth,
  };
}

function toRaw(fraction: number): number {
  return Math.min(FULL_SCALE - 1, Math.max(0, Math.round(fraction * FULL_SCALE)));
}
