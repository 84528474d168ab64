import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { isId } from '../contract/topics.ts';
import type { Random } from '../platform/clock.ts';
import { writeFileAtomic } from '../platform/files.ts';

/** A network interface as far as an identity can be made of it. */
export interface NetworkInterface {
  readonly name: string;
  /** Six bytes in hex, with colons. */
  readonly mac: string;
  /** A card, not a bridge, tunnel or container: its address stays. */
  readonly physical: boolean;
}

export interface DeviceUid {
  readonly uid: string;
  /** `made-up`: this machine has no network card; without the file another one would be made up at the next start. */
  readonly source: 'remembered' | 'derived' | 'made-up';
  /** Why it could not be remembered: a card that is plugged in later may change it. */
  readonly problem?: string;
}

export interface DeviceUidParts {
  readonly stateDirectory: string;
  readonly interfaces: () => Promise<readonly NetworkInterface[]>;
  readonly random: Random;
}

const UID_FILE = 'device-uid';
const UID_PREFIX = 'aht20-';
/** As the older system names its devices: the last six hex digits of the MAC. */
const UID_DIGITS = 6;
/** The older system's order. Raspberry Pi OS keeps these two names. */
const PREFERRED_INTERFACES = ['eth0', 'wlan0'];
const SYS_CLASS_NET = '/sys/class/net';
const NO_MAC = '00:00:00:00:00:00';

/**
 * The uid of a device whose file names none: decided once, kept in `{stateDirectory}/device-uid` from then on, so that a USB
 * network card that comes later changes nothing. Never rejects: without a place to keep it, it is derived again each time.
 */
export async function openDeviceUid({ stateDirectory, interfaces, random }: DeviceUidParts): Promise<DeviceUid> {
  const path = join(stateDirectory, UID_FILE);
  const remembered = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (isId(remembered)) return { uid: remembered, source: 'remembered' };

  const derived = deriveDeviceUid(await interfaces());
  const uid =
    derived ??
    `${UID_PREFIX}${Math.floor(random() * 16 ** UID_DIGITS)
      .toString(16)
      .padStart(UID_DIGITS, '0')}`;
  const source = derived === undefined ? 'made-up' : 'derived';
  try {
    await mkdir(stateDirectory, { recursive: true });
    await writeFileAtomic(path, `${uid}\n`, { mode: 0o644 });
    return { uid, source };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      uid,
      source,
      problem: `device_uid ${uid} cannot be remembered in ${path} (${why}); set it in device.conf`,
    };
  }
}

/** `aht20-` and the last six hex digits of eth0, else wlan0, else of the first card. Undefined when there is none. Pure. */
export function deriveDeviceUid(interfaces: readonly NetworkInterface[]): string | undefined {
  const usable = interfaces.filter(({ mac }) => /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac) && mac !== NO_MAC);
  const [chosen] = usable.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  if (chosen === undefined) return undefined;
  return UID_PREFIX + chosen.mac.replaceAll(':', '').slice(-UID_DIGITS).toLowerCase();
}

/**
 * The interfaces of this machine. From /sys on Linux: os.networkInterfaces() leaves out a card without an address, so eth0
 * without a cable, and all of them early in the boot. Never rejects.
 */
export async function readNetworkInterfaces(sysClassNet = SYS_CLASS_NET): Promise<readonly NetworkInterface[]> {
  const names = await readdir(sysClassNet).catch(() => undefined);
  if (names === undefined) return interfacesOfNode();
  return await Promise.all(
    names.map(async (name) => ({
      name,
      mac: (await readFile(join(sysClassNet, name, 'address'), 'utf8').catch(() => '')).trim(),
      physical: await stat(join(sysClassNet, name, 'device')).then(
        () => true,
        () => false,
      ),
    })),
  );
}

function interfacesOfNode(): readonly NetworkInterface[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.filter(({ internal }) => !internal).map(({ mac }) => ({ name, mac, physical: true })),
  );
}

function rank({ name, physical }: NetworkInterface): number {
  const preferred = PREFERRED_INTERFACES.indexOf(name);
  if (preferred !== -1) return preferred;
  return PREFERRED_INTERFACES.length + (physical ? 0 : 1);
}
