import { type CommandIo, type ConfigOptions, EXIT_FAILED, EXIT_OK, type ExitCode } from '../../cli/command-io.ts';
import { printListing, tableOf, textTable, visibleText } from '../../cli/listing.ts';
import type { QuarantineChoice, QuarantineDrop, Quarantined } from '../store/audit-store.ts';
import type { Store } from '../store/store.ts';
import { CommandError, isoOrNull, shownTime, withStore } from './command-store.ts';

export interface QuarantineListOptions extends ConfigOptions {
  readonly device?: string;
  readonly limit: number;
  /** What was dropped instead of what waits. */
  readonly dropped: boolean;
  readonly json: boolean;
}

export interface QuarantineChoiceOptions extends ConfigOptions {
  readonly device?: string;
  readonly id?: number;
  readonly all: boolean;
  readonly json: boolean;
}

/** One transaction each: the server beside us goes on in between. */
const STEP_ITEMS = 500;
const MAX_TEXT_CHARACTERS = 100;

/** Lists what waits, or what was dropped. */
export async function runQuarantineList(options: QuarantineListOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    if (options.dropped) await listDrops(store, options, io);
    else await listWaiting(store, options, io);
    return EXIT_OK;
  });
}

async function listWaiting(store: Store, options: QuarantineListOptions, io: CommandIo): Promise<void> {
  const { device, limit } = options;
  const { items, next } = await store.quarantine({ limit, ...(device !== undefined && { deviceUid: device }) });
  const { waiting, devices } = await store.quarantineSummary();
  const sums = devices.map((one) => [
    one.deviceUid,
    one.reason,
    String(one.count),
    shownTime(one.fromTsMs),
    shownTime(one.toTsMs),
  ]);
  const explained = [
    ...textTable([['device', 'reason', 'count', 'from', 'to'], ...sums]),
    '',
    ...textTable([
      ['id', 'device', 'epoch', 'number', 'says', 'came', 'why'],
      ...items.map(({ id, deviceUid, epoch, seq, tsMs, receivedMs, detail }) => [
        String(id),
        deviceUid,
        epoch ?? '-',
        String(seq ?? '-'),
        shownTime(tsMs),
        shownTime(receivedMs),
        visibleText(detail, MAX_TEXT_CHARACTERS),
      ]),
    ]),
    '',
    'They are on disk. Those that wait for the clock of this server are stored by themselves once it is right.',
    'If their times are right as they stand: techtemp-server quarantine release --device UID',
    'If nothing of them can be right:        techtemp-server quarantine drop --device UID --reason "why"',
  ];
  printListing(io, options, {
    record: { waiting, items: items.map(itemRecord), more: next !== undefined },
    lines: items.length === 0 ? [] : explained,
    empty: 'nothing waits in quarantine',
    isCut: next !== undefined,
  });
}

async function listDrops(store: Store, options: QuarantineListOptions, io: CommandIo): Promise<void> {
  const drops = await store.quarantineDrops(options.limit);
  const rows = drops.map((drop) => [
    shownTime(drop.droppedMs),
    drop.deviceUid,
    drop.epoch ?? '-',
    drop.fromSeq === null ? '-' : `${drop.fromSeq} to ${String(drop.toSeq)}`,
    String(drop.count),
    drop.reason,
    visibleText(drop.note, MAX_TEXT_CHARACTERS),
  ]);
  const heading = ['dropped', 'device', 'epoch', 'numbers', 'count', 'reason', 'why'];
  printListing(io, options, {
    record: { dropped: drops.map(dropRecord) },
    lines: tableOf(heading, rows),
    empty: 'nothing was dropped',
  });
}

/** Stores what a person says is right. */
export async function runQuarantineRelease(options: QuarantineChoiceOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const choice = choiceOf(options);
    const { clock } = io;
    let [released, kept] = [0, 0];
    let nextId: number | undefined = 0;
    while (nextId !== undefined) {
      io.signal.throwIfAborted();
      const nowMs = clock.nowMs();
      const wallMinusMonotonicMs = nowMs - clock.monotonicMs();
      const time = { nowMs, bootId: clock.bootId, wallMinusMonotonicMs, isConfirmed: false };
      const judged = await store.releaseQuarantine({ ...choice, afterId: nextId, limit: STEP_ITEMS, time });
      released += judged.released;
      kept += judged.kept;
      nextId = judged.nextId;
    }
    if (options.json) io.stdout.write(`${JSON.stringify({ released, kept }, undefined, 2)}\n`);
    else {
      const stay = kept === 0 ? '' : `; ${kept} stay, because this version does not understand them`;
      io.stdout.write(`${released} readings are stored as they stand${stay}\n`);
    }
    return released + kept === 0 ? nothingThere(io) : EXIT_OK;
  });
}

/** Takes what waits out of the record; a trace stays. */
export async function runQuarantineDrop(
  options: QuarantineChoiceOptions & { readonly reason: string },
  io: CommandIo,
): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const drop = { ...choiceOf(options), limit: STEP_ITEMS, note: options.reason };
    let dropped = 0;
    for (;;) {
      io.signal.throwIfAborted();
      const step = await store.dropQuarantine({ ...drop, nowMs: io.clock.nowMs() });
      dropped += step.dropped;
      if (step.dropped < STEP_ITEMS) break;
    }
    if (options.json) io.stdout.write(`${JSON.stringify({ dropped }, undefined, 2)}\n`);
    else
      io.stdout.write(
        `${dropped} readings are dropped; "techtemp-server quarantine list --dropped" shows what and why\n`,
      );
    return dropped === 0 ? nothingThere(io) : EXIT_OK;
  });
}

/** Exactly one of the three: leaving something out must not drop everything. */
function choiceOf({ device, id, all }: QuarantineChoiceOptions): QuarantineChoice {
  const given = [device !== undefined, id !== undefined, all].filter(Boolean).length;
  if (given !== 1) throw new CommandError('Say which: --device UID, --id NUMBER or --all (one of them).');
  return { ...(device !== undefined && { deviceUid: device }), ...(id !== undefined && { id }) };
}

function nothingThere(io: CommandIo): ExitCode {
  io.stderr.write('nothing like that waits in quarantine; "techtemp-server quarantine list" shows what does\n');
  return EXIT_FAILED;
}

function itemRecord(item: Quarantined): object {
  return {
    id: item.id,
    device_id: item.deviceUid,
    epoch: item.epoch,
    seq: item.seq,
    ts: isoOrNull(item.tsMs),
    received: isoOrNull(item.receivedMs),
    reason: item.reason,
    detail: item.detail,
    topic: item.topic,
    item: item.item,
  };
}

function dropRecord(drop: QuarantineDrop): object {
  return {
    device_id: drop.deviceUid,
    epoch: drop.epoch,
    from_seq: drop.fromSeq,
    to_seq: drop.toSeq,
    count: drop.count,
    reason: drop.reason,
    note: drop.note,
    from: isoOrNull(drop.fromTsMs),
    to: isoOrNull(drop.toTsMs),
    first_received: isoOrNull(drop.firstMs),
    last_received: isoOrNull(drop.lastMs),
    dropped_at: isoOrNull(drop.droppedMs),
  };
}
