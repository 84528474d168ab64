import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { buildEmulator, emulatorObstacle } from './emulator-build.ts';
import type { LogEntry } from './emulator-log.ts';

const run = promisify(execFile);
/** In memory where that is to be had: a chip does not wait for a disk that is busy with other things. */
const FOLDERS = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Why there is no emulated bus here; undefined when there is. For the message of a skipped test. */
export const emulatorMissing: string | undefined = emulatorObstacle();
/** For `describe.skipIf(!emulatorAvailable)`. */
export const emulatorAvailable: boolean = emulatorMissing === undefined;

/** Where the sensor's values come from; each delivered reading takes the next. */
export type ValueSource =
  | { readonly kind: 'constant'; readonly temperature: number; readonly humidity: number }
  /** The chip's 40 data bits as ten hex digits. */
  | { readonly kind: 'raw'; readonly bytes: string }
  | {
      readonly kind: 'csv';
      readonly path: string;
      readonly temperatureColumn?: string;
      readonly humidityColumn?: string;
      /** After the last row: keep giving it (the default), or start again. */
      readonly atEnd?: 'hold' | 'wrap';
      /** Counted from 0. */
      readonly firstRow?: number;
    }
  | {
      readonly kind: 'sine';
      readonly temperature: number;
      readonly humidity: number;
      readonly temperatureSwing: number;
      readonly humiditySwing: number;
      /** Readings per turn. */
      readonly period: number;
      /** Largest noise on both values, seeded. */
      readonly noise?: number;
      readonly seed?: number;
    };

/** What the sensor is like. The times are the datasheet's where nothing else is said. */
export interface SensorSettings {
  readonly address: number;
  readonly nackErrno: 'EREMOTEIO' | 'ENXIO' | 'EIO';
  readonly powerUpMs: number;
  /** 75 by default; 0 makes a conversion end at once. */
  readonly conversionMs: number;
  readonly initMs: number;
  readonly resetMs: number;
  readonly calibratedAtPowerUp: boolean;
  /** Status bit 4, which the newer sheets want to see too. */
  readonly registersAtPowerUp: boolean;
  /** Reserved status bits that are set anyway. */
  readonly statusExtra: number;
  /** true: it initialises; false: NACK; ignored: ACK without effect. */
  readonly acceptsE1: boolean | 'ignored';
  readonly acceptsBe: boolean | 'ignored';
  readonly hasRegisters: boolean;
  readonly hasCrc: boolean;
  /** Without a CRC byte: byte 7 repeats byte 6 instead of FF. */
  readonly repeatSeventh: boolean;
  /** Writing 71 leaves it busy, and until when; default false. */
  readonly busyAfter71: false | 'reset' | 'power-cycle' | 'for-good';
  /** Bits per second on the wire; 0 (default): a transfer takes no time. */
  readonly bitRate: number;
  readonly deviceMode: number;
  readonly deviceGid: number;
}

/** Chips that differ in more than their label. `aht20` is the older sheet's, `aht20-new` refuses E1. */
export type Personality = 'aht20' | 'aht20-new' | 'dht20' | 'aht10';

const personalities: Readonly<Record<Personality, Partial<SensorSettings>>> = {
  aht20: {},
  'aht20-new': { acceptsE1: false },
  dht20: { acceptsE1: false, powerUpMs: 100 },
  aht10: { acceptsBe: 'ignored', hasRegisters: false, hasCrc: false, registersAtPowerUp: false },
};

/** Every fault that can be commanded; README.md of the emulator says what each does. */
export type FaultKind =
  | 'hang'
  | 'timeout'
  | 'nack'
  | 'absent'
  | 'other-device'
  | 'busy'
  | 'not-calibrated'
  | 'refuse-init'
  | 'crc'
  | 'crc-valid'
  | 'frozen'
  | 'zero'
  | 'ones'
  | 'no-device'
  | 'no-permission'
  | 'kernel-driver';

/** When a fault hits, and its own choice. */
export interface FaultOptions {
  /** Of each opportunity; default 1. */
  readonly probability?: number;
  /** Over after so many hits; default: until it is cleared. */
  readonly count?: number;
  /** So many opportunities pass unharmed first. */
  readonly skip?: number;
  readonly seed?: number;
  /** Only these transfers. */
  readonly on?: 'write' | 'status' | 'frame' | 'read' | 'any';
  /** `timeout`: how long the bus is held before ETIMEDOUT. */
  readonly ms?: number;
  /** `other-device`: what it answers, as hex digits, repeated. */
  readonly bytes?: string;
  /** `busy`: reset, power-cycle, for-good (default). `not-calibrated`: works, never. `refuse-init`: e1, be, both, all. `zero`, `ones`: bus,
   * data (with a right CRC). `crc`, `crc-valid`: how many bits flip. */
  readonly option?: string | number;
}

