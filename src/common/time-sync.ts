import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';

/** Whether the machine's wall clock can be believed. `unknown`: there is nobody to ask (no systemd). */
export type TimeSync = 'synced' | 'unsynced' | 'unknown';

export type ProbeTimeSync = () => Promise<TimeSync>;

/** Touched by systemd-timesyncd at each synchronisation since boot (systemd-timesyncd.service(8), FILES). */
const TIMESYNCD_FLAG = '/run/systemd/timesync/synchronized';
/** Exists where systemd runs as PID 1 (sd_booted(3)). */
const SYSTEMD_RUNS = '/run/systemd/system';
const TIMEDATECTL_LIMIT_MS = 5_000;

/**
 * Asks the system's time service: systemd-timesyncd's flag file, which costs one system call; else the kernel's own
 * synchronisation flag through timedatectl, which also knows chrony and ntpd. Never throws.
 */
export async function probeTimeSync(): Promise<TimeSync> {
  if (await exists(TIMESYNCD_FLAG)) return 'synced';
  if (!(await exists(SYSTEMD_RUNS))) return 'unknown';
  return await askTimedatectl();
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function askTimedatectl(): Promise<TimeSync> {
  return await new Promise((resolve) => {
    execFile(
      'timedatectl',
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: TIMEDATECTL_LIMIT_MS },
      (error, stdout) => {
        if (error !== null) resolve('unknown');
        else resolve(stdout.trim() === 'yes' ? 'synced' : 'unsynced');
      },
    );
  });
}
