import { textTable } from '../../cli/listing.ts';
import { countOfRanges, type SeqRange } from '../../contract/seq-ranges.ts';
import type { Device } from '../store/stored.ts';
import { type DeviceVerdict, type DoubtedGap, type EpochVerdict, type GapDoubt, type Hole } from '../verify/explain.ts';
import { type KnownTimes, numberKey } from '../verify/hole-times.ts';
import { goneWithoutAWord, type Sum, toldBy } from '../verify/sum.ts';
import { isoOrNull, shownTime } from './command-store.ts';

/** Of ranges that a line shows. */
const MAX_SHOWN_RANGES = 8;

/** What a person takes home: whether there is a hole, and everything that softens or limits that word. Only where nothing was left open does it say no more. */
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
    ...(sum.quarantined > 0 ? [`${sum.quarantined} in quarantine (techtemp-server quarantine list)`] : []),
    ...(sum.waiting > 0 ? [`${sum.waiting} may still be on their device: verify again when it has delivered`] : []),
    ...(sum.before > 0
      ? [`${sum.before} from before this record: it cannot know what became of them (--strict counts them)`]
      : []),
    ...(sum.unnumbered > 0
      ? [
          `${sum.unnumbered} without numbers, between which nothing can be proved: whether any is missing cannot be known`,
        ]
      : []),
    ...(sum.doubted > 0 ? [`${counted(sum.doubted, 'gap record')} not believed (techtemp-server gaps dismiss)`] : []),
    ...(sum.unknownEnds > 0
      ? [
          `what came last of ${counted(sum.unknownEnds, 'epoch')} cannot be known: an older state of the record was taken over`,
        ]
      : []),
    ...(sum.leaps > 0 ? [`${counted(sum.leaps, 'number')} too far above the others to be believed`] : []),
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
    is_whole: verdict.outcome === 'whole',
    outcome: verdict.outcome,
    unnumbered: verdict.unnumbered,
    epochs: verdict.epochs.map((epoch) => ({
      epoch: epoch.epoch,
      last: epoch.last,
      from: isoOrNull(epoch.fromMs),
      to: isoOrNull(epoch.toMs),
      readings: epoch.readings,
      gap_records: epoch.gapRecords,
      rejected: epoch.rejected,
      quarantined: epoch.quarantined,
      doubled: epoch.doubled,
      missing: epoch.missing,
      explained: epoch.explained,
      before_record: epoch.beforeRecord,
      waiting: epoch.waiting,
      holes: epoch.holes.map((hole) => ({ ranges: hole.missing, count: hole.count, ...between(epoch, hole, times) })),
      gap_records_not_believed: epoch.doubted.map(({ gap, doubt }) => ({
        record: { epoch: gap.epoch, seq: gap.seq },
        from: gap.fromSeq,
        to: gap.toSeq,
        count: gap.count,
        why: doubt,
        dismissed_because: gap.dismissal?.reason ?? null,
      })),
      numbers_not_believed: epoch.leaps,
      unknown_after:
        epoch.unknownEnd === null ? null : { seq: epoch.last, taken_over: isoOrNull(epoch.unknownEnd.takenMs) },
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
  const { explained, beforeRecord, waiting, doubled, holes, quarantined, doubted, leaps, unknownEnd } = epoch;
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
    ...(quarantined.length > 0 ? [`${epoch.epoch}: ${inWords(quarantined)} in quarantine`] : []),
    ...doubted.slice(0, maxHoles).map((doubt) => `${epoch.epoch}: ${doubtInWords(doubt)}`),
    ...(doubted.length > maxHoles
      ? [`${epoch.epoch}: and ${doubted.length - maxHoles} more gap records that are not believed (--json lists all)`]
      : []),
    ...(leaps.length > 0 ? [`${epoch.epoch}: ${inWords(leaps)} too far above the others to be believed`] : []),
    ...(unknownEnd === null
      ? []
      : [
          `${epoch.epoch}: an older state of the record was taken over at ${shownTime(unknownEnd.takenMs)}, and nothing has come of this epoch since: whether there were numbers after ${epoch.last} cannot be known`,
        ]),
    ...(doubled.length > 0 ? [`${epoch.epoch}: DOUBLED ${inWords(doubled)}, stored with different times`] : []),
    ...holes.slice(0, maxHoles).map((hole) => `${epoch.epoch}: HOLE ${holeInWords(epoch, hole, times)}`),
    ...(more > 0 ? [`${epoch.epoch}: and ${more} more holes (--json lists all)`] : []),
  ];
}

const DOUBTS: Readonly<Record<GapDoubt, string>> = {
  dismissed: 'dismissed',
  'counts-too-many': 'not believed: it counts more than its stretch holds',
  'not-given-yet': 'not believed: it speaks of numbers that were given after it',
  'never-heard-of': 'not believed: it speaks of numbers far beyond all that was heard of',
};

function doubtInWords({ gap, doubt }: DoubtedGap): string {
  const { fromSeq, toSeq, epoch, seq, dismissal } = gap;
  const stretch = toSeq === null ? `${fromSeq} and on` : `${fromSeq} to ${toSeq}`;
  const because = dismissal === undefined || dismissal === null ? '' : `: ${dismissal.reason}`;
  return `gap record ${epoch}/${seq} about ${stretch} is ${DOUBTS[doubt]}${because}`;
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

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
