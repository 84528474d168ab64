import { textTable } from '../../common/text-table.ts';
import { lossInWords } from '../doctor/examinations/journal.ts';
import type { InspectedEntry, JournalReport } from '../journal/inspect.ts';
import type { GapEntry, ReadingEntry } from '../journal/journal.ts';

const BYTES_PER_KB = 1024;

/** The epochs as an aligned table, what is wrong with them below, and a line with the sums. */
export function reportLines(folder: string, reports: readonly JournalReport[], isInUse: boolean): string {
  if (reports.length === 0) return `no journal under ${folder} yet\n`;
  const rows = reports.map((report) => [
    report.deviceUid,
    report.epoch,
    // Released segments are removed, so the first number that lies here is not 1 for ever.
    report.lastSeq === 0 ? 'none yet' : `up to ${report.lastSeq}`,
    String(report.unreleased),
    String(report.pending),
    String(report.unreleased - report.unreleasedReadings),
    kilobytes(report.bytesOnDisk),
  ]);
  const heading = ['device', 'epoch', 'numbers', 'unreleased', 'no time yet', 'gap records', 'on disk'];
  const sum = (count: (report: JournalReport) => number): number =>
    reports.reduce((total, report) => total + count(report), 0);
  const total = `${sum(({ unreleased }) => unreleased)} unreleased, ${kilobytes(sum(({ bytesOnDisk }) => bytesOnDisk))} on disk`;
  return [
    `${folder} (${isInUse ? 'an agent is writing to it' : 'no agent is writing to it'})`,
    ...textTable([heading, ...rows]),
    ...reports.flatMap(remarks),
    total,
    '',
  ].join('\n');
}

/** The entries as an aligned table. */
export function entryTable(entries: readonly InspectedEntry[]): string {
  const rows = entries.map(({ deviceUid, epoch, entry, released }) => [
    new Date(entry.kind === 'gap' ? entry.tsMs : entry.stamp.tsMs).toISOString(),
    deviceUid,
    epoch,
    String(entry.seq),
    entry.kind === 'gap' ? gapInWords(entry) : readingInWords(entry),
    released ? 'released' : 'waits',
  ]);
  return `${textTable([['time (UTC)', 'device', 'epoch', 'number', 'what', 'delivery'], ...rows]).join('\n')}\n`;
}

function remarks({ epoch, newerVersion, losses, uncertain }: JournalReport): readonly string[] {
  return [
    ...(newerVersion ? [`${epoch}: written by a newer version of this program; kept, not delivered`] : []),
    ...losses.map((gap) => `${epoch}: ${lossInWords(gap)} (${gap.reason}); the agent will report it`),
    ...(uncertain === undefined ? [] : [`${epoch}: closed for writing: ${uncertain}`]),
  ];
}

function readingInWords({ temperatureCelsius, humidityPercent, stamp }: ReadingEntry): string {
  const words = { synced: '', unsynced: ', clock unsynced', pending: ', time not final yet' };
  return `${temperatureCelsius.toFixed(2)} °C, ${humidityPercent.toFixed(2)} %RH${words[stamp.state]}`;
}

function gapInWords({ gap }: GapEntry): string {
  return `gap: of ${gap.ofEpoch}, ${lossInWords(gap)} (${gap.reason})`;
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / BYTES_PER_KB)} KB`;
}
