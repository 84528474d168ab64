import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';

/** Whether the machine's wall clock can be believed. `unknown`: there is nobody to ask (no systemd). */
export type TimeSync = 'synced' | 'unsynced' | 'unknown';

export type ProbeTimeSync = () => Promise<TimeSync>;

/** Runs a program and resolves with what it printed; undefined when it is not there or fails. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string | undefined>;

/** Exists where systemd runs as PID 1 (sd_booted(3)). */
const SYSTEMD_RUNS = 'run/systemd/system';
/** Exists while systemd-timesyncd runs; the flag in it is touched at each synchronisation since boot (FILES in its manual). */
const TIMESYNCD_RUNS = 'run/systemd/timesync';
const TIMESYNCD_FLAG = 'run/systemd/timesync/synchronized';
/** `chronyc -c tracking` is one line of fields divided by commas; the last is the leap status. */
const CHRONY_UNSYNCED = 'Not synchronised';
const PROGRAM_LIMIT_MS = 5_000;

/** Asks this machine. Never throws. */
export const probeTimeSync: ProbeTimeSync = createTimeSyncProbe({ root: '/', run: runProgram });

/**
 * Asks the time service of the machine: systemd-timesyncd's files, which costs two system calls; else timedatectl, which knows
 * the kernel's own flag; else chrony. timedatectl speaks through D-Bus, which refuses the unit's dynamic user (seen on Debian
 * 12), so it is not asked first. Where systemd runs and nobody answers, the clock counts as not synchronised: a Pi's clock is
 * wrong after each power cut, and a reading with a mark is better than one with a wrong time.
 */
export function createTimeSyncProbe({ root, run }: { readonly root: string; readonly run: RunProgram }): ProbeTimeSync {
  return async () => {
    if (await exists(join(root, TIMESYNCD_FLAG))) return 'synced';
    if (await exists(join(root, TIMESYNCD_RUNS))) return 'unsynced';
    if (!(await exists(join(root, SYSTEMD_RUNS)))) return 'unknown';
    const kernel = await run('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
    if (kernel !== undefined) return kernel.trim() === 'yes' ? 'synced' : 'unsynced';
    const chrony = await run('chronyc', ['-n', '-c', 'tracking']);
    return chrony === undefined || chrony.trim().endsWith(CHRONY_UNSYNCED) ? 'unsynced' : 'synced';
  };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function runProgram(program: string, args: readonly string[]): Promise<string | undefined> {
  // systemd's programs report their own failures to a NOTIFY_SOCKET that they inherit, and systemd logs that as an intrusion.
  const env = { ...process.env, NOTIFY_SOCKET: undefined };
  return await new Promise((resolve) => {
    execFile(program, [...args], { timeout: PROGRAM_LIMIT_MS, env }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
}
