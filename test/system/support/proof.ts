import { setTimeout as sleep } from 'node:timers/promises';
import { asRecord, parseJson } from '../../../src/contract/json.ts';
import { type Conversion, countTruthLines, readTruth } from './ground-truth.ts';
import type { Recorder } from './recorder.ts';
import { note } from './results.ts';
import type { Target } from './target.ts';

/** A reading as the server exports it. */
export interface StoredReading {
  readonly tsMs: number;
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
  readonly epoch: string;
  readonly seq: number;
  readonly isUnsynced: boolean;
}

export interface Proof {
  /** In the record, over all time. */
  readonly readings: readonly StoredReading[];
  /** Numbers that are gone, as gap records say. */
  readonly explained: number;
  /** Conversions that the sensor made since the watch began and that became no reading. */
  readonly unrecorded: readonly Conversion[];
}

const AGENT = 'node /opt/techtemp/current/dist/techtemp-device.js';
const SERVER_COMMAND = 'node /opt/techtemp/current/dist/techtemp-server.js';
const EXPORT = 'http://127.0.0.1:3000/api/v1/export?format=jsonl';
/** Longest time in which a device hands over what it has kept. */
const DELIVERY_LIMIT_MS = 180_000;
const SECOND_LOOK_MS = 20_000;
/** Two decimals of a stored reading against four of the truth. */
const ROUNDING = 0.0051;

/**
 * Watches what happens to readings from now on, and proves by numbers that none is missing: nothing waits at the device, every
 * number that was given is in the server's record or in a gap record, and, where the sensor tells what it measured, each reading
 * is one of its conversions.
 */
export class Watch {
  readonly #target: Target;
  readonly #recorder: Recorder | undefined;
  readonly #firstLine: number;

  constructor(target: Target, recorder?: Recorder) {
    this.#target = target;
    this.#recorder = recorder;
    const { truth } = target.settings;
    this.#firstLine = truth === undefined ? 0 : countTruthLines(truth);
  }

  /**
   * @throws where a reading is missing. `what` names the scenario in the results. Strict: since the device counts, not since the
   * server knows it.
   */
  async prove(what: string, { isStrict = false }: { readonly isStrict?: boolean } = {}): Promise<Proof> {
    const target = this.#target;
    const { truth } = target.settings;
    const measured = truth === undefined ? [] : readTruth(truth, this.#firstLine);
    // From the sensor to the journal it takes milliseconds, on a busy machine a little longer.
    await sleep(2_000);
    const given = await numbersGiven(target);
    const verdict = await target.until(
      'the record has every number that the device gave',
      () => wholeRecord(target, given, isStrict),
      DELIVERY_LIMIT_MS,
    );
    let readings = await storedReadings(target);
    const explained = assertComplete(verdict, readings);
    let unrecorded = truth === undefined ? [] : compareWithTruth(readTruth(truth), measured, readings);
    // A very busy machine can still be writing the newest one down. What is lost stays lost: a second look hides nothing.
    if (truth !== undefined && unrecorded.length > 0) {
      await sleep(SECOND_LOOK_MS);
      readings = await storedReadings(target);
      unrecorded = compareWithTruth(readTruth(truth), measured, readings);
    }
    const seen = this.#recorder === undefined ? '' : `, ${this.#recorder.readings().length} at mosquitto_sub`;
    const made = truth === undefined ? '' : `; ${measured.length} conversions, ${unrecorded.length} without a reading`;
    note(target, `${what}: ${readings.length} readings in the record${seen}, 0 missing, ${explained} explained${made}`);
    return { readings, explained, unrecorded };
  }
}

/** The readings that the server has, oldest first. */
export async function storedReadings(target: Target): Promise<readonly StoredReading[]> {
  const text = await target.sh(`curl -fsS --max-time 60 '${EXPORT}'`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const record = asRecord(parseJson(line), 'a line of the export');
      return {
        tsMs: Date.parse(String(record['ts'])),
        temperatureCelsius: Number(record['temperature']),
        humidityPercent: Number(record['humidity']),
        epoch: String(record['epoch']),
        seq: Number(record['seq']),
        isUnsynced: record['clock'] === 'unsynced',
      };
    });
}

