import { type CommandIo, type ConfigOptions, EXIT_FAILED, EXIT_OK, type ExitCode } from '../../cli/command-io.ts';
import { printListing, tableOf, visibleText } from '../../cli/listing.ts';
import { contactOf } from '../contact.ts';
import type { DeviceChange, RoomChoice, Store } from '../store/store.ts';
import type { Device } from '../store/stored.ts';
import { isoOrNull, parseTimeOption, shownTime, withStore } from './command-store.ts';

export interface DevicesOptions extends ConfigOptions {
  /** Also those that were taken out of service. */
  readonly all: boolean;
  readonly json: boolean;
}

const MAX_CELL_CHARACTERS = 40;

/** Lists the devices with where they stand and how they are. */
export async function runDevices(options: DevicesOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const devices = await store.devices({ withRemoved: options.all });
    const nowMs = io.clock.nowMs();
    printListing(io, options, {
      record: { devices: devices.map((device) => deviceRecord(device, nowMs)) },
      lines: deviceTable(devices, nowMs),
      empty: 'no device has spoken yet, and none was added',
    });
    return EXIT_OK;
  });
}

function deviceTable(devices: readonly Device[], nowMs: number): readonly string[] {
  const rows = devices.map((device) =>
    [
      device.uid,
      device.label ?? '-',
      device.room?.name ?? '-',
      device.state,
      contactOf(device, nowMs).state,
      device.presence,
      shownTime(device.heardMs),
      String(device.status?.journal?.buffered ?? '-'),
      device.status?.delivery ?? '-',
      device.status?.version ?? '-',
    ].map((cell) => visibleText(cell, MAX_CELL_CHARACTERS)),
  );
  const heading = [
    'device',
    'label',
    'room',
    'state',
    'contact',
    'broker says',
    'last heard',
    'buffered',
    'delivery',
    'version',
  ];
  const pending = devices.filter(({ state }) => state === 'pending').length;
  const remark = pending === 0 ? [] : [`${pending} wait(s) for your yes: techtemp-server devices approve UID`];
  return [...tableOf(heading, rows), ...remark];
}

/** A device as the commands print it as JSON. */
export function deviceRecord(device: Device, nowMs: number): object {
  const { status } = device;
  return {
    device_id: device.uid,
    home_id: device.homeUid,
    label: device.label,
    model: device.model,
    state: device.state,
    room: device.room,
    presence: device.presence,
    contact: contactOf(device, nowMs).state,
    last_heard: isoOrNull(device.heardMs),
    last_seen: isoOrNull(device.lastSeenMs),
    created: isoOrNull(device.createdMs),
    buffered: status?.journal?.buffered ?? null,
    delivery: status?.delivery ?? null,
    version: status?.version ?? null,
    status_at: isoOrNull(device.statusMs),
  };
}

interface DeviceOptions extends ConfigOptions {
  readonly uid: string;
}

export interface DeviceAddOptions extends DeviceOptions {
  readonly room?: string;
  readonly label?: string;
  readonly model?: string;
}

/** Provisions a device before it speaks. */
export async function runDeviceAdd(options: DeviceAddOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const { uid, room, label, model } = options;
    const device = {
      uid,
      ...(room !== undefined && { room: await chosenRoom(store, room) }),
      ...(label !== undefined && { label }),
      ...(model !== undefined && { model }),
    };
    const [added] = await store.addDevices([device], io.clock.nowMs());
    if (added !== undefined) io.stdout.write(`${uid} is added${inWords(added)}\n`);
    return EXIT_OK;
  });
}

export interface DeviceApproveOptions extends DeviceOptions {
  readonly room?: string;
}

/** Says yes to a device that waits (or was refused); what it has measured meanwhile is kept. */
export async function runDeviceApprove(options: DeviceApproveOptions, io: CommandIo): Promise<ExitCode> {
  return await change(options, io, async (store) => {
    const room = options.room === undefined ? {} : { room: await chosenRoom(store, options.room) };
    return { change: { state: 'active', ...room }, said: 'is approved' };
  });
}

