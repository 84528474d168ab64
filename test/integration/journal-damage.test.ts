import { describe, expect, it } from 'vitest';
import type { Gap } from '../../src/contract/reading.ts';
import type { JournalEntry } from '../../src/device/journal/journal.ts';
import type { JournalFile, JournalFs } from '../../src/device/journal/journal-fs.ts';
import { decodeNotes } from '../../src/device/journal/release-note.ts';
import { scanSegment } from '../../src/device/journal/segment-scan.ts';
import { type CrashFs, createStateFs } from '../support/crash-fs.ts';
import {
  BOOT_A,
  BOOT_B,
  DEVICE_UID,
  openTestDirectory,
  openTestSet,
  pendingReading,
  readSet,
  testReading,
} from '../support/journal-rig.ts';

const EPOCH = 'epoch1';
const HEADER_BYTES = 4096;
const RECORD_BYTES = 64;
const SLOTS = 16;
const BITS = 8;
/** How the agent ended before the damage: normally, or by kill -9 with its last releases not noted. */
const ENDS = ['closed', 'killed'] as const;

interface Sample {
  readonly fs: CrashFs;
  /** All that was ever given, by number. */
  readonly given: ReadonlyMap<number, JournalEntry>;
  readonly released: ReadonlySet<number>;
  readonly lastSeq: number;
}

/** Segments of 7 readings: released ones at the front, a gap record, a boot that got its time late, readings without time. */
async function createSample(end: 'closed' | 'killed' = 'closed'): Promise<Sample> {
  const fs = await createStateFs();
  const home = await openTestDirectory(fs, SLOTS);
  const journal = await home.activate(DEVICE_UID, () => EPOCH);
  for (let index = 1; index <= 3; index += 1) await journal.append(testReading(index));
  await journal.appendGap({ ofEpoch: 'older', from: 1, to: 9, count: 9, reason: 'dropped' }, 5);
  for (let index = 5; index <= 9; index += 1) await journal.append(pendingReading(index, { bootId: BOOT_A }));
  await journal.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 1.7e12, state: 'synced' });
  for (let index = 10; index < 17; index += 1) await journal.append(testReading(index));
  await journal.append(pendingReading(17, { bootId: BOOT_B }));
  const given = new Map((await journal.read(0, 100)).map((entry) => [entry.seq, entry]));
  const released = [1, 2, 10];
  for (const seq of released) journal.release([[seq, seq]]);
  const { lastSeq } = journal.stats;
  if (end === 'closed') await home.close();
  // Releases that a kill left without a note never happened, as far as the disk can tell.
  return { fs: fs.copy(), given, released: new Set(end === 'closed' ? released : []), lastSeq };
}

interface Outcome {
  readonly found: ReadonlyMap<number, JournalEntry>;
  readonly pending: number;
  readonly gaps: readonly Gap[];
  readonly next: { readonly epoch: string; readonly seq: number };
}

async function reopen(fs: CrashFs): Promise<Outcome> {
  const { set } = await openTestSet(fs, { createEpochName: () => 'epoch2', section: { maxReadings: 500 } });
  const { pending } = set.stats();
  const entries = await readSet(set);
  const { journal, entry } = await set.append(testReading(99));
  await set.close();
  const own = entries.filter(({ epoch, entry: { kind } }) => epoch === EPOCH && kind === 'reading');
  const isNew = ({ gap }: { gap: Gap }): boolean => gap.ofEpoch === EPOCH;
  const gapEntries = entries.map((item) => item.entry).filter((item) => item.kind === 'gap');
  return {
    found: new Map(
      [...own.map((item) => item.entry), ...gapEntries.filter((item) => !isNew(item))].map((item) => [item.seq, item]),
    ),
    pending,
    gaps: gapEntries.filter(isNew).map(({ gap }) => gap),
    next: { epoch: journal.epoch, seq: entry.seq },
  };
}

/**
 * What holds after any damage: what is there is what was given, and exactly what is gone is told. @returns the numbers that are gone
 */
function check(sample: Sample, outcome: Outcome, what: string): readonly number[] {
  const demand = (holds: boolean, complaint: string): void => {
    if (!holds) throw new Error(`${what}: ${complaint}\n${JSON.stringify(outcome.gaps)}`);
  };
  for (const [seq, entry] of outcome.found) {
    demand(JSON.stringify(entry) === JSON.stringify(sample.given.get(seq)), `number ${seq} is another than was given`);
  }
  const { next } = outcome;
  demand(next.epoch !== EPOCH || next.seq > sample.lastSeq, `number ${next.seq} is given a second time`);
  const lost = [...sample.given.keys()].filter((seq) => !outcome.found.has(seq) && !sample.released.has(seq));
  for (const seq of lost) {
    const isTold = outcome.gaps.some((gap) => gap.from <= seq && (gap.to ?? Infinity) >= seq);
    demand(isTold, `number ${seq} is gone and no gap record tells of it`);
  }
  for (const gap of outcome.gaps) {
    demand(gap.reason === 'damaged', `the reason is ${gap.reason}`);
    if (gap.to === undefined) continue;
    demand(gap.count === gap.to - gap.from + 1, 'the count is not that of the stretch');
    for (let seq = gap.from; seq <= gap.to; seq += 1) {
      demand(!outcome.found.has(seq), `number ${seq} is there and is told to be lost`);
      demand(!sample.released.has(seq), `number ${seq} was released and is told to be lost`);
    }
  }
  return lost;
}

