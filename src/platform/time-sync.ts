import { execFile } from 'node:child_process';
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';

/**
 * Whether the machine's wall clock can be believed. `unknown`: there is nothing to ask (no systemd). `no-answer`: systemd should
 * know, and did not answer; that is neither yes nor no.
 */
export type TimeSync = 'synced' | 'unsynced' | 'unknown' | 'no-answer';

/**
 * Asks whether the clock is synchronised. With `sinceMs` (wall clock) only a synchronisation after that moment counts: what was
 * true before a clock was stepped says nothing about the time after it.
 */
export type ProbeTimeSync = (sinceMs?: number) => Promise<TimeSync>;

/** Runs a program and resolves with what it printed; undefined when it is not there or fails. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string | undefined>;

export interface TimeSyncParts {
  /** `/`, or what stands for it. */
  readonly root: string;
  readonly run: RunProgram;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'suspendedMs'>;
}

/** Exists where systemd runs as PID 1 (sd_booted(3)). */
const SYSTEMD_RUNS = 'run/systemd/system';
/** Exists while systemd-timesyncd runs; the flag in it is touched at each synchronisation since boot (FILES in its manual). */
const TIMESYNCD_RUNS = 'run/systemd/timesync';
const TIMESYNCD_FLAG = 'run/systemd/timesync/synchronized';
/** File times and reference times are rounded, and a slewed clock moves a little between them and us. */
const TOLERANCE_MS = 2_000;
/** A machine was not synchronised before it was started: what seems so long ago was before the clock was set forward. */
const START_TOLERANCE_MS = 60_000;
/** A daemon that says "synchronised" and knows that the clock is further off than this has not corrected it yet. */
const MAX_OFFSET_MS = 1_000;
const MS_PER_SECOND = 1_000;
/** Seconds from 1900, where NTP counts from, to 1970 (RFC 5905, figure 4). */
const NTP_EPOCH_SECONDS = 2_208_988_800;
const PROGRAM_LIMIT_MS = 5_000;

/** What a time service says. */
interface Answer {
  readonly isSynced: boolean;
  /** Wall clock of the last synchronisation; `now` where the answer would be no since the last step; undefined where it is not said. */
  readonly at?: number | 'now' | undefined;
}

interface TimeService {
  readonly program: string;
  readonly args: readonly string[];
  /** Undefined where what the program printed is no answer. */
  readonly read: (output: string) => Answer | undefined;
}

/** A step by hand clears the kernel's flag (`ntp_clear`); only a synchronisation sets it again. */
const KERNEL: TimeService = {
  program: 'timedatectl',
  args: ['show', '--property=NTPSynchronized', '--value'],
  read: (output) => ({ isSynced: output === 'yes', at: 'now' }),
};
const DAEMONS: readonly TimeService[] = [
  { program: 'chronyc', args: ['-n', '-c', 'tracking'], read: readChrony },
  { program: 'ntpq', args: ['-n', '-c', 'rv'], read: readNtpd },
  { program: 'ntpctl', args: ['-s', 'status'], read: readOpenntpd },
];

/** The probe of this machine. */
export function createMachineTimeSync(clock: TimeSyncParts['clock']): ProbeTimeSync {
  return createTimeSyncProbe({ root: '/', run: runProgram, clock });
}

/**
 * Asks the time service of the machine: systemd-timesyncd's files, which costs two system calls; else timedatectl, which knows
 * the kernel's own flag; else chrony, ntpd (also NTPsec) and openntpd themselves. timedatectl speaks through D-Bus, which refuses
 * the unit's dynamic user (seen on Debian 12), and openntpd does not always tell the kernel (systemd#14061), so a "no" of the
 * kernel is not the last word. Where systemd runs and no service says yes, the clock is not to be believed: a Pi's clock is wrong
 * after each power cut, and a reading with a mark is better than one with a wrong time. Never throws.
 */
