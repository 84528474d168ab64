import { randomInt } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Gap } from '../../contract/reading.ts';
import { isId } from '../../contract/topics.ts';
import { applyGaps, type EpochPlace, type EpochScan, NOTE_FILE, scanEpoch } from './epoch-scan.ts';
import { FileJournal, type FileJournalOptions } from './file-journal.ts';
import type { JournalEntry } from './journal.ts';
import { isMissing, type JournalFs, toJournalError } from './journal-fs.ts';
import { findLosses } from './losses.ts';
import { bootKeyOf, encodeGap, encodeReading, MAX_EPOCH_LENGTH, type StoredGap } from './record.ts';
import { NOTE_FILE_BYTES } from './release-note.ts';
import { type SegmentHeader, SLOTS_PER_BLOCK, segmentFileName } from './segment.ts';
import { isTemporary, writeSegment } from './segment-file.ts';

const GENERATION_DIGITS = 6;
const EPOCH_DIRECTORY = new RegExp(`^(\\d{${GENERATION_DIGITS}})-([A-Za-z0-9_]{1,${MAX_EPOCH_LENGTH}})$`);
/** A directory gets its name when it is complete and loses it before it is taken apart: what bears one is whole. */
const UNFINISHED = '.new';
const REMOVED = '.gone';

/** What an epoch begins with: nothing, or what was kept in memory while the disk refused. */
export interface EpochBeginning {
  readonly deviceUid: string;
  readonly epoch: string;
  readonly generation: number;
  /** Room in the segment that is appended to. */
  readonly slots: number;
  readonly entries: readonly JournalEntry[];
  /** Highest number given so far. */
  readonly lastSeq: number;
}

const EPOCH_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const EPOCH_LENGTH = 8;

/** Eight random characters: two journals of one device with the same name are a matter of aeons. */
export function createEpochName(): string {
  return Array.from({ length: EPOCH_LENGTH }, () => EPOCH_ALPHABET[randomInt(EPOCH_ALPHABET.length)]).join('');
}

/** The epochs under a journal's path: by device, oldest first. @throws JournalError when it cannot be looked into */
export async function listEpochs(fs: JournalFs, path: string): Promise<readonly EpochPlace[]> {
  const places: EpochPlace[] = [];
  for (const deviceUid of (await listDirectory(fs, path)).filter(isId).sort()) {
    const names = [...(await listDirectory(fs, join(path, deviceUid)))].sort();
    for (const name of names) {
      const [, generation, epoch] = EPOCH_DIRECTORY.exec(name) ?? [];
      if (generation === undefined || epoch === undefined) continue;
      places.push({ directory: join(path, deviceUid, name), deviceUid, epoch, generation: Number(generation) });
    }
  }
  return places;
}

/** Makes an epoch's directory; it appears under its name when it is whole and on disk. @throws JournalError */
export async function createEpoch(fs: JournalFs, path: string, beginning: EpochBeginning): Promise<EpochPlace> {
  const { deviceUid, epoch, generation } = beginning;
  const directory = join(path, deviceUid, `${String(generation).padStart(GENERATION_DIGITS, '0')}-${epoch}`);
  const unfinished = `${directory}${UNFINISHED}`;
  try {
    await fs.makeDirectory(unfinished);
    let index = 1;
    if (beginning.entries.length > 0) {
      await writeSegment(fs, join(unfinished, segmentFileName(index)), broughtEntries(beginning, index));
      index += 1;
    }
    const header = { deviceUid, epoch, index, slots: beginning.slots, firstSeq: beginning.lastSeq + 1 };
    await writeSegment(fs, join(unfinished, segmentFileName(index)), {
      header: { ...header, level: 0, retired: false },
      records: [],
    });
    await writeEmptyNote(fs, unfinished);
    await fs.rename(unfinished, directory);
    await fs.syncDirectory(join(path, deviceUid));
    await fs.syncDirectory(path);
  } catch (error) {
    throw toJournalError(error, 'creating', directory);
  }
  // The path's own entry above it; that directory may belong to somebody else.
  await fs.syncDirectory(dirname(path)).catch(() => undefined);
  return { directory, deviceUid, epoch, generation };
}

