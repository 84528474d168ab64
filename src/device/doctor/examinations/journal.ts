import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gap } from '../../../contract/reading.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import { type FolderLook, lookAtFolder } from '../../../doctor/machine.ts';
import { isDirectoryLocked } from '../../journal/directory-lock.ts';
import { mayHoldReadings, type RegisteredEpoch, readRegister } from '../../journal/epoch-register.ts';
import { inspectJournals, type JournalReport } from '../../journal/inspect.ts';
import { JournalError } from '../../journal/journal.ts';
import { createNodeJournalFs } from '../../journal/journal-fs.ts';
import { report } from '../findings/catalogue.ts';

/** Whether an agent is writing to the journal; `unknown`: its lock cannot be looked at. */
export type JournalUse = 'writing' | 'none' | 'unknown';

/** What a look into the journal's folder showed. */
export type JournalLook =
  | {
      readonly state: 'seen';
      readonly reports: readonly JournalReport[];
      /** What should be there according to the register, and is not. */
      readonly missing: readonly RegisteredEpoch[];
      readonly agent: JournalUse;
    }
  | { readonly state: 'forbidden' }
  | { readonly state: 'failed'; readonly error: JournalError };

/** Looks into the folder beside an agent that writes there; changes nothing. */
export async function lookAtJournals(
  folder: string,
  registerPath: string,
  isLocked: (folder: string) => Promise<boolean> = isDirectoryLocked,
): Promise<JournalLook> {
  try {
    const fs = createNodeJournalFs();
    const before = await readRegister(fs, registerPath);
    const reports = await inspectJournals(folder, fs);
    const missing = before.filter(
      (known) =>
        known.path === folder &&
        mayHoldReadings(known) &&
        !reports.some(({ deviceUid, epoch }) => deviceUid === known.deviceUid && epoch === known.epoch),
    );
    // The agent may have delivered and removed one just now: then it is not registered any more.
    const after = missing.length === 0 ? [] : (await readRegister(fs, registerPath)).map(({ epoch }) => epoch);
    const stillMissing = missing.filter(({ epoch }) => after.includes(epoch));
    return {
      state: 'seen',
      reports,
      missing: stillMissing,
      agent: await useOf(folder, isLocked),
    };
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return isForbidden(error) ? { state: 'forbidden' } : { state: 'failed', error };
  }
}

async function useOf(folder: string, isLocked: (folder: string) => Promise<boolean>): Promise<JournalUse> {
  try {
    return (await isLocked(folder)) ? 'writing' : 'none';
  } catch (error) {
    // No agent writes to a folder that is not there.
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'none' : 'unknown';
  }
}

/** When something was last written there, epoch ms. */
export async function lastWriteMs(reports: readonly JournalReport[]): Promise<number | undefined> {
  const times = await Promise.all(
    reports.map(async ({ directory }) => {
      const names = await readdir(directory).catch(() => []);
      return await Promise.all(
        names.map((name) =>
          stat(join(directory, name)).then(
            ({ mtimeMs }) => mtimeMs,
            () => 0,
          ),
        ),
      );
    }),
  );
  const all = times.flat();
  return all.length === 0 ? undefined : Math.max(...all);
}

function isForbidden({ cause }: JournalError): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'EACCES' || cause.code === 'EPERM');
}

/** Half full is early enough to do something, and late enough not to cry wolf after a weekend without network. */
const BACKLOG_SHARE = 0.5;
const BYTES_PER_KB = 1024;

export interface JournalParts {
  readonly folder: string;
  readonly maxReadings: number;
  readonly configFile: string;
  readonly look: () => Promise<JournalLook>;
  /** Whether readings stay here because no program is subscribed to them: then a full journal is how it should be. */
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
      const { reports, agent } = seen;
      const missing = seen.missing.map(({ epoch, place }) =>
        place === 'memory'
          ? report('journal.in-memory', { epoch, folder })
          : report('journal.missing', { epoch, folder }),
      );
      if (reports.length === 0) return missing.length > 0 ? missing : [report('journal.empty')];
      const kept = await parts.isKeptForNobody();
      return [summary(reports, agent), ...missing, ...damages(reports), ...waiting(reports, agent, kept)];
    },
  };

  function waiting(reports: readonly JournalReport[], agent: JournalUse, kept: boolean): readonly Finding[] {
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
    if (pending > 0 && agent === 'none') findings.push(report('journal.pending', { pending }));
    return findings;
  }
}

