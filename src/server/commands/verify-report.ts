import { textTable } from '../../common/text-table.ts';
import { countOfRanges, type SeqRange } from '../../contract/seq-ranges.ts';
import type { Device } from '../store/stored.ts';
import { type KnownTimes, numberKey } from '../verify/neighbours.ts';
import type { DeviceVerdict, EpochVerdict, Hole } from '../verify/verdict.ts';
import { isoOrNull, shownTime } from './command-times.ts';

/** What all verdicts come to. */
export interface Sum {
  readonly nowMs: number;
  readonly devices: number;
  readonly readings: number;
  readonly unnumbered: number;
  readonly missing: number;
  readonly explained: number;
  readonly before: number;
  readonly waiting: number;
  /** Numbers in holes. */
  readonly holes: number;
  readonly doubled: number;
  readonly rejected: number;
  /** Devices with a hole or a doubled number. */
  readonly faulty: number;
}

/** Of ranges that a line shows. */
const MAX_SHOWN_RANGES = 8;

export function emptySum(nowMs: number): Sum {
  const nothing = { devices: 0, readings: 0, unnumbered: 0, missing: 0, explained: 0, before: 0, waiting: 0 };
  return { nowMs, ...nothing, holes: 0, doubled: 0, rejected: 0, faulty: 0 };
}

export function withVerdict(sum: Sum, { epochs, unnumbered, isWhole }: DeviceVerdict): Sum {
  const total = (count: (epoch: EpochVerdict) => number): number =>
    epochs.reduce((subtotal, epoch) => subtotal + count(epoch), 0);
  return {
    nowMs: sum.nowMs,
    devices: sum.devices + 1,
    readings: sum.readings + unnumbered + total(({ readings }) => readings),
    unnumbered: sum.unnumbered + unnumbered,
    missing: sum.missing + total(({ missing }) => missing),
    explained: sum.explained + total(toldBy),
    before: sum.before + total(({ beforeRecord }) => countOfRanges(beforeRecord)),
    waiting: sum.waiting + total(({ waiting }) => waiting),
    holes: sum.holes + total(goneWithoutAWord),
    doubled: sum.doubled + total(({ doubled }) => countOfRanges(doubled)),
    rejected: sum.rejected + total(({ rejected }) => countOfRanges(rejected)),
    faulty: sum.faulty + (isWhole ? 0 : 1),
  };
}

/** What a person takes home: whether there is a hole, and everything that softens or limits that word. */
export function summaryLine(sum: Sum): string {
  const head =
    sum.faulty === 0
      ? `No unexplained hole: ${counted(sum.readings, 'reading')} of ${counted(sum.devices, 'device')}`
      : [
          ...(sum.holes > 0 ? [`${counted(sum.holes, 'number')} missing without explanation`] : []),
          ...(sum.doubled > 0 ? [`${counted(sum.doubled, 'number')} stored more than once`] : []),
        ].join(', ');
  const remarks = [
    ...(sum.explained > 0 ? [`${sum.explained} missing as gap records say`] : []),
    ...(sum.rejected > 0 ? [`${sum.rejected} came and were rejected (techtemp-server rejected)`] : []),
    ...(sum.waiting > 0 ? [`${sum.waiting} may still be on their device: verify again when it has delivered`] : []),
    ...(sum.before > 0 ? [`${sum.before} from before this record (--strict counts them)`] : []),
    ...(sum.unnumbered > 0 ? [`${sum.unnumbered} without numbers, between which nothing can be proved`] : []),
  ];
  return `${[head, ...remarks].join('; ')}. (${shownTime(sum.nowMs)})`;
}

/** One device: a table of its epochs, and each hole below. */
export function deviceReport(device: Device, verdict: DeviceVerdict, times: KnownTimes, maxHoles: number): string {
  const { uid, label, room, state } = device;
  const name = [uid, ...(label === null ? [] : [`"${label}"`]), ...(room === null ? [] : [`in ${room.name}`])].join(
    ' ',
  );
  const lines = [`${name}${state === 'active' ? '' : ` (${state})`}`];
  if (verdict.epochs.length > 0) lines.push(...indented(epochTable(verdict.epochs)));
  for (const epoch of verdict.epochs) lines.push(...indented(remarks(epoch, verdict, times, maxHoles)));
  if (verdict.unnumbered > 0) lines.push(`  ${verdict.unnumbered} readings without numbers (of an older agent)`);
  if (verdict.epochs.length === 0 && verdict.unnumbered === 0) lines.push('  no reading yet');
  return `${lines.join('\n')}\n\n`;
}

