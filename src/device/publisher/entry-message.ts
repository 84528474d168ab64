import { encodeBacklog, encodeGapRecord, encodeReading, type GapRecord, type Reading } from '../../contract/reading.ts';
import { sensorTopic } from '../../contract/topics.ts';
import type { Journal, JournalEntry } from '../journal/journal.ts';
import type { LinkMessage } from '../mqtt/session.ts';

/** An entry as the wire calls it; its time must be final. */
export function wireItem(epoch: string, entry: JournalEntry): Reading | GapRecord {
  if (entry.kind === 'gap') return { gap: entry.gap, tsMs: entry.tsMs, epoch, seq: entry.seq };
  return {
    temperatureCelsius: entry.temperatureCelsius,
    humidityPercent: entry.humidityPercent,
    tsMs: entry.stamp.tsMs,
    epoch,
    seq: entry.seq,
    ...(entry.stamp.state === 'unsynced' && { clock: 'unsynced' as const }),
    ...(entry.trigger !== undefined && { trigger: entry.trigger }),
  };
}

/** One entry as it stands on the wire, one JSON object. */
export function encodeEntry(epoch: string, entry: JournalEntry): string {
  const item = wireItem(epoch, entry);
  return 'gap' in item ? encodeGapRecord(item) : encodeReading(item);
}

/** One entry, on `reading` or `gap`. */
export function entryMessage(homeId: string, journal: Journal, entry: JournalEntry): LinkMessage {
  return {
    topic: sensorTopic(homeId, journal.deviceUid, entry.kind),
    payload: encodeEntry(journal.epoch, entry),
    retain: false,
  };
}

/** Several entries of one journal, on `backlog`. */
function backlogMessage(homeId: string, journal: Journal, entries: readonly JournalEntry[]): LinkMessage {
  return {
    topic: sensorTopic(homeId, journal.deviceUid, 'backlog'),
    payload: encodeBacklog(entries.map((entry) => wireItem(journal.epoch, entry))),
    retain: false,
  };
}

/**
 * As many of the first entries as fit into one message, at least one: whether a single one fits is for the link to say.
 */
export function fittingBacklog(
  homeId: string,
  journal: Journal,
  entries: readonly JournalEntry[],
  fits: (message: LinkMessage) => boolean,
): { readonly message: LinkMessage; readonly count: number } {
  let count = entries.length;
  for (;;) {
    const message = backlogMessage(homeId, journal, entries.slice(0, count));
    if (count === 1 || fits(message)) return { message, count };
    count = Math.ceil(count / 2);
  }
}
