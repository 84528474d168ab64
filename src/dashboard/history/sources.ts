import { intervalMs } from '../state/model.ts';
import type { SiteState } from '../state/site-state.ts';
import type { Format } from '../text/format.ts';
import type { TextKey } from '../text/texts.ts';
import type { Quantity, SourceKey } from './range.ts';

/** The colours of the page for the canvas, which does not read style sheets. */
export interface Palette {
  readonly lines: readonly string[];
  readonly ink: string;
  readonly quiet: string;
  readonly grid: string;
  readonly card: string;
  readonly hatch: string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    lines: Array.from({ length: COLOURS }, (_, index) => colour(`c${index}`)),
    ink: colour('ink'),
    quiet: colour('quiet'),
    grid: colour('edge'),
    card: colour('card'),
    hatch: colour('hatch'),
  };
}

export const QUANTITY_WORDS = {
  temperature: 'temperature',
  humidity: 'humidity',
  'dew-point': 'dewPoint',
  'absolute-humidity': 'absoluteHumidity',
} as const satisfies Record<Quantity, TextKey>;

export const UNITS: Readonly<Record<Quantity, string>> = {
  temperature: '°C',
  humidity: '%',
  'dew-point': '°C',
  'absolute-humidity': 'g/m³',
};

/** Humidity with a decimal too: in a chart its small moves count. */
export function formatQuantity(format: Format, quantity: Quantity, value: number | null | undefined): string {
  return typeof value === 'number' ? `${format.number(value)}\u00a0${UNITS[quantity]}` : '–';
}

/** The least that the axis spans: a calm room looks calm. */
export const LEAST_SPAN: Readonly<Record<Quantity, number>> = {
  temperature: 2,
  humidity: 6,
  'dew-point': 2,
  'absolute-humidity': 2,
};

/** Whether it is computed from the means of both measured values, and so has no least and most of its own. */
export function isDerived(quantity: Quantity): boolean {
  return quantity === 'dew-point' || quantity === 'absolute-humidity';
}

/** A room or device that a chart can show. Its look does not depend on what else is chosen. */
export interface Source {
  readonly key: SourceKey;
  readonly name: string;
  /** 0 to 5, into the palette. */
  readonly colour: number;
  /** Past the sixth, lines of one colour are told apart by their dashes. */
  readonly dash: readonly number[];
  /** The shortest interval of its devices. */
  readonly intervalMs: number;
}

export const COLOURS = 6;
const DASHES: readonly (readonly number[])[] = [[], [8, 5], [2, 4], [12, 4, 2, 4]];
/** So many are shown before the reader has chosen. */
const SHOWN_AT_FIRST = 6;

/** Rooms, then devices that are in no room or share a room. Sorted, so that colours do not change from day to day. */
export function sourcesOf({ rooms, devices }: SiteState): Source[] {
  const inService = devices.filter(({ state }) => state === 'active');
  const inRoom = (uid: string) => inService.filter(({ room }) => room?.uid === uid);
  const shown = [
    ...[...rooms]
      .sort((a, b) => Number(a.isOutdoors) - Number(b.isOutdoors) || a.name.localeCompare(b.name))
      .filter(({ uid }) => inRoom(uid).length > 0 || inService.length === 0)
      .map(({ uid, name }) => ({ key: `room:${uid}` as const, name, devices: inRoom(uid) })),
    ...inService
      .filter(({ room }) => room === null || inRoom(room.uid).length > 1)
      .map((device) => ({ key: `device:${device.uid}` as const, name: device.label ?? device.uid, devices: [device] })),
  ];
  return shown.map(({ key, name, devices: own }, index) => ({
    key,
    name,
    ...lookOf(index),
    intervalMs: Math.min(...own.map(intervalMs), intervalMs({ status: null })),
  }));
}

/** What the address names, also when it is not (or no longer) in the list; everything, within reason, where it names nothing. */
export function chosenSources(
  all: readonly Source[],
  wanted: readonly SourceKey[] | undefined,
  state: SiteState,
): Source[] {
  if (wanted === undefined) {
    return all.slice(0, SHOWN_AT_FIRST);
  }
  return wanted.map((key, index) => {
    const known = all.find((source) => source.key === key);
    if (known !== undefined) return known;
    const uid = key.slice(key.indexOf(':') + 1);
    const device = state.devices.find((one) => key.startsWith('device:') && one.uid === uid);
    const room = state.rooms.find((one) => key.startsWith('room:') && one.uid === uid);
    const interval = device === undefined ? { status: null } : device;
    return {
      key,
      name: device?.label ?? room?.name ?? uid,
      ...lookOf(all.length + index),
      intervalMs: intervalMs(interval),
    };
  });
}

function lookOf(index: number): Pick<Source, 'colour' | 'dash'> {
  return { colour: index % COLOURS, dash: DASHES[Math.floor(index / COLOURS) % DASHES.length] ?? [] };
}