/** As JSON: ranges are `[from, to]`. */
export function verdictRecord(verdict: DeviceVerdict, times: KnownTimes): object {
  return {
    device_id: verdict.deviceUid,
    is_whole: verdict.isWhole,
    unnumbered: verdict.unnumbered,
    epochs: verdict.epochs.map((epoch) => ({
      epoch: epoch.epoch,
      last: epoch.last,
      from: isoOrNull(epoch.fromMs),
      to: isoOrNull(epoch.toMs),
      readings: epoch.readings,
      gap_records: epoch.gapRecords,
      rejected: epoch.rejected,
      doubled: epoch.doubled,
      missing: epoch.missing,
      explained: epoch.explained,
      before_record: epoch.beforeRecord,
      waiting: epoch.waiting,
      holes: epoch.holes.map((hole) => ({ ranges: hole.missing, count: hole.count, ...between(epoch, hole, times) })),
    })),
  };
}

function epochTable(epochs: readonly EpochVerdict[]): readonly string[] {
  const rows = epochs.map((epoch) => [
    epoch.epoch,
    epoch.last === 0 ? 'none' : `1 to ${epoch.last}`,
    String(epoch.readings),
    String(epoch.gapRecords),
    String(countOfRanges(epoch.rejected)),
    String(epoch.missing),
    String(toldBy(epoch)),
    String(goneWithoutAWord(epoch)),
    shownTime(epoch.fromMs),
    shownTime(epoch.toMs),
  ]);
  const heading = [
    'epoch',
    'numbers',
    'readings',
    'gap records',
    'rejected',
    'missing',
    'explained',
    'HOLES',
    'from',
    'to',
  ];
  return textTable([heading, ...rows]);
}

function remarks(
  epoch: EpochVerdict,
  { buffered }: DeviceVerdict,
  times: KnownTimes,
  maxHoles: number,
): readonly string[] {
  const { explained, beforeRecord, waiting, doubled, holes } = epoch;
  const told = Object.entries(explained).map(([reason, count]) => `${count} ${reason}`);
  const more = holes.length - maxHoles;
  return [
    ...(told.length > 0 ? [`${epoch.epoch}: gap records explain ${told.join(', ')}`] : []),
    ...(beforeRecord.length > 0 ? [`${epoch.epoch}: ${inWords(beforeRecord)} from before this record`] : []),
    ...(waiting > 0
      ? [
          `${epoch.epoch}: ${waiting} may still be on the device (it said ${shownTime(buffered?.toldMs)} that ${buffered?.count ?? 0} wait)`,
        ]
      : []),
    ...(doubled.length > 0 ? [`${epoch.epoch}: DOUBLED ${inWords(doubled)}, stored with different times`] : []),
    ...holes.slice(0, maxHoles).map((hole) => `${epoch.epoch}: HOLE ${holeInWords(epoch, hole, times)}`),
    ...(more > 0 ? [`${epoch.epoch}: and ${more} more holes (--json lists all)`] : []),
  ];
}

function holeInWords(epoch: EpochVerdict, hole: Hole, times: KnownTimes): string {
  const { after, before } = between(epoch, hole, times);
  const when = `between ${after ?? 'the beginning'} and ${before ?? '(time unknown)'}`;
  const possible = countOfRanges(hole.missing);
  if (possible === hole.count) return `${inWords(hole.missing)}, ${when}`;
  return `${hole.count} of the ${possible} that are missing in ${inWords(hole.missing)} (gap records explain the others), ${when}`;
}

/** Times of the readings next to a hole. */
function between(
  { epoch }: EpochVerdict,
  { missing }: Hole,
  times: KnownTimes,
): { readonly after: string | null; readonly before: string | null } {
  return {
    after: isoOrNull(times.get(numberKey(epoch, (missing[0]?.[0] ?? 1) - 1))),
    before: isoOrNull(times.get(numberKey(epoch, (missing.at(-1)?.[1] ?? 1) + 1))),
  };
}

function inWords(ranges: readonly SeqRange[]): string {
  const shown = ranges.slice(0, MAX_SHOWN_RANGES).map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`));
  const more = ranges.length - shown.length;
  const isOne = ranges.length === 1 && ranges[0]?.[0] === ranges[0]?.[1];
  return `${isOne ? 'number' : 'numbers'} ${shown.join(', ')}${more > 0 ? ` and ${more} more ranges` : ''}`;
}

function toldBy({ explained }: EpochVerdict): number {
  return Object.values(explained).reduce((sum, count) => sum + count, 0);
}

function goneWithoutAWord({ holes }: EpochVerdict): number {
  return holes.reduce((sum, { count }) => sum + count, 0);
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