/** What the sensor says of itself, for assertions. */
export interface SensorState {
  readonly conversions: number;
  readonly nextSample: number;
  readonly calibrated: boolean;
  readonly powered: boolean;
  readonly faults: Readonly<Partial<Record<FaultKind, { readonly active: boolean; readonly hits: number }>>>;
}

export interface EmulatorOptions {
  /** N of /dev/i2c-N; default 1. */
  readonly busNumber?: number;
  readonly personality?: Personality;
  readonly settings?: Partial<SensorSettings>;
  /** Default: a constant 21.5 °C and 45 %RH. */
  readonly source?: ValueSource;
  /** Starts with its power-up time instead of having been on for long. */
  readonly justPoweredOn?: boolean;
}

/** A running emulated bus. Each command is complete when its promise resolves; the next transfer sees it. */
export interface Emulator {
  readonly busNumber: number;
  /** To merge into the environment of a child: the emulation needs a fresh process. */
  readonly env: Readonly<Record<string, string>>;
  readonly statePath: string;
  set(settings: Partial<SensorSettings>): Promise<void>;
  /** New values, from their first one on. */
  source(source: ValueSource): Promise<void>;
  fault(kind: FaultKind, options?: FaultOptions): Promise<void>;
  /** An unplugged sensor is plugged in again, a transfer that hangs is released. */
  clearFault(kind: FaultKind): Promise<void>;
  clearFaults(): Promise<void>;
  powerCycle(): Promise<void>;
  state(): Promise<SensorState>;
  /** The ground truth: everything that happened, in order. */
  log(): Promise<readonly LogEntry[]>;
  /** Removes its files; end the children first. */
  stop(): Promise<void>;
}

/** Starts an emulated `/dev/i2c-N` with one sensor. Several may exist at once, also with the same number. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const files = await buildEmulator();
  const folder = await mkdtemp(join(FOLDERS, 'techtemp-emulator-'));
  const statePath = join(folder, 'state');
  const busNumber = options.busNumber ?? 1;
  let rowFiles = 0;

  const command = async (...args: readonly string[]): Promise<void> => {
    await run(files.control, [statePath, ...args]);
  };
  const setSource = async (source: ValueSource): Promise<void> => {
    if (source.kind !== 'csv') {
      await command('source', 'sample=0', ...pairs(source));
      return;
    }
    const rows = join(folder, `rows-${(rowFiles += 1)}`);
    await writeFile(rows, await readRows(source));
    await command(
      'source',
      `sample=${source.firstRow ?? 0}`,
      'kind=rows',
      `wrap=${source.atEnd === 'wrap'}`,
      `rows=${rows}`,
    );
  };
  const set = (settings: Partial<SensorSettings>): Promise<void> => command('set', ...pairs(settings));

  await command('create', String(busNumber));
  await set({ ...personalities[options.personality ?? 'aht20'], ...options.settings });
  await command(options.justPoweredOn === true ? 'power-cycle' : 'warm');
  if (options.source !== undefined) await setSource(options.source);

  return {
    busNumber,
    statePath,
    env: {
      LD_PRELOAD: [process.env['LD_PRELOAD'], files.library].filter(Boolean).join(' '),
      TECHTEMP_EMULATED_I2C: statePath,
      UV_USE_IO_URING: '0', // libuv would read and write around the C library
    },
    set,
    source: setSource,
    fault: (kind, faultOptions = {}) => command('fault', kind, ...pairs(faultOptions)),
    clearFault: (kind) => command('clear', kind),
    clearFaults: () => command('clear'),
    powerCycle: () => command('power-cycle'),
    state: async () => JSON.parse((await run(files.control, [statePath, 'state'])).stdout) as SensorState,
    log: async () => parseLog(await readFile(`${statePath}.log`, 'utf8')),
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The environment for a child that sees several buses. */
export function combinedEnv(emulators: readonly Emulator[]): Readonly<Record<string, string>> {
  return {
    ...emulators[0]?.env,
    TECHTEMP_EMULATED_I2C: emulators.map((emulator) => emulator.statePath).join(':'),
  };
}

function pairs(values: object): readonly string[] {
  return Object.entries(values).map(([name, value]) => `${name}=${String(value)}`);
}

function parseLog(text: string): readonly LogEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogEntry);
}

/** Pairs of doubles, temperature and humidity, as the emulator maps them. */
async function readRows(source: Extract<ValueSource, { kind: 'csv' }>): Promise<Float64Array> {
  const [header = '', ...lines] = (await readFile(source.path, 'utf8')).trim().split(/\r?\n/);
  const names = header.split(',');
  const columns = [source.temperatureColumn ?? 'temperature_c', source.humidityColumn ?? 'humidity_pct'].map((name) => {
    const column = names.indexOf(name);
    if (column < 0) throw new Error(`${source.path} has no column ${name}, but ${names.join(', ')}`);
    return column;
  });
  return Float64Array.from(
    lines.flatMap((line) => {
      const cells = line.split(',');
      return columns.map((column) => Number(cells[column]));
    }),
  );
}
