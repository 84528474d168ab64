import { isId } from '../../../../contract/ids.ts';
import { StoreError } from '../../store.ts';

/**
 * A place in a list, as text that is safe in a URL. It holds names and times, no internal number, and no state of the server: the
 * next page begins behind that place, whatever was added meanwhile.
 */
export type CursorPart = string | number | null;

export function encodeCursor(parts: readonly CursorPart[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** @throws StoreError INVALID when the text is not one that `encodeCursor` made of parts of these kinds */
export function decodeCursor<T extends readonly CursorPart[]>(text: string, isOurs: (parts: unknown) => parts is T): T {
  const parts = parsed(text);
  if (isOurs(parts)) return parts;
  throw new StoreError('INVALID', `"after" must be the "next" of the page before, found "${shortened(text)}"`);
}

/** Time, device, epoch and number; the last two are null for readings without numbers. */
export type ReadingCursor = readonly [tsMs: number, deviceUid: string, epoch: string | null, seq: number | null];

export function isReadingCursor(parts: unknown): parts is ReadingCursor {
  if (!Array.isArray(parts) || parts.length !== 4) return false;
  const [tsMs, deviceUid, epoch, seq] = parts as readonly unknown[];
  if (!isTime(tsMs) || !isName(deviceUid)) return false;
  return epoch === null ? seq === null : isName(epoch) && isCount(seq);
}

/** Public number of a rejected message. */
export type RejectedCursor = readonly [id: number];

export function isRejectedCursor(parts: unknown): parts is RejectedCursor {
  return Array.isArray(parts) && parts.length === 1 && isCount(parts[0]);
}

/** Time, device, epoch and number of a gap record. */
export type GapCursor = readonly [tsMs: number, deviceUid: string, epoch: string, seq: number];

export function isGapCursor(parts: unknown): parts is GapCursor {
  return isReadingCursor(parts) && parts[2] !== null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown;
  } catch {
    return undefined;
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function isCount(value: unknown): value is number {
  return isTime(value) && value >= 0;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && isId(value);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