function damaged(sample: Sample, path: string, damage: (content: Buffer) => Buffer): CrashFs {
  const fs = sample.fs.copy();
  fs.setContent(path, damage(fs.content(path)));
  return fs;
}

function flipBit(content: Buffer, bit: number): void {
  const byte = Math.floor(bit / BITS);
  content.writeUInt8(content.readUInt8(byte) ^ (1 << (bit % BITS)), byte);
}

/**
 * Whether the journal's reader finds in a damaged file what it has not found in one before. Everything later follows from
 * what it finds, so the whole journal is opened once for each finding, and every damage is read.
 */
function newsOf(path: string): (content: Buffer) => Promise<boolean> {
  const seen = new Set<string>();
  return async (content) => {
    const finding = JSON.stringify(await findings(path, content));
    const isNew = !seen.has(finding);
    seen.add(finding);
    return isNew;
  };
}

/** Slots of a file that a truncation to `length` leaves whole. */
function wholeSlots(length: number): number {
  return Math.max(0, Math.floor((length - HEADER_BYTES) / RECORD_BYTES));
}

/** Tens of thousands of files are read; the limit is for machines that have other things to do. */
describe('a journal that was damaged', { timeout: 600_000 }, () => {
  it('is whole when it is not', async () => {
    const sample = await createSample();
    const outcome = await reopen(sample.fs.copy());
    expect(check(sample, outcome, 'untouched')).toEqual([]);
    expect(outcome).toMatchObject({ gaps: [], pending: 1, next: { epoch: EPOCH, seq: sample.lastSeq + 1 } });
    expect([...outcome.found.keys()].sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16]);
  });

  it.each(ENDS)(
    'opens after every truncation of every file, keeps all whole records, says what is gone: %s',
    async (end) => {
      const sample = await createSample(end);
      const files = sample.fs.files();
      expect(files.length).toBeGreaterThanOrEqual(4);
      const tail = files.filter((name) => name.endsWith('.seg')).at(-1);
      for (const path of files) {
        const content = sample.fs.content(path);
        const isNews = newsOf(path);
        for (let size = 0; size < content.length; size += 1) {
          const cut = content.subarray(0, size);
          if (!(await isNews(cut))) continue;
          const what = `${path} cut to ${size} bytes`;
          const outcome = await reopen(damaged(sample, path, () => cut));
          const lost = check(sample, outcome, what);
          expect(lost.length, what).toBeLessThanOrEqual(path.endsWith('released') ? 0 : SLOTS - wholeSlots(size));
          if (path !== tail) continue;
          expect(outcome.next.epoch, `${what}: the highest number is not known, so none may follow it`).not.toBe(EPOCH);
          expect(outcome.gaps.filter(({ to }) => to === undefined).length, what).toBe(1);
        }
      }
    },
  );

  it.each(ENDS)('opens when any file is gone, keeps what the others hold and says what is gone: %s', async (end) => {
    const sample = await createSample(end);
    for (const path of sample.fs.files()) {
      const fs = sample.fs.copy();
      fs.deleteFile(path);
      const outcome = await reopen(fs);
      const lost = check(sample, outcome, `${path} gone`);
      if (path.endsWith('released')) expect(lost).toEqual([]);
    }
  });

  it('opens when all segments are gone, and gives no number a second time', async () => {
    const sample = await createSample();
    const fs = sample.fs.copy();
    for (const path of fs.files().filter((name) => name.endsWith('.seg'))) fs.deleteFile(path);
    const outcome = await reopen(fs);
    expect(outcome.next.epoch).toBe('epoch2');
    expect(outcome.gaps).toMatchObject([{ ofEpoch: EPOCH, reason: 'damaged' }]);
    expect(outcome.gaps[0]?.to).toBeUndefined();
  });

  it.each(ENDS)(
    'loses no more than the record that a flipped bit hits, whichever bit of whichever file: %s',
    async (end) => {
      const sample = await createSample(end);
      let lostRecords = 0;
      for (const path of sample.fs.files()) {
        const content = sample.fs.content(path);
        const isNews = newsOf(path);
        await isNews(content);
        for (let bit = 0; bit < content.length * BITS; bit += 1) {
          flipBit(content, bit);
          if (await isNews(content)) {
            const what = `${path} with bit ${bit} flipped`;
            const outcome = await reopen(damaged(sample, path, () => content));
            const lost = check(sample, outcome, what);
            expect(lost.length, what).toBeLessThanOrEqual(bit < HEADER_BYTES * BITS ? 0 : 1);
            expect(outcome.next.epoch, what).toBe(EPOCH);
            lostRecords += lost.length;
          }
          flipBit(content, bit);
        }
      }
      // Each of them once; of those that were released only what nobody had noted.
      expect(lostRecords).toBeGreaterThanOrEqual(sample.given.size - sample.released.size);
    },
  );

  it('tells of the same damage once, however often it is opened', async () => {
    const damages: readonly ((content: Buffer) => Buffer)[] = [
      (content) => content.fill(0xa5, HEADER_BYTES + RECORD_BYTES, HEADER_BYTES + 2 * RECORD_BYTES),
      (content) => content.subarray(0, HEADER_BYTES + RECORD_BYTES),
      (content) => content.subarray(0, 0),
    ];
    const sample = await createSample();
    let toldInAll = 0;
    for (const path of sample.fs.files().filter((name) => name.endsWith('.seg'))) {
      for (const damage of damages) {
        const fs = damaged(sample, path, damage);
        const told = new Map<string, Gap>();
        for (let round = 0; round < 4; round += 1) {
          const { set } = await openTestSet(fs, { section: { maxReadings: 500 } });
          // What was released before may come again, under its own number: that is once.
          for (const { epoch, entry } of await readSet(set)) {
            if (entry.kind !== 'gap' || entry.gap.ofEpoch !== EPOCH) continue;
            told.set(`${epoch}/${entry.seq}`, entry.gap);
          }
          // Everything else is sent and stored meanwhile, so that the segment with the gap record could go.
          for (let index = 0; index < 70; index += 1) await set.append(testReading(100 * round + index));
          for (const journal of set.journals()) if (journal.epoch !== EPOCH) journal.release([[1, 10_000]]);
          await set.append(testReading(50 + round));
          await set.close();
        }
        const gaps = [...told.values()];
        const numbers = gaps.flatMap(({ from, to = from }) =>
          Array.from({ length: to - from + 1 }, (_, at) => from + at),
        );
        expect(new Set(numbers).size, `${path}: ${JSON.stringify(gaps)}`).toBe(numbers.length);
        toldInAll += gaps.length;
      }
    }
    expect(toldInAll).toBeGreaterThanOrEqual(6);
  });

  it('does not go on where the note knows of more than the records do', async () => {
    const sample = await createSample();
    const tail =
      sample.fs
        .files()
        .filter((path) => path.endsWith('.seg'))
        .at(-1) ?? '';
    const outcome = await reopen(damaged(sample, tail, (content) => content.fill(0, HEADER_BYTES)));
    check(sample, outcome, 'the records of the last segment are zeros');
    expect(outcome.next.epoch).not.toBe(EPOCH);
    expect(outcome.gaps.filter(({ to }) => to === undefined).length).toBe(1);
  });

  it('loses no record with both of its headers unreadable, and gives no more numbers in the last one', async () => {
    const sample = await createSample();
    for (const path of sample.fs.files().filter((name) => name.endsWith('.seg'))) {
      const outcome = await reopen(damaged(sample, path, (content) => content.fill(0x55, 0, HEADER_BYTES)));
      expect(check(sample, outcome, path)).toEqual([]);
    }
  });
});

