import type { Examination } from '../../../common/doctor/examination.ts';
import type { Finding } from '../../../common/doctor/finding.ts';
import type { Gap } from '../../../contract/reading.ts';
import type { JournalReport } from '../../journal/inspect.ts';
import { report } from '../finding.ts';
import type { JournalLook } from '../journal-look.ts';

/** Half full is early enough to do something, and late enough not to cry wolf after a weekend without network. */
const BACKLOG_SHARE = 0.5;
const BYTES_PER_KB = 1024;

export interface JournalParts {
  readonly folder: string;
  readonly maxReadings: number;
  readonly configFile: string;
  readonly look: () => Promise<JournalLook>;
  /** Whether readings stay here because nobody is subscribed to them: then a full journal is how it should be. */
  readonly isKeptForNobody: () => Promise<boolean>;
}

/** What lies in the journal: whole, delivered, with its time; or what is wrong with it. */
export function journalExamination(parts: JournalParts): Examination {
  const { folder, maxReadings, configFile, look } = parts;
  return {
    id: 'journal',
    title: 'Journal',
    run: async () => {
      const seen = await look();
      if (seen.state === 'forbidden') return [report('state.not-allowed', { folder })];
      if (seen.state === 'failed') return [report('journal.unreadable', { problem: seen.error.message })];
      const { reports, isInUse } = seen;
      const missing = seen.missing.map(({ epoch, place }) =>
        place === 'memory'
          ? report('journal.in-memory', { epoch, folder })
          : report('journal.missing', { epoch, folder }),
      );
      if (reports.length === 0) return missing.length > 0 ? missing : [report('journal.empty')];
      const kept = await parts.isKeptForNobody();
      return [summary(reports, isInUse), ...missing, ...damages(reports), ...waiting(reports, isInUse, kept)];
    },
  };

  function waiting(reports: readonly JournalReport[], isInUse: boolean, kept: boolean): readonly Finding[] {
    const readings = sum(reports, ({ unreleasedReadings }) => unreleasedReadings);
    const gaps = sum(reports, ({ unreleased }) => unreleased) - readings;
    const pending = sum(reports, (each) => each.pending);
    const share = readings / maxReadings;
    const findings: Finding[] = [];
    if (share >= BACKLOG_SHARE) {
      const facts = { unreleased: readings, percent: Math.round(share * 100) };
      findings.push(kept ? report('journal.kept', facts) : report('journal.backlog', facts));
    }
    if (gaps > 0 && !kept) findings.push(report('journal.dropped', { count: gaps, file: configFile }));
    if (pending > 0 && !isInUse) findings.push(report('journal.pending', { pending }));
    return findings;
  }
}

/** `numbers 10 to 19 are gone`, as far as the ends are known. */
export function lossInWords({ from, to, count }: Gap): string {
  if (to === undefined) return `numbers from ${from} on may be gone: the end of a file was cut off`;
  const numbers = from === to ? `number ${from} is` : `numbers ${from} to ${to} are`;
  return `${numbers} gone${count === undefined || count === to - from + 1 ? '' : `, ${count} of them`}`;
}

function summary(reports: readonly JournalReport[], isInUse: boolean): Finding {
  return report('journal.ok', {
    unreleased: sum(reports, ({ unreleased }) => unreleased),
    epochs: reports.length,
    kilobytes: Math.round(sum(reports, ({ bytesOnDisk }) => bytesOnDisk) / BYTES_PER_KB),
    running: isInUse ? 'an agent is writing to it' : 'no agent is writing to it',
  });
}

function damages(reports: readonly JournalReport[]): readonly Finding[] {
  return reports.flatMap(({ directory, newerVersion, losses }) => [
    ...(newerVersion ? [report('journal.newer-version', { directory })] : []),
    ...losses.map((gap) => report('journal.damaged', { directory, lost: lossInWords(gap) })),
  ]);
}

function sum(reports: readonly JournalReport[], count: (report: JournalReport) => number): number {
  return reports.reduce((total, each) => total + count(each), 0);
}
