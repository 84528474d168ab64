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