/** Written once in full, so that noting releases later needs no space: a full disk must not keep old readings from going. */
async function writeEmptyNote(fs: JournalFs, directory: string): Promise<void> {
  const file = await fs.open(join(directory, NOTE_FILE), 'create');
  try {
    await file.write(Buffer.alloc(NOTE_FILE_BYTES), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.syncDirectory(directory);
}

/** Removes an epoch of which everything is released and noted so. @throws JournalError */
export async function removeEpoch(fs: JournalFs, place: EpochPlace): Promise<void> {
  const removed = `${place.directory}${REMOVED}`;
  try {
    await fs.rename(place.directory, removed);
    await fs.syncDirectory(dirname(place.directory));
    await removeTree(fs, removed);
  } catch (error) {
    throw toJournalError(error, 'removing', place.directory);
  }
}

/** Clears away what interrupted runs left: never anything that has a segment's or an epoch's name. */
export async function removeLeftovers(fs: JournalFs, path: string): Promise<void> {
  for (const deviceUid of (await listDirectory(fs, path)).filter(isId)) {
    for (const name of await listDirectory(fs, join(path, deviceUid))) {
      const entry = join(path, deviceUid, name);
      if (name.endsWith(UNFINISHED) || name.endsWith(REMOVED)) await removeTree(fs, entry);
      else if (EPOCH_DIRECTORY.test(name)) await removeTemporaryFiles(fs, entry);
    }
  }
}

async function removeTemporaryFiles(fs: JournalFs, directory: string): Promise<void> {
  for (const name of (await listDirectory(fs, directory)).filter(isTemporary)) await fs.remove(join(directory, name));
}

async function removeTree(fs: JournalFs, directory: string): Promise<void> {
  for (const name of await listDirectory(fs, directory)) await fs.remove(join(directory, name));
  await fs.removeDirectory(directory);
}

/** Entries of a directory; none where there is no directory. */
async function listDirectory(fs: JournalFs, directory: string): Promise<readonly string[]> {
  try {
    return await fs.list(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw toJournalError(error, 'looking into', directory);
  }
}

function broughtEntries(
  { deviceUid, epoch, entries, lastSeq }: EpochBeginning,
  index: number,
): { readonly header: SegmentHeader; readonly records: readonly Buffer[] } {
  return {
    header: {
      deviceUid,
      epoch,
      index,
      slots: Math.ceil(entries.length / SLOTS_PER_BLOCK) * SLOTS_PER_BLOCK,
      firstSeq: entries[0]?.seq ?? 1,
      rewritten: { lastSeq, numbered: entries.length },
      level: 0,
      retired: false,
    },
    records: entries.map((entry) =>
      entry.kind === 'reading'
        ? encodeReading(entry, bootKeyOf(entry.bootId))
        : encodeGap({ ...entry, level: 0 }, epoch),
    ),
  };
}

/** An epoch as its files and the gap records of all epochs together say. */
export interface ScannedEpoch {
  readonly scan: EpochScan;
  readonly losses: readonly Gap[];
}

export interface OpenedEpochs {
  /** In the order of the places. */
  readonly journals: readonly FileJournal[];
  /** Written by a later version: left as they are for it. */
  readonly newer: readonly EpochPlace[];
}

/** Reads epochs without changing anything. @throws what the file system says when one cannot be looked into */
export async function scanEpochs(fs: JournalFs, places: readonly EpochPlace[]): Promise<readonly ScannedEpoch[]> {
  const scans: EpochScan[] = [];
  for (const place of places) scans.push(await scanEpoch(fs, place));
  const gaps = scans.flatMap((scan) => scan.gaps);
  for (const scan of scans) applyGaps(scan, gaps);
  return scans.map((scan) => ({ scan, losses: findLosses(scan, gaps) }));
}

/** Opens epochs with all that they hold; finishes a thinning that a crash interrupted. Damage never keeps one closed. */
export async function openEpochs(
  fs: JournalFs,
  places: readonly EpochPlace[],
  options: Omit<FileJournalOptions, 'fs' | 'scan' | 'losses'>,
): Promise<OpenedEpochs> {
  const scanned = await scanEpochs(fs, places);
  const gaps = scanned.flatMap(({ scan }) => scan.gaps);
  const journals: FileJournal[] = [];
  for (const { scan, losses } of scanned.filter((epoch) => !epoch.scan.newerVersion)) {
    const journal = new FileJournal({ ...options, fs, scan, losses });
    await finishThinning(journal, gaps);
    journals.push(journal);
  }
  return { journals, newer: scanned.filter(({ scan }) => scan.newerVersion).map(({ scan }) => scan.place) };
}

async function finishThinning(journal: FileJournal, gaps: readonly StoredGap[]): Promise<void> {
  const thinnings = gaps.filter(({ gap }) => gap.ofEpoch === journal.epoch && gap.reason === 'thinned');
  for (const { gap, level } of thinnings) {
    const segment = journal.segments().find(({ firstSeq, lastSeq }) => firstSeq <= gap.from && gap.from <= lastSeq);
    // Without a header it is not known how often it was thinned; then its readings stay.
    if (segment?.header === undefined || segment.level >= level) continue;
    const removal = await journal.upkeep.planThinning(segment);
    if (removal !== undefined) await journal.upkeep.thin(segment, level, removal);
  }
}
