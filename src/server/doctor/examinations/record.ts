import { visibleText } from '../../../cli/listing.ts';
import { countOfRanges } from '../../../contract/seq-ranges.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import type { Clock } from '../../../platform/clock.ts';
import { contactOf, intervalOf } from '../../contact.ts';
import type { Store } from '../../store/store.ts';
import type { Device } from '../../store/stored.ts';
import type { DeviceVerdict, DoubtedGap, EpochVerdict } from '../../verify/explain.ts';
import { verdictOf } from '../../verify/verdict.ts';
import { report } from '../findings/catalogue.ts';

const DAY_MS = 86_400_000;
const MS_PER_SECOND = 1000;
/** Newest rejected messages that are looked at. */
const REJECTED_PAGE = 200;
const MAX_TEXT_CHARACTERS = 80;

/** Runs work on the opened store; answers nothing where there is none that could be opened. */
export type WithRecord = (work: (store: Store) => Promise<readonly Finding[]>) => Promise<readonly Finding[]>;

/** What verify says, in short, and what was rejected lately. */
export function recordExamination(withRecord: WithRecord, clock: Pick<Clock, 'nowMs'>): Examination {
  return {
    id: 'record',
    title: 'Record',
    run: async (signal) =>
      await withRecord(async (store) => {
        const findings: Finding[] = [];
        const devices = await store.devices({ withRemoved: true });
        const judging = { strict: false, recordBeganMs: await store.recordBegan() };
        let readings = 0;
        for (const device of devices) {
          signal.throwIfAborted();
          const verdict = verdictOf(device, await store.numbers(device.uid), judging);
          readings += verdict.epochs.reduce((sum, epoch) => sum + epoch.readings, verdict.unnumbered);
          findings.push(...faultsOf(verdict));
        }
        if (findings.length === 0) findings.push(report('record.whole', { readings, devices: devices.length }));
        return [...findings, ...(await waitingFor(store)), ...(await rejectedLately(store, clock.nowMs()))];
      }),
  };
}

/** How the devices are: heard from, approved, well. */
export function devicesExamination(withRecord: WithRecord, clock: Pick<Clock, 'nowMs'>): Examination {
  return {
    id: 'devices',
    title: 'Devices',
    run: async () =>
      await withRecord(async (store) => {
        const devices = (await store.devices()).filter(({ state }) => state !== 'refused');
        if (devices.length === 0) return [report('devices.none')];
        const faults = devices.flatMap((device) => symptomsOf(device, clock.nowMs()));
        return faults.length > 0 ? faults : [report('devices.ok', { count: devices.length })];
      }),
  };
}

/** What is wrong, and what cannot be known: only where there is neither is the record whole. */
function faultsOf({ deviceUid: device, epochs, unnumbered }: DeviceVerdict): readonly Finding[] {
  const holes = epochs.flatMap((epoch) => epoch.holes);
  const count = holes.reduce((sum, hole) => sum + hole.count, 0);
  const total = (count: (epoch: EpochVerdict) => number): number =>
    epochs.reduce((sum, epoch) => sum + count(epoch), 0);
  const doubled = total((epoch) => countOfRanges(epoch.doubled));
  const before = total((epoch) => countOfRanges(epoch.beforeRecord));
  const waiting = total((epoch) => epoch.waiting);
  const ends = epochs.filter(({ unknownEnd }) => unknownEnd !== null).length;
  const isOpen = ({ doubt }: DoubtedGap): boolean => doubt !== 'dismissed';
  const doubted = total((epoch) => epoch.doubted.filter(isOpen).length + countOfRanges(epoch.leaps));
  return [
    ...(count > 0 ? [report('record.hole', { device, count, holes: holes.length })] : []),
    ...(doubled > 0 ? [report('record.doubled', { device, count: doubled })] : []),
    ...(unnumbered > 0 ? [report('record.unnumbered', { device, count: unnumbered })] : []),
    ...(before > 0 ? [report('record.before', { device, count: before })] : []),
    ...(ends > 0 ? [report('record.unknown-end', { device, count: ends })] : []),
    ...(waiting > 0 ? [report('record.waiting', { device, count: waiting })] : []),
    ...(doubted > 0 ? [report('record.doubted', { device, count: doubted })] : []),
  ];
}

/** What waits in quarantine, and whether devices agree on which clock is wrong. */
async function waitingFor(store: Store): Promise<readonly Finding[]> {
  const { waiting, waitingForTime, devices } = await store.quarantineSummary();
  if (waiting === 0) return [];
  // Each came, by this server's clock, before the time that it says.
  const ahead = devices.filter(({ reason, fromTsMs, firstMs }) => reason === 'bad-time' && (fromTsMs ?? 0) > firstMs);
  const others = (await store.devices()).filter(({ state }) => state === 'active').length;
  const isOurs = ahead.length >= 2 && ahead.length * 2 > others;
  const found = { count: waiting, time: waitingForTime, devices: devices.length, ahead: ahead.length };
  return [report(isOurs ? 'record.quarantine-clock' : 'record.quarantine', found)];
}

async function rejectedLately(store: Store, nowMs: number): Promise<readonly Finding[]> {
  const { rejected } = await store.rejected({ limit: REJECTED_PAGE });
  const lately = rejected.filter(({ lastMs }) => lastMs > nowMs - DAY_MS);
  const [newest] = lately;
  if (newest === undefined) return [];
  const shown = (text: string): string => visibleText(text, MAX_TEXT_CHARACTERS);
  const { reason, topic, detail } = newest;
  const count = lately.reduce((sum, each) => sum + each.count, 0);
  return [report('record.rejected', { count, reason, topic: shown(topic), detail: shown(detail) })];
}

function symptomsOf(device: Device, nowMs: number): readonly Finding[] {
  const { uid, status, presence, state } = device;
  const where = visibleText(
    [device.label, device.room?.name].filter((text) => text !== null && text !== undefined).join(', ') || 'no room',
    MAX_TEXT_CHARACTERS,
  );
  const interval = intervalOf(device) / MS_PER_SECOND;
  const { state: contact, heardMs } = contactOf(device, nowMs);
  const isSilent = contact === 'silent' || contact === 'late';
  const seen = heardMs === null ? '' : new Date(heardMs).toISOString();
  const sensor = status?.sensor;
  return [
    ...(state === 'pending' ? [report('devices.pending', { device: uid })] : []),
    ...(isSilent ? [report('devices.silent', { device: uid, where, seen, interval, presence })] : []),
    ...(sensor?.state === 'fault'
      ? [
          report('devices.sensor', {
            device: uid,
            where,
            problem: visibleText(sensor.error ?? 'unknown', MAX_TEXT_CHARACTERS),
          }),
        ]
      : []),
    ...(status?.journal?.state === 'memory' ? [report('devices.memory', { device: uid, where })] : []),
  ];
}
