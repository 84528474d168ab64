import type { Gap } from '../../contract/reading.ts';
import { listEpochs, type ScannedEpoch, scanEpochs } from './epoch-directories.ts';
import { EpochFiles } from './epoch-files.ts';
import type { EpochScan } from './epoch-scan.ts';
import type { JournalEntry } from './journal.ts';
import type { JournalFs } from './journal-fs.ts';
import { decodeEntry, type EntrySource, isNumbered, readRecords, type StoredRecord } from './read-entries.ts';
import { decodeReading } from './record.ts';
import { countPending, countUnreleasedReadings, type Segment } from './segment.ts';

/** What lies in one epoch's directory, for people. */
export interface JournalReport {
  readonly deviceUid: string;
  readonly epoch: string;
  readonly directory: string;
  /** A later version of this program wrote it: the rest of the report is empty. */
  readonly newerVersion: boolean;
  readonly segments: number;
  readonly bytesOnDisk: number;
  readonly lastSeq: number;
  /** Entries that wait for their release; as of the last note on disk, so a running agent may have released more. */
  readonly unreleased: number;
  readonly unreleasedReadings: number;
  /** Of these, readings that wait for their time. */
  readonly pending: number;
  /** Losses through damage that no gap record tells of yet. */
  readonly losses: readonly Gap[];
  /** Why no more numbers are given in it, where that is so. */
  readonly uncertain?: string;
}

/** An entry with where it lies. A reading without its final time is `pending`, with the time that the clock said. */
export interface InspectedEntry {
  readonly deviceUid: string;
  readonly epoch: string;
  readonly entry: JournalEntry;
  readonly released: boolean;
}

/** Looks into all journals under a path, beside a running agent too: takes no lock, changes nothing. @throws JournalError */
export async function inspectJournals(path: string, fs: JournalFs): Promise<readonly JournalReport[]> {
  const epochs = await scanEpochs(fs, await listEpochs(fs, path));
  return epochs.map(reportOf);
}

/** Every whole entry under a path, released ones too as long as they are on disk; by device, oldest first. */
export async function* inspectEntries(path: string, fs: JournalFs): AsyncGenerator<InspectedEntry> {
  for (const { scan } of await scanEpochs(fs, await listEpochs(fs, path))) {
    const files = new EpochFiles(fs, scan);
    const source: EntrySource = { files, place: scan.place, settlements: scan.settlements };
    try {
      for (const segment of files.segments) yield* entriesOf(source, segment);
    } finally {
      await files.close();
    }
  }
}

async function* entriesOf(source: EntrySource, segment: Segment): AsyncGenerator<InspectedEntry> {
  const { deviceUid, epoch } = source.place;
  for (const record of await recordsOf(source, segment)) {
    const entry = decodeEntry(source, record) ?? decodeReading(record.slot);
    yield { deviceUid, epoch, entry, released: !segment.unreleased.has(record.seq) };
  }
}

/** None where the running agent has removed the file meanwhile. */
async function recordsOf({ files, place }: EntrySource, segment: Segment): Promise<readonly StoredRecord[]> {
  try {
    return (await readRecords(files, place, segment)).filter(isNumbered);
  } catch {
    return [];
  }
}

function reportOf({ scan, losses }: ScannedEpoch): JournalReport {
  const segments = scan.segments.map(({ segment }) => segment);
  const sum = (count: (segment: Segment) => number): number =>
    segments.reduce((total, segment) => total + count(segment), 0);
  return {
    ...placeOf(scan),
    newerVersion: scan.newerVersion,
    segments: segments.length,
    bytesOnDisk: sum(({ bytes }) => bytes),
    lastSeq: scan.lastSeq,
    unreleased: sum(({ unreleased }) => unreleased.size),
    unreleasedReadings: sum(countUnreleasedReadings),
    pending: sum(countPending),
    losses,
    ...(scan.uncertain !== undefined && !scan.newerVersion && { uncertain: scan.uncertain }),
  };
}

function placeOf({ place }: EpochScan): Pick<JournalReport, 'deviceUid' | 'epoch' | 'directory'> {
  return { deviceUid: place.deviceUid, epoch: place.epoch, directory: place.directory };
}
