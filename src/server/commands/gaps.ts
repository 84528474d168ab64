import { type CommandIo, type ConfigOptions, EXIT_OK, type ExitCode } from '../../cli/command-io.ts';
import { printListing, tableOf, visibleText } from '../../cli/listing.ts';
import type { StoredGap } from '../store/stored.ts';
import { CommandError, isoOrNull, parseTimeOption, shownTime, withStore } from './command-store.ts';

export interface GapsOptions extends ConfigOptions {
  readonly device?: string;
  readonly from?: string;
  readonly to?: string;
  /** How many, newest first. */
  readonly limit: number;
  readonly json: boolean;
}

/** Lists what devices say is missing from the record, and why. */
export async function runGaps(options: GapsOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store, config }) => {
    const { device, from, to, limit } = options;
    const { timeZone } = config.house;
    const { gaps, next } = await store.gaps({
      limit,
      ...(device !== undefined && { deviceUid: device }),
      ...(from !== undefined && { fromMs: parseTimeOption('--from', from, timeZone) }),
      ...(to !== undefined && { toMs: parseTimeOption('--to', to, timeZone) }),
    });
    const rows = gaps.map((gap) => [
      gap.deviceUid,
      gap.ofEpoch,
      gap.toSeq === null ? `${gap.fromSeq} and on` : `${gap.fromSeq} to ${gap.toSeq}`,
      String(gap.count ?? 'unknown'),
      gap.reason,
      shownTime(gap.fromTsMs),
      shownTime(gap.toTsMs),
      `${gap.epoch}/${gap.seq}`,
      gap.dismissal === undefined || gap.dismissal === null
        ? ''
        : `DISMISSED: ${visibleText(gap.dismissal.reason, 60)}`,
    ]);
    const heading = ['device', 'epoch', 'numbers', 'gone', 'reason', 'from', 'to', 'record', 'dismissed'];
    printListing(io, options, {
      record: { gaps: gaps.map(record), more: next !== undefined },
      lines: tableOf(heading, rows),
      empty: 'No device has told of a gap. Whether a reading is missing without a word says: techtemp-server verify',
      isCut: next !== undefined,
    });
    return EXIT_OK;
  });
}

export interface DismissGapOptions extends ConfigOptions {
  readonly device: string;
  /** The record's own epoch and number. */
  readonly epoch: string;
  readonly seq: number;
  readonly reason: string;
}

/** Longer reasons belong into a file of their own. */
const MAX_REASON = 500;

/** A person says that a gap record is wrong. */
export async function runDismissGap(options: DismissGapOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const { device, epoch, seq } = options;
    const reason = options.reason.trim();
    if (reason === '' || reason.length > MAX_REASON) {
      throw new CommandError(`--reason must be a text of 1 to ${MAX_REASON} characters; it has ${reason.length}.`);
    }
    const gap = await store.dismissGap({ deviceUid: device, epoch, seq }, reason, io.clock.nowMs());
    const stretch = gap.toSeq === null ? `${gap.fromSeq} and on` : `${gap.fromSeq} to ${gap.toSeq}`;
    io.stdout.write(
      `The gap record ${epoch}/${seq} of ${device} about the numbers ${stretch} of ${gap.ofEpoch} is dismissed. It is kept with your reason.\n`,
    );
    return EXIT_OK;
  });
}

function record(gap: StoredGap): object {
  return {
    device_id: gap.deviceUid,
    epoch: gap.ofEpoch,
    from_seq: gap.fromSeq,
    to_seq: gap.toSeq,
    count: gap.count,
    reason: gap.reason,
    from: isoOrNull(gap.fromTsMs),
    to: isoOrNull(gap.toTsMs),
    record: { epoch: gap.epoch, seq: gap.seq, ts: isoOrNull(gap.tsMs) },
    dismissal:
      gap.dismissal === undefined || gap.dismissal === null
        ? null
        : { reason: gap.dismissal.reason, at: isoOrNull(gap.dismissal.atMs) },
  };
}