/** The last number of each epoch. */
type LastNumbers = ReadonlyMap<string, number>;

interface EpochVerdict {
  readonly epoch: string;
  readonly last: number;
  readonly readings: number;
  readonly gap_records: number;
  readonly missing: number;
  readonly explained: Readonly<Record<string, number>>;
  readonly before_record: readonly (readonly [number, number])[];
}

interface Verdict {
  readonly devices: readonly { readonly epochs: readonly EpochVerdict[] }[];
  readonly summary: { readonly waiting: number; readonly holes: number; readonly doubled: number };
}

/** What lies in the device's journal, released or not; an epoch of which nothing lies there any more was delivered long ago. */
async function numbersGiven(target: Target): Promise<LastNumbers> {
  const text = await target.sh(`${AGENT} journal list --json`);
  const { journals } = JSON.parse(text) as { readonly journals: readonly { epoch: string; lastSeq: number }[] };
  return new Map(journals.filter(({ lastSeq }) => lastSeq > 0).map(({ epoch, lastSeq }) => [epoch, lastSeq]));
}

/** The server's own proof, as soon as it covers these numbers; false while some of them are on their way. @throws where it finds a hole */
async function wholeRecord(target: Target, given: LastNumbers, isStrict: boolean): Promise<Verdict | false> {
  const { status, stdout, stderr } = await target.try(`${SERVER_COMMAND} verify --json${isStrict ? ' --strict' : ''}`);
  if (status !== 0 && status !== 1)
    throw new Error(`techtemp-server verify: exit ${String(status)}\n${stdout}${stderr}`);
  const verdict = JSON.parse(stdout) as Verdict;
  const stored = new Map(epochsOf(verdict).map(({ epoch, last }) => [epoch, last]));
  const isCovered = [...given].every(([epoch, last]) => (stored.get(epoch) ?? 0) >= last);
  if (status === 1) throw new Error(`techtemp-server verify finds a hole\n${stdout}`);
  return isCovered && verdict.summary.waiting === 0 ? verdict : false;
}

/**
 * The same once more, from the exported readings alone: no number twice, and of each epoch as many absent as gap records explain.
 * Returns how many these are.
 */
function assertComplete(verdict: Verdict, readings: readonly StoredReading[]): number {
  let total = 0;
  for (const { epoch, last, gap_records, explained, before_record } of epochsOf(verdict)) {
    const numbers = readings.filter((reading) => reading.epoch === epoch && reading.seq <= last).map(({ seq }) => seq);
    if (new Set(numbers).size !== numbers.length) throw new Error(`a number of epoch ${epoch} is in the record twice`);
    const told = Object.values(explained).reduce((sum, count) => sum + count, 0);
    const before = before_record.reduce((sum, [from, to]) => sum + to - from + 1, 0);
    const absent = last - numbers.length - gap_records - before;
    if (absent !== told) throw new Error(`of epoch ${epoch} ${absent} numbers are absent and ${told} explained`);
    total += told;
  }
  return total;
}

function epochsOf({ devices }: Verdict): readonly EpochVerdict[] {
  return devices.flatMap(({ epochs }) => epochs);
}

/**
 * Each reading must be a conversion of its own. Returns those of the conversions that became no reading. Values tell them apart where
 * the sensor has some noise.
 */
function compareWithTruth(
  all: readonly Conversion[],
  measured: readonly Conversion[],
  readings: readonly StoredReading[],
): readonly Conversion[] {
  const free = new Set(all);
  const invented = readings.filter((reading) => {
    const conversion = [...free].find((candidate) => isSame(candidate, reading));
    if (conversion !== undefined) free.delete(conversion);
    return conversion === undefined;
  });
  if (invented.length > 0)
    throw new Error(`readings that the sensor never made: ${JSON.stringify(invented.slice(0, 5))}`);
  const unused = new Set([...free].map(({ id }) => id));
  return measured.filter(({ id }) => unused.has(id));
}

function isSame(conversion: Conversion, reading: StoredReading): boolean {
  return (
    Math.abs(conversion.temperatureCelsius - reading.temperatureCelsius) < ROUNDING &&
    Math.abs(conversion.humidityPercent - reading.humidityPercent) < ROUNDING
  );
}