/** Says no: what it sends from now on is rejected; what is stored of it stays. */
export async function runDeviceRefuse(options: DeviceOptions, io: CommandIo): Promise<ExitCode> {
  return await change(options, io, () =>
    Promise.resolve({ change: { state: 'refused' }, said: 'is refused; what is stored of it stays' }),
  );
}

export interface DeviceMoveOptions extends DeviceOptions {
  /** Uid or name of a room; a name that no room has makes one. Absent: nowhere. */
  readonly room?: string;
  /** When it was moved; absent: now. */
  readonly at?: string;
}

/** Puts a device into another room; what it has measured since `at` belongs there. */
export async function runDeviceMove(options: DeviceMoveOptions, io: CommandIo): Promise<ExitCode> {
  return await change(options, io, async (store, timeZone) => {
    const room = options.room === undefined ? null : await chosenRoom(store, options.room);
    const movedAtMs = options.at === undefined ? undefined : parseTimeOption('--at', options.at, timeZone);
    const since = movedAtMs === undefined ? '' : ` since ${new Date(movedAtMs).toISOString()}`;
    return { change: { room, ...(movedAtMs !== undefined && { movedAtMs }) }, said: `was moved${since}` };
  });
}

export interface DeviceRenameOptions extends DeviceOptions {
  /** Absent: what the device calls itself. */
  readonly label?: string;
}

/** Gives a device another label; its uid and its readings are what they were. */
export async function runDeviceRename(options: DeviceRenameOptions, io: CommandIo): Promise<ExitCode> {
  return await change(options, io, () =>
    Promise.resolve({ change: { label: options.label ?? null }, said: 'is renamed' }),
  );
}

export interface DeviceRemoveOptions extends DeviceOptions {
  readonly deleteReadings: boolean;
  /** Asks a person; `--yes` answers for them. */
  readonly confirm: (question: string) => Promise<boolean>;
}

/** Takes a device out of service. Its readings stay unless they are to go, which has to be confirmed. */
export async function runDeviceRemove(options: DeviceRemoveOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const { uid, deleteReadings, confirm } = options;
    if (!deleteReadings) {
      const { readings } = await store.removeDevice(uid, 'keep', io.clock.nowMs());
      io.stdout.write(
        `${uid} is removed; its ${readings} readings stay. It is registered again when it speaks again.\n`,
      );
      return EXIT_OK;
    }
    if (!(await confirm(`Delete ${uid} and every reading of it, for good?`))) {
      io.stderr.write(`nothing was changed (--yes confirms where no person can be asked)\n`);
      return EXIT_FAILED;
    }
    const { readings } = await store.removeDevice(uid, 'delete', io.clock.nowMs());
    io.stdout.write(`${uid} is deleted, and with it ${readings} readings.\n`);
    return EXIT_OK;
  });
}

async function change(
  options: DeviceOptions,
  io: CommandIo,
  decide: (store: Store, timeZone: string) => Promise<{ readonly change: DeviceChange; readonly said: string }>,
): Promise<ExitCode> {
  return await withStore(options, io, async ({ store, config }) => {
    const { change, said } = await decide(store, config.house.timeZone);
    const device = await store.updateDevice(options.uid, change, io.clock.nowMs());
    io.stdout.write(`${options.uid} ${said}${inWords(device)}\n`);
    return EXIT_OK;
  });
}

/** A uid that there is names that room; anything else is a name. */
async function chosenRoom(store: Store, text: string): Promise<RoomChoice> {
  return (await store.room(text)) === undefined ? { name: text } : { uid: text };
}

function inWords({ label, room }: Device): string {
  return `: ${label === null ? 'without a label' : `"${label}"`}, ${room === null ? 'in no room' : `in ${room.name}`}`;
}
