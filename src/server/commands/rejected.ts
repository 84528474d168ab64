import { type CommandIo, type ConfigOptions, EXIT_OK, type ExitCode } from '../../cli/command-io.ts';
import { printListing, textTable, visibleText } from '../../cli/listing.ts';
import { REJECT_REASONS, type Rejected, type RejectReason } from '../store/stored.ts';
import { CommandError, isoOrNull, shownTime, withStore } from './command-store.ts';

export interface RejectedOptions extends ConfigOptions {
  readonly device?: string;
  readonly reason?: string;
  /** How many, newest first. */
  readonly limit: number;
  readonly json: boolean;
}

const MAX_TOPIC_CHARACTERS = 60;
const MAX_TEXT_CHARACTERS = 100;

/** Lists messages that could not be stored as readings, with why and how they began. */
export async function runRejected(options: RejectedOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const { device, limit } = options;
    const reason = options.reason === undefined ? undefined : reasonNamed(options.reason);
    const { rejected, next } = await store.rejected({
      limit,
      ...(device !== undefined && { deviceUid: device }),
      ...(reason !== undefined && { reason }),
    });
    printListing(io, options, {
      record: { rejected: rejected.map(record), more: next !== undefined },
      lines: rejected.length === 0 ? [] : table(rejected),
      empty: 'nothing was rejected',
      isCut: next !== undefined,
    });
    return EXIT_OK;
  });
}

function reasonNamed(text: string): RejectReason {
  const reason = REJECT_REASONS.find((candidate) => candidate === text);
  if (reason === undefined) throw new CommandError(`--reason must be one of ${REJECT_REASONS.join(', ')}.`);
  return reason;
}

/** Two lines each: what is known of it, and what it said, with control characters made visible. */
function table(rejected: readonly Rejected[]): readonly string[] {
  const lines = textTable([
    ['last time', 'times', 'reason', 'topic'],
    ...rejected.map(({ lastMs, count, reason, topic }) => [
      shownTime(lastMs),
      String(count),
      reason,
      visibleText(topic, MAX_TOPIC_CHARACTERS),
    ]),
  ]);
  const details = rejected.flatMap(({ detail, payload, payloadBytes }, index) => [
    lines[index + 1] ?? '',
    `    ${visibleText(detail, MAX_TEXT_CHARACTERS)}`,
    `    ${payloadBytes} bytes: ${visibleText(payload, MAX_TEXT_CHARACTERS)}`,
  ]);
  return [lines[0] ?? '', ...details];
}

function record({
  id,
  topic,
  deviceUid,
  reason,
  detail,
  payload,
  payloadBytes,
  firstMs,
  lastMs,
  count,
}: Rejected): object {
  return {
    id,
    topic,
    device_id: deviceUid,
    reason,
    detail,
    payload,
    payload_bytes: payloadBytes,
    first: isoOrNull(firstMs),
    last: isoOrNull(lastMs),
    count,
  };
}