export function createTimeSyncProbe({ root, run, clock }: TimeSyncParts): ProbeTimeSync {
  const counts = ({ isSynced, at }: Answer, sinceMs: number | undefined): boolean => {
    if (!isSynced || at === 'now') return isSynced;
    if (at !== undefined) {
      // Synchronised in the future, or before this machine was started: the clock was set back, or forward, since.
      const agoMs = clock.nowMs() - at;
      const upMs = clock.monotonicMs() + clock.suspendedMs();
      if (agoMs < -TOLERANCE_MS || agoMs > upMs + START_TOLERANCE_MS) return false;
    }
    return sinceMs === undefined || (at !== undefined && at >= sinceMs - TOLERANCE_MS);
  };

  const ask = async ({ program, args, read }: TimeService): Promise<Answer | undefined> => {
    const output = await run(program, args);
    return output === undefined ? undefined : read(output.trim());
  };

  return async (sinceMs) => {
    const flagMs = await modifiedMs(join(root, TIMESYNCD_FLAG));
    if (flagMs !== undefined) return counts({ isSynced: true, at: flagMs }, sinceMs) ? 'synced' : 'unsynced';
    if (await exists(join(root, TIMESYNCD_RUNS))) return 'unsynced';
    if (!(await exists(join(root, SYSTEMD_RUNS)))) return 'unknown';
    let isAnswered = false;
    // After a step a daemon that knows when it last looked decides: the kernel only repeats what it was told.
    for (const service of sinceMs === undefined ? [KERNEL, ...DAEMONS] : [...DAEMONS, KERNEL]) {
      const answer = await ask(service);
      if (answer === undefined) continue;
      if (counts(answer, sinceMs)) return 'synced';
      isAnswered = true;
      if (sinceMs !== undefined && (answer.at !== undefined || !answer.isSynced)) break;
    }
    return isAnswered ? 'unsynced' : 'no-answer';
  };
}

/** Whether a clock is to be believed after this answer: where there is nothing to ask it is, as on a PC or in a container. */
export function isBelievable(sync: TimeSync): boolean {
  return sync === 'synced' || sync === 'unknown';
}

/** One line of fields divided by commas: reference, name, stratum, reference time, offset of the clock in s, ..., leap status. */
function readChrony(output: string): Answer | undefined {
  const fields = output.split(',');
  if (fields.length < 14) return undefined;
  const [at, offsetSeconds] = [Number(fields[3]), Number(fields[4])];
  const isNear = Math.abs(offsetSeconds) * MS_PER_SECOND <= MAX_OFFSET_MS;
  return { isSynced: fields.at(-1) !== 'Not synchronised' && isNear, ...(at > 0 && { at: at * MS_PER_SECOND }) };
}

/** System variables (`rv`): `associd=0 status=0615 leap_none, sync_ntp, ...`, `leap=00, stratum=2, reftime=e9a3....`, `offset=` in ms. */
function readNtpd(output: string): Answer | undefined {
  const leap = /\bleap_(none|add_sec|del_sec|alarm)\b/.exec(output)?.[1];
  if (leap === undefined) return undefined;
  const stratum = Number(/\bstratum=(\d+)/.exec(output)?.[1] ?? 16);
  const offsetMs = Number(/\boffset=([-+.\d]+)/.exec(output)?.[1] ?? 0);
  const reference = /\breftime=([0-9a-f]{8})\.[0-9a-f]{8}\b/.exec(output)?.[1];
  const at = reference === undefined ? undefined : (Number.parseInt(reference, 16) - NTP_EPOCH_SECONDS) * MS_PER_SECOND;
  const isSynced = leap !== 'alarm' && stratum < 16 && Math.abs(offsetMs) <= MAX_OFFSET_MS;
  return { isSynced, ...(at !== undefined && at > 0 && { at }) };
}

/** `4/4 peers valid, clock synced, stratum 3`; says nothing about when. */
function readOpenntpd(output: string): Answer | undefined {
  const word = /\bclock (synced|unsynced)\b/.exec(output)?.[1];
  return word === undefined ? undefined : { isSynced: word === 'synced' };
}

async function modifiedMs(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function runProgram(program: string, args: readonly string[]): Promise<string | undefined> {
  // systemd's programs report their own failures to a NOTIFY_SOCKET that they inherit, and systemd logs that as an intrusion.
  const env = { ...process.env, NOTIFY_SOCKET: undefined, LC_ALL: 'C' };
  return await new Promise((resolve) => {
    execFile(program, [...args], { timeout: PROGRAM_LIMIT_MS, env }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
}
