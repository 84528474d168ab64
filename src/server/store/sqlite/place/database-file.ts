import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Sqlite } from '../database.ts';
import { migrate } from '../migrate.ts';
import { syncPath } from './identity-file.ts';

/** The bytes of the database file, read without SQLite (https://www.sqlite.org/fileformat.html): what is opened may be changed. */

export const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const PAGE_SIZE_AT = 16;
const CHANGE_COUNTER_AT = 24;
const PAGES_AT = 28;
/** A page size of 65,536 does not fit into its two bytes. */
const LARGEST_PAGE = 65_536;
const TABLE_LEAF_PAGE = 0x0d;
const CELL_COUNT_AT = 3;
const FIRST_CELL_AT = 8;
/** Of the one row of the table `record`: its length, key and column types, then id and generation, both of a fixed length. */
const MARK_ROW = /^[\s\S]{5,16}?([0-9a-f]{32})(\d{12})/;
const MARK_ROW_BYTES = 96;
const PAGES_A_READ = 256;

/** What tells one state of one record from another. */
export interface Mark {
  readonly id: string;
  readonly generation: number;
}

export interface DatabaseHeader {
  readonly pageSize: number;
  /** Goes up, although not with each transaction; a copy that SQLite made begins again. */
  readonly changeCounter: number;
  /** How many pages it had when its first page was written last. */
  readonly pages: number;
}

/** Undefined where the file does not begin as a database does. */
export function readHeader(file: number): DatabaseHeader | undefined {
  const bytes = Buffer.alloc(HEADER_BYTES);
  if (readSync(file, bytes, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined;
  const pageSize = bytes.readUInt16BE(PAGE_SIZE_AT);
  return {
    pageSize: pageSize === 1 ? LARGEST_PAGE : pageSize,
    changeCounter: bytes.readUInt32BE(CHANGE_COUNTER_AT),
    pages: bytes.readUInt32BE(PAGES_AT),
  };
}

/** The mark on a page of the database file itself, without what its log adds; undefined where that page does not hold one. */
export function readMark(file: number, page: number, pageSize: number): Mark | undefined {
  const bytes = Buffer.alloc(pageSize);
  if (readSync(file, bytes, 0, pageSize, (page - 1) * pageSize) < pageSize) return undefined;
  return markOn(bytes);
}

/** The same where the page is not known any more: VACUUM moves it. Reads the whole file at worst. */
export function findMark(file: number, pageSize: number): { readonly mark: Mark; readonly page: number } | undefined {
  const bytes = Buffer.alloc(pageSize * PAGES_A_READ);
  for (let page = 1; ; page += PAGES_A_READ) {
    const length = readSync(file, bytes, 0, bytes.length, (page - 1) * pageSize);
    for (let at = 0; at + pageSize <= length; at += pageSize) {
      const mark = markOn(bytes.subarray(at, at + pageSize));
      if (mark !== undefined) return { mark, page: page + at / pageSize };
    }
    if (length < bytes.length) return undefined;
  }
}

/** The mark on the page that holds the table `record`. */
export function markOn(page: Buffer): Mark | undefined {
  if (page[0] !== TABLE_LEAF_PAGE || page.readUInt16BE(CELL_COUNT_AT) !== 1) return undefined;
  const at = page.readUInt16BE(FIRST_CELL_AT);
  const [, id, generation] = MARK_ROW.exec(page.toString('latin1', at, at + MARK_ROW_BYTES)) ?? [];
  return id === undefined || generation === undefined ? undefined : { id, generation: Number(generation) };
}

/**
 * Makes a database that is whole from the beginning: under another name, which it gives up only then. Where another process was
 * faster, its database stays. @throws what SQLite and the file system throw
 */
export function makeDatabase(sqlite: Sqlite, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    const db = new sqlite(draft);
    try {
      db.pragma('synchronous = FULL');
      migrate(sqlite, db);
    } finally {
      db.close();
    }
    giveName(draft, path);
    syncPath(dirname(path));
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Never over a file that is there. */
function giveName(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    // No hard links on this file system.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EMLINK') throw error;
    if (!existsSync(path)) renameSync(draft, path);
  }
}
