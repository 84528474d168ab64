import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type Mark, markOn } from './database-file.ts';

/** The bytes of the write-ahead log, read without SQLite (https://www.sqlite.org/fileformat.html#the_write_ahead_log). */

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC_MASK = 0xffff_fffe;
const MAGIC = 0x377f_0682;
/** In the header, and in each frame of the same log; another pair after each time that the log begins again. */
const SALTS_AT = 16;
const SALTS_BYTES = 8;
const FRAME_SALTS_AT = 8;
/** Of the index in the -shm file (https://www.sqlite.org/walformat.html#the_wal_index_file_format), in the machine's byte order. */
const INDEX_BYTES = 96;
const INDEX_COPY_AT = 48;
const INDEX_LAST_FRAME_AT = 16;
const INDEX_SALTS_AT = 32;
/** Frames that are read at once. */
const FRAMES_A_READ = 256;

export interface LogHeader {
  readonly salts: string;
  readonly pageSize: number;
  readonly isBigEndian: boolean;
  readonly checksum: readonly [number, number];
}

/** Undefined where it is empty, or does not begin as a log does: SQLite would take nothing out of it. */
export function readLogHeader(file: number): LogHeader | undefined {
  const bytes = Buffer.alloc(HEADER_BYTES);
  if (readSync(file, bytes, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
  const magic = bytes.readUInt32BE(0);
  if ((magic & MAGIC_MASK) >>> 0 !== MAGIC) return undefined;
  return {
    salts: bytes.toString('hex', SALTS_AT, SALTS_AT + SALTS_BYTES),
    pageSize: bytes.readUInt32BE(8),
    isBigEndian: (magic & 1) === 1,
    checksum: [bytes.readUInt32BE(24), bytes.readUInt32BE(28)],
  };
}

/** What a look at an open log takes; kept between looks, because there is one for each group of readings. */
export class LogLook {
  readonly #bytes = Buffer.alloc(INDEX_BYTES);
  readonly #index = Buffer.alloc(INDEX_BYTES);
  readonly #lastFrame = new Uint32Array(this.#index.buffer, this.#index.byteOffset + INDEX_LAST_FRAME_AT, 1);

  /** Reads the index; false while somebody changes it. What the next calls say is held against it. */
  readIndex(file: number): boolean {
    const index = this.#index;
    if (readSync(file, index, 0, INDEX_BYTES, 0) < INDEX_BYTES) return false;
    return index.compare(index, INDEX_COPY_AT, INDEX_BYTES, 0, INDEX_COPY_AT) === 0;
  }

  /** The last frame that counts; 0 where nothing in the log does. */
  lastFrame(): number {
    return this.#lastFrame[0] ?? 0;
  }

  /** The first half of the salts: another one each time that the log begins again. */
  firstSalt(): number {
    return this.#index.readUInt32BE(INDEX_SALTS_AT);
  }

  salts(): string {
    return this.#index.toString('hex', INDEX_SALTS_AT, INDEX_SALTS_AT + SALTS_BYTES);
  }

  /** Whether the log begins as the index says. */
  isOfHeader(file: number): boolean {
    return this.#hasSalts(file, 0, SALTS_AT);
  }

  /** Whether this frame is there and belongs to the same log. */
  isOfFrame(file: number, frame: number, pageSize: number): boolean {
    return this.#hasSalts(file, logBytes(frame - 1, pageSize), FRAME_SALTS_AT);
  }

  #hasSalts(file: number, position: number, at: number): boolean {
    const end = at + SALTS_BYTES;
    if (readSync(file, this.#bytes, 0, end, position) < end) return false;
    return this.#bytes.compare(this.#index, INDEX_SALTS_AT, INDEX_SALTS_AT + SALTS_BYTES, at, end) === 0;
  }
}

/** How long a log with so many frames is. */
export function logBytes(frames: number, pageSize: number): number {
  return HEADER_BYTES + frames * (FRAME_HEADER_BYTES + pageSize);
}

export interface LogContent {
  readonly salts: string;
  /** Up to the last whole transaction. */
  readonly frames: number;
  /** As the last whole transaction left it; absent where the log does not touch it. */
  readonly mark?: Mark;
}

/**
 * Goes through the log as SQLite does after a crash: frame by frame, up to the first that is not whole.
 * @returns undefined where there is no log, or nothing in it that counts
 */
export function readLog(path: string, markPage: number): LogContent | undefined {
  const file = openOrUndefined(path);
  if (file === undefined) return undefined;
  try {
    const header = fstatSync(file).size === 0 ? undefined : readLogHeader(file);
    return header === undefined ? undefined : contentOf(file, header, markPage);
  } finally {
    closeSync(file);
  }
}

function contentOf(file: number, header: LogHeader, markPage: number): LogContent | undefined {
  const { salts, pageSize, isBigEndian } = header;
  const size = FRAME_HEADER_BYTES + pageSize;
  const chunk = Buffer.alloc(size * FRAMES_A_READ);
  let [s0, s1] = header.checksum;
  let frame = 0;
  let frames = 0;
  let mark: Mark | undefined;
  let newest: Mark | undefined;
  for (;;) {
    const length = readSync(file, chunk, 0, chunk.length, logBytes(frame, pageSize));
    for (let at = 0; at + size <= length; at += size) {
      if (chunk.toString('hex', at + FRAME_SALTS_AT, at + FRAME_SALTS_AT + SALTS_BYTES) !== salts) return result();
      [s0, s1] = checksum(chunk, at, at + 8, isBigEndian, s0, s1);
      [s0, s1] = checksum(chunk, at + FRAME_HEADER_BYTES, at + size, isBigEndian, s0, s1);
      if (s0 !== chunk.readUInt32BE(at + 16) || s1 !== chunk.readUInt32BE(at + 20)) return result();
      frame += 1;
      if (chunk.readUInt32BE(at) === markPage) newest = markOn(chunk.subarray(at + FRAME_HEADER_BYTES, at + size));
      // The size of the database after a transaction stands in its last frame only.
      if (chunk.readUInt32BE(at + 4) === 0) continue;
      frames = frame;
      mark = newest;
    }
    if (length < chunk.length) return result();
  }

  function result(): LogContent | undefined {
    return frames === 0 ? undefined : { salts, frames, ...(mark !== undefined && { mark }) };
  }
}

/** SQLite's own sum over pairs of 32-bit words. */
function checksum(
  bytes: Buffer,
  from: number,
  to: number,
  isBigEndian: boolean,
  first: number,
  second: number,
): [number, number] {
  let s0 = first;
  let s1 = second;
  for (let at = from; at < to; at += 8) {
    const a = isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const b = isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
    s0 = (s0 + a + s1) >>> 0;
    s1 = (s1 + b + s0) >>> 0;
  }
  return [s0, s1];
}

function openOrUndefined(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
