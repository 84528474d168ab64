import { readdirSync, readFileSync } from 'node:fs';

/** What /proc tells of a running process. */
export interface ProcessFigures {
  readonly residentMiB: number;
  readonly privateDirtyMiB: number;
  readonly cpuMs: number;
  /** Voluntary context switches of all threads: each is a thread that went to sleep and had been woken. */
  readonly wakeUps: number;
}

/** Clock ticks per second in /proc/PID/stat (sysconf(_SC_CLK_TCK) on Linux). */
const TICKS_PER_SECOND = 100;

export function processFigures(pid: number): ProcessFigures {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const wakeUps = readdirSync(`/proc/${pid}/task`)
    .map((thread) =>
      /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')),
    )
    .reduce((sum, match) => sum + Number(match?.[1] ?? 0), 0);
  return {
    residentMiB: kibOf(rollup, 'Rss') / 1024,
    privateDirtyMiB: kibOf(rollup, 'Private_Dirty') / 1024,
    cpuMs: (ticks * 1000) / TICKS_PER_SECOND,
    wakeUps,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function kibOf(rollup: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN);
}
