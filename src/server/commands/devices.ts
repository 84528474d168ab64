import { type CommandIo, EXIT_OK, type ExitCode } from '../../common/command-io.ts';
import type { ConfigOptions } from '../../common/config-options.ts';
import { textTable, visibleText } from '../../common/text-table.ts';
import { contactOf } from '../contact.ts';
import type { Device } from '../store/stored.ts';
import { withStore } from './command-store.ts';
import { isoOrNull, shownTime } from './command-times.ts';

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
    const records = devices.map((device) => deviceRecord(device, nowMs));
    if (options.json) io.stdout.write(`${JSON.stringify({ devices: records }, undefined, 2)}\n`);
    else if (devices.length === 0) io.stdout.write('no device has spoken yet, and none was added\n');
    else io.stdout.write(deviceTable(devices, nowMs));
    return EXIT_OK;
  });
}

function deviceTable(devices: readonly Device[], nowMs: number): string {
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
  return `${[...textTable([heading, ...rows]), ...remark].join('\n')}\n`;
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
