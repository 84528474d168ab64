import type { Gap } from '../../contract/reading.ts';
import { applyGaps, type EpochPlace, type EpochScan, scanEpoch } from './epoch-scan.ts';
import { FileJournal, type FileJournalOptions } from './file-journal.ts';
import type { JournalFs } from './journal-fs.ts';
import { findLosses } from './losses.ts';
import type { StoredGap } from './record.ts';

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
    // Without a header nobody can say how often it was thinned; then its readings stay.
    if (segment?.header === undefined || segment.level >= level) continue;
    const removal = await journal.planThinning(segment);
    if (removal !== undefined) await journal.thin(segment, level, removal);
  }
}