/** What one file says. */
async function findings(path: string, content: Buffer): Promise<unknown> {
  if (path.endsWith('released')) return decodeNotes(content, DEVICE_UID, EPOCH) ?? 'nothing';
  const index = Number(path.slice(-'00000001.seg'.length, -'.seg'.length));
  const scan = await scanSegment(oneFile(content), { deviceUid: DEVICE_UID, epoch: EPOCH, index, path }, 0);
  if (scan === 'newer-version') return scan;
  const { segment } = scan;
  const pending = [...segment.pending].map(([boot, seqs]) => [boot, [...seqs]]);
  return { ...scan, segment: { ...segment, bytes: 0, unreleased: [...segment.unreleased], pending } };
}

/** A file system that has one file, which is opened. */
function oneFile(content: Buffer): JournalFs {
  const file: JournalFile = {
    read: (buffer, position) => Promise.resolve(content.copy(buffer, 0, position)),
    size: () => Promise.resolve(content.length),
    identity: unexpected,
    close: () => Promise.resolve(),
    write: unexpected,
    dataSync: unexpected,
    sync: unexpected,
  };
  return {
    open: () => Promise.resolve(file),
    identify: unexpected,
    list: unexpected,
    makeDirectory: unexpected,
    syncDirectory: unexpected,
    rename: unexpected,
    remove: unexpected,
    removeDirectory: unexpected,
    freeBytes: unexpected,
  };
}

function unexpected(): never {
  throw new Error('looking into a file changes nothing');
}
