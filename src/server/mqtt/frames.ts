/**
 * Cuts a byte stream into MQTT control packets (MQTT 5 and 3.1.1, section 2.1.1). PUBLISH, nearly all that comes, is read here,
 * without a copy of its payload; the few others are handed on whole. Memory is bounded whatever the sender sends: of a PUBLISH
 * that is too large only the beginning is kept, and its packet id, so that it can be reported and acknowledged.
 */

export interface IncomingMessage {
  readonly topic: string;
  /** A part of what was read, which it keeps in memory; of a message that is too large the first bytes. */
  readonly payload: Buffer;
  /** Size before it was cut. */
  readonly payloadBytes: number;
  readonly isRetained: boolean;
  /** 0 for QoS 0, which is never acknowledged. */
  readonly packetId: number;
}

export interface FrameHandlers {
  onMessage(message: IncomingMessage): void;
  /** Any other packet, with its header. Valid only during the call. */
  onPacket(frame: Buffer): void;
}

/** The other end does not speak MQTT, or not by its rules: the connection is of no use any more. */
export class MalformedPacketError extends Error {
  readonly code = 'MALFORMED_PACKET';
}

const PUBLISH = 3;
/** The longest topic, and room for the properties that brokers pass on. */
const HEAD_ROOM_BYTES = 131_072;
/** No packet other than PUBLISH has any reason to be longer. */
const MAX_OTHER_BYTES = 262_144;
/** A length has at most four bytes. */
const MAX_HEADER_BYTES = 5;

interface Header {
  /** First byte of the packet. */
  readonly flags: number;
  /** Bytes of the header, 0 while it is not complete. */
  readonly headerBytes: number;
  /** Bytes of the whole packet. */
  readonly totalBytes: number;
}

export class FrameReader {
  readonly #handlers: FrameHandlers;
  readonly #maxPayloadBytes: () => number;
  readonly #protocolVersion: 4 | 5;
  /** The beginning of a packet that has not come whole. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** How many bytes complete it as far as it is kept. */
  #neededBytes = 0;
  /** Bytes of a packet that are not kept. */
  #skipBytes = 0;

  /** `maxPayloadBytes`: a larger payload is cut to this. */
  constructor(protocolVersion: 4 | 5, handlers: FrameHandlers, maxPayloadBytes: () => number) {
    this.#protocolVersion = protocolVersion;
    this.#handlers = handlers;
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Bytes as they come, in pieces of any size. @throws MalformedPacketError; nothing more must be pushed then */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#skipBytes > 0) {
      const skipped = Math.min(this.#skipBytes, bytes.length);
      this.#skipBytes -= skipped;
      bytes = bytes.subarray(skipped);
    }
    while (this.#parts.length > 0) {
      if (bytes.length === 0) return;
      const missingBytes = Math.min(this.#neededBytes - this.#partBytes, bytes.length);
      this.#keep(bytes.subarray(0, missingBytes));
      bytes = bytes.subarray(missingBytes);
      if (this.#partBytes < this.#neededBytes) return;
      const whole = Buffer.concat(this.#parts, this.#partBytes);
      this.#parts = [];
      this.#partBytes = 0;
      this.#read(whole);
      const skipped = Math.min(this.#skipBytes, bytes.length);
      this.#skipBytes -= skipped;
      bytes = bytes.subarray(skipped);
    }
    this.#read(bytes);
  }

  #read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const { flags, headerBytes, totalBytes } = readHeader(bytes, at);
      const keptBytes = headerBytes === 0 ? 0 : this.#keptBytes(flags, totalBytes);
      if (headerBytes === 0 || at + keptBytes > bytes.length) {
        // Copied: the rest of a socket's buffer would be held for the sake of a few bytes.
        this.#neededBytes = headerBytes === 0 ? bytes.length - at + 1 : keptBytes;
        this.#keep(Buffer.from(bytes.subarray(at)));
        return;
      }
      if (flags >> 4 === PUBLISH) {
        this.#handlers.onMessage(this.#message(bytes, at, headerBytes, keptBytes, totalBytes));
      } else this.#handlers.onPacket(bytes.subarray(at, at + totalBytes));
      const end = at + totalBytes;
      if (end > bytes.length) this.#skipBytes = end - bytes.length;
      at = end;
    }
  }

  #keep(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#partBytes += bytes.length;
  }

  #keptBytes(flags: number, totalBytes: number): number {
    if (flags >> 4 === PUBLISH) return Math.min(totalBytes, this.#maxPayloadBytes() + HEAD_ROOM_BYTES);
    if (totalBytes > MAX_OTHER_BYTES)
      throw new MalformedPacketError(`a packet of type ${flags >> 4} with ${totalBytes} bytes`);
    return totalBytes;
  }

  /** Section 3.3. */
  #message(bytes: Buffer, start: number, headerBytes: number, keptBytes: number, totalBytes: number): IncomingMessage {
    const flags = bytes[start] ?? 0;
    const keptEnd = start + keptBytes;
    const qos = (flags >> 1) & 3;
    if (qos > 1) throw new MalformedPacketError(`a message with QoS ${qos}, which we have not subscribed to`);
    const topicStart = start + headerBytes + 2;
    const topicEnd = topicStart + readUint16(bytes, topicStart - 2, keptEnd);
    let at = topicEnd;
    const packetId = qos === 0 ? 0 : readUint16(bytes, at, keptEnd);
    if (qos > 0) at += 2;
    if (this.#protocolVersion === 5) {
      const properties = readLength(bytes, at, keptEnd);
      if (properties === undefined) throw new MalformedPacketError('a message whose properties have no length');
      at = properties.end + properties.value;
    }
    const payloadBytes = start + totalBytes - at;
    if (topicEnd > keptEnd || payloadBytes < 0)
      throw new MalformedPacketError('a message that is longer than its packet');
    const payloadEnd = Math.min(keptEnd, at + this.#maxPayloadBytes());
    return {
      topic: bytes.toString('utf8', topicStart, topicEnd),
      payload: bytes.subarray(Math.min(at, payloadEnd), payloadEnd),
      payloadBytes,
      isRetained: (flags & 1) === 1,
      packetId,
    };
  }
}

/** @throws MalformedPacketError for a length of more than four bytes */
function readHeader(bytes: Buffer, start: number): Header {
  const flags = bytes[start] ?? 0;
  const length = readLength(bytes, start + 1, Math.min(bytes.length, start + MAX_HEADER_BYTES));
  if (length === undefined) {
    if (bytes.length - start >= MAX_HEADER_BYTES)
      throw new MalformedPacketError('a packet with a length that never ends');
    return { flags, headerBytes: 0, totalBytes: 0 };
  }
  const headerBytes = length.end - start;
  return { flags, headerBytes, totalBytes: headerBytes + length.value };
}

/** Variable byte integer (section 1.5.5 of MQTT 5); undefined where it does not end before `end`. */
function readLength(
  bytes: Buffer,
  start: number,
  end: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let at = start; at < Math.min(end, start + 4); at += 1) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}

function readUint16(bytes: Buffer, at: number, end: number): number {
  if (at + 2 > end) throw new MalformedPacketError('a message that is longer than its packet');
  return bytes.readUInt16BE(at);
}
