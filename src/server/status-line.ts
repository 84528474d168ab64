import type { IngestObserver, IngestState } from './ingest/ingest.ts';

/** What has been stored since the start of the program. */
export interface StoredSoFar {
  readonly stored: number;
  readonly duplicates: number;
  readonly rejected: number;
}

export interface StatusLineParts {
  readonly ingest: IngestState;
  readonly soFar: StoredSoFar;
  /** Where the API answers. */
  readonly url: string;
  /** Why an edited file is not in force. */
  readonly configProblem?: string | undefined;
  /** What is wrong with the store or its disk. */
  readonly storeProblem?: string | undefined;
  readonly monotonicMs: number;
}

const MS_PER_MINUTE = 60_000;
const MINUTES_PER_HOUR = 60;
const HOURS_PER_DAY = 24;

/** The line of `systemctl status`: what is wrong first, then what a person looks for. Pure. */
export function statusLine(parts: StatusLineParts): string {
  const { ingest, soFar, url, configProblem, storeProblem, monotonicMs } = parts;
  return [
    ...(storeProblem === undefined ? [] : [storeProblem]),
    // The store's own word says more than the last commit's.
    ...(ingest.storeProblem === undefined || storeProblem !== undefined
      ? []
      : [`cannot store: ${ingest.storeProblem}`]),
    ...(configProblem === undefined ? [] : [`the edited server.conf was refused: ${configProblem}`]),
    brokerWords(ingest, monotonicMs),
    storedWords(soFar, ingest),
    url,
  ].join('; ');
}

function brokerWords({ link, broker, linkProblem, linkSinceMs }: IngestState, monotonicMs: number): string {
  switch (link) {
    case 'connected':
      return `connected to ${broker}`;
    case 'connecting':
      return `broker ${broker} is away for ${duration(monotonicMs - linkSinceMs)}${linkProblem === undefined ? '' : ` (${linkProblem})`}`;
    case 'stopped':
      return 'stopping';
  }
}

function storedWords({ stored, duplicates, rejected }: StoredSoFar, ingest: IngestState): string {
  const words = [`${stored} readings stored`];
  if (duplicates > 0) words.push(`${duplicates} came again`);
  if (rejected > 0) words.push(`${rejected} rejected`);
  if (ingest.waiting > 0) words.push(`${ingest.waiting} waiting`);
  if (ingest.isHeldBack) words.push('the broker is held back');
  if (ingest.lastCommitMs !== null) words.push(`last at ${new Date(ingest.lastCommitMs).toISOString().slice(0, 19)}Z`);
  return words.join(', ');
}

/** `under a minute`, `12 min`, `5 h`, `3 days` */
function duration(ms: number): string {
  const minutes = Math.floor(ms / MS_PER_MINUTE);
  if (minutes < 1) return 'under a minute';
  if (minutes < MINUTES_PER_HOUR) return `${minutes} min`;
  const hours = Math.floor(minutes / MINUTES_PER_HOUR);
  return hours < 2 * HOURS_PER_DAY ? `${hours} h` : `${Math.floor(hours / HOURS_PER_DAY)} days`;
}

/** Passes everything on, and keeps the sums that the status line shows. */
export function countStored(observer: IngestObserver): {
  readonly observer: IngestObserver;
  readonly soFar: () => StoredSoFar;
} {
  let soFar: StoredSoFar = { stored: 0, duplicates: 0, rejected: 0 };
  return {
    observer: {
      ...observer,
      committed(counts, tookMs) {
        soFar = {
          stored: soFar.stored + counts.stored,
          duplicates: soFar.duplicates + counts.duplicates,
          rejected: soFar.rejected + Object.values(counts.rejected).reduce((sum, count) => sum + count, 0),
        };
        observer.committed(counts, tookMs);
      },
    },
    soFar: () => soFar,
  };
}