/** `numbers 10 to 19 are gone`, as far as the ends are known. */
export function lossInWords({ from, to, count }: Gap): string {
  if (to === undefined) return `numbers from ${from} on may be gone: the end of a file was cut off`;
  const numbers = from === to ? `number ${from} is` : `numbers ${from} to ${to} are`;
  return `${numbers} gone${count === undefined || count === to - from + 1 ? '' : `, ${count} of them`}`;
}

const USE_IN_WORDS: Readonly<Record<JournalUse, string>> = {
  writing: 'an agent is writing to it',
  none: 'no agent is writing to it',
  unknown: 'it cannot be seen whether an agent is writing to it',
};

function summary(reports: readonly JournalReport[], agent: JournalUse): Finding {
  return report('journal.ok', {
    unreleased: sum(reports, ({ unreleased }) => unreleased),
    epochs: reports.length,
    kilobytes: Math.round(sum(reports, ({ bytesOnDisk }) => bytesOnDisk) / BYTES_PER_KB),
    running: USE_IN_WORDS[agent],
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

/** Below this many times the space that is kept free, a warning is due. */
const NEARLY = 2;
/** As `[journal] min_free_mb` counts. */
const BYTES_PER_MB = 1024 * 1024;

export interface StateFolderParts {
  /** Of the journal, resolved. */
  readonly folder: string;
  readonly minFreeBytes: number;
  readonly configFile: string;
  /** Whether the folder belongs to the service's own user, so that being kept out of it says nothing about the agent. */
  readonly isPrivate: boolean;
}

/** The folder and the disk of the journal. */
export function stateFolderExamination({ folder, minFreeBytes, configFile, isPrivate }: StateFolderParts): Examination {
  return {
    id: 'state',
    title: 'Journal folder',
    run: async () => {
      const look = await lookAtFolder(folder);
      if (look.state === 'unreachable') {
        const { problem } = look;
        return [
          problem === 'EACCES' && isPrivate
            ? report('state.not-allowed', { folder })
            : report('state.not-a-folder', { folder, problem, file: configFile }),
        ];
      }
      const findings = [...disk(look), ...permissions(look)];
      if (findings.length > 0) return findings;
      if (!look.exists) return [report('state.not-yet', { folder })];
      return [report('state.ok', { folder, free: megabytes(look.freeBytes) })];
    },
  };

  function disk({ volatile, freeBytes, hasInodes }: SeenFolder): readonly Finding[] {
    const facts = { folder, free: megabytes(freeBytes), needed: megabytes(minFreeBytes) };
    const findings: Finding[] = [];
    if (volatile !== undefined) findings.push(report('state.volatile', { folder, type: volatile, file: configFile }));
    if (freeBytes < minFreeBytes) findings.push(report('state.full', facts));
    else if (!hasInodes) findings.push(report('state.no-inodes', { folder }));
    else if (freeBytes < NEARLY * minFreeBytes) findings.push(report('state.nearly-full', facts));
    return findings;
  }

  function permissions({ writeProblem: problem }: SeenFolder): readonly Finding[] {
    if (problem === undefined) return [];
    if (problem === 'EROFS') return [report('state.read-only', { folder })];
    if (problem === 'EACCES' && isPrivate) return [report('state.not-allowed', { folder })];
    return [report('state.not-writable', { folder, problem })];
  }
}

type SeenFolder = Extract<FolderLook, { readonly state: 'seen' }>;

function megabytes(bytes: number): number {
  return Math.round(bytes / BYTES_PER_MB);
}
