import {
  type CommandIo,
  type ConfigOptions,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_UNDECIDED,
  type ExitCode,
} from '../../cli/command-io.ts';
import type { RecordIntegrity } from '../store/audit-store.ts';
import type { Store } from '../store/store.ts';
import type { Device } from '../store/stored.ts';
import { neighboursOf, timesOf } from '../verify/hole-times.ts';
import { emptySum, type Sum, withVerdict } from '../verify/sum.ts';
import { verdictOf } from '../verify/verdict.ts';
import { CommandError, withStore } from './command-store.ts';
import { deviceReport, summaryLine, verdictRecord } from './verify-report.ts';

/** Whether the tables of the record agree with each other, and which record it is. */
export interface IntegrityFound {
  readonly record: RecordIntegrity;
  /** For people, one a line. */
  readonly faults: readonly string[];
}

/** One device at a time. @throws the signal's reason */
export async function integrityOf(
  store: Pick<Store, 'integrity' | 'recordIntegrity'>,
  devices: readonly Pick<Device, 'uid'>[],
  signal: AbortSignal,
): Promise<IntegrityFound> {
  const record = await store.recordIntegrity();
  const faults: string[] = [];
  if (record.strayDevices > 0)
    faults.push(`readings of ${record.strayDevices} device(s) that the record does not know`);
  for (const { uid } of devices) {
    signal.throwIfAborted();
    const { newest, hours, wrongHours, firstWrongHourMs, strayEpochs } = await store.integrity(uid);
    if (newest === 'missing') faults.push(`${uid}: it has readings, but no newest one`);
    if (newest === 'without-reading') faults.push(`${uid}: its newest reading is not among its readings`);
    if (wrongHours > 0 && firstWrongHourMs !== null) {
      const first = new Date(firstWrongHourMs).toISOString();
      faults.push(
        `${uid}: ${wrongHours} of ${hours} hourly sums do not agree with the readings, the first of ${first}`,
      );
    }
    if (strayEpochs > 0) faults.push(`${uid}: readings of ${strayEpochs} epoch(s) that are not known`);
  }
  return { record, faults };
}

export function integrityReport({ record, faults }: IntegrityFound): string {
  const { id, createdMs, formerIds } = record;
  const former =
    formerIds.length === 0
      ? ''
      : `It was taken over from a copy (${formerIds.join(', ')} before): what was stored after that copy is not in it.\n`;
  const tables =
    faults.length === 0
      ? 'Its tables agree with each other.\n'
      : `Its tables do not agree with each other; a part of it was damaged or replaced:\n${faults.map((fault) => `  ${fault}\n`).join('')}`;
  return `Record ${id}, made ${new Date(createdMs).toISOString()}.\n${former}${tables}\n`;
}

export function integrityRecord({ record, faults }: IntegrityFound): object {
  const { id, createdMs, formerIds } = record;
  return { record: id, created: new Date(createdMs).toISOString(), former: formerIds, faults };
}

export interface VerifyOptions extends ConfigOptions {
  /** Absent: every device, those that were removed too. */
  readonly device?: string;
  /** Numbers before the first one that came are holes, too. */
  readonly strict: boolean;
  readonly json: boolean;
}

/** Holes of an epoch that are shown; all are counted. */
const MAX_SHOWN_HOLES = 20;

/**
 * Proves the record: every number that the devices gave is in the store, or a gap record says what became of it, or it is named as
 * missing. Changes nothing, works beside a running server, one device at a time.
 *
 * Exit code: 0 no unexplained hole among what can be judged (the last line says what cannot), 1 there is one (or a number that is
 * doubled, or the tables of the record do not agree), 2 the record could not be examined, 78 the config
 * cannot be used. @throws the signal's reason
 */
export async function runVerify(options: VerifyOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(
    options,
    io,
    async ({ store, path }) => {
      const devices = await devicesOf(store, options.device);
      if (!options.json) io.stdout.write(`techtemp-server verify, store ${path}\n\n`);
      const records: object[] = [];
      const nowMs = io.clock.nowMs();
      const judging = { strict: options.strict, recordBeganMs: await store.recordBegan() };
      let sum = emptySum(nowMs);
      for (const device of devices) {
        io.signal.throwIfAborted();
        const verdict = verdictOf(device, await store.numbers(device.uid), judging);
        sum = withVerdict(sum, verdict);
        const times = await timesOf(store, verdict, neighboursOf(verdict, MAX_SHOWN_HOLES), io.signal);
        if (options.json) records.push(verdictRecord(verdict, times));
        else io.stdout.write(deviceReport(device, verdict, times, MAX_SHOWN_HOLES));
      }
      const integrity = await integrityOf(store, devices, io.signal);
      if (!options.json) io.stdout.write(integrityReport(integrity));
      io.stdout.write(options.json ? asJson(path, records, sum, integrity) : `${summaryLine(sum)}\n`);
      return sum.faulty > 0 || integrity.faults.length > 0 ? EXIT_FAILED : EXIT_OK;
    },
    EXIT_UNDECIDED,
  );
}

async function devicesOf(store: Store, uid: string | undefined): Promise<readonly Device[]> {
  if (uid === undefined) return await store.devices({ withRemoved: true });
  const device = await store.device(uid);
  if (device === undefined) throw new CommandError(`There is no device ${uid}; techtemp-server devices lists them.`);
  return [device];
}

function asJson(store: string, devices: readonly object[], sum: Sum, integrity: IntegrityFound): string {
  const { holes, doubled, waiting, faulty, quarantined, doubted, outcome } = sum;
  const summary = { devices: sum.devices, readings: sum.readings, unnumbered: sum.unnumbered, missing: sum.missing };
  const verdict = {
    ...summary,
    explained: sum.explained,
    before_record: sum.before,
    waiting,
    holes,
    doubled,
    quarantined,
    doubted,
    unknown_ends: sum.unknownEnds,
    faulty,
  };
  const isWhole = outcome === 'whole' && integrity.faults.length === 0;
  const found = { summary: verdict, integrity: integrityRecord(integrity), outcome, is_whole: isWhole };
  return `${JSON.stringify({ store, devices, ...found }, undefined, 2)}\n`;
}
