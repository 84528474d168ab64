import type { SensorLock } from '../i2c/lock.ts';
import { I2cError, type Measurement, type Sensor, SensorError, type SensorHealth } from '../sensor.ts';
import { awaitPowerUp, prepare, softReset, startConversion } from './chip.ts';
import { readConversion, type ValidityRules } from './conversion.ts';
import { FRAME_LENGTH, hasValidCrc, isBlank } from './frame.ts';
import { Aht20Link, type Aht20LinkOptions, type ChipTransport } from './transport.ts';
import { BusHealth, ChecksumStats, FreezeWatch, StuckAtLimit } from './validity.ts';

/** No transfer begins later than this in a measurement; with the limit of the last one a measurement ends within about 3 s. */
const LAST_START_MS = 2000;
/** Lets a disturbance on the wires pass before the next try. */
const RETRY_WAIT_MS = 5;

/** What is done before each try, from the mildest to the last; then the fault is reported and the next measurement begins again. */
const LADDER = ['none', 'retry', 'soft-reset', 're-initialise', 'reopen-bus'] as const;
type Repair = (typeof LADDER)[number];

/** Nothing that this driver does within a second changes these; a hung bus would only take another thread. */
const BEYOND_REPAIR: ReadonlySet<string> = new Set([
  'I2C_MODULE_MISSING',
  'I2C_BUS_MISSING',
  'I2C_PERMISSION',
  'I2C_ADDRESS_IN_USE',
  'I2C_HUNG',
]);

export interface Aht20Options extends Aht20LinkOptions {
  /** Held for one whole measurement, so that another process's trigger does not fall into it. Default: none. */
  readonly lock?: SensorLock;
}

/**
 * The driver of an AHT20 and its relatives (AHT10, AHT21, AHT25, AHT30, DHT20). Opens nothing before the first measurement,
 * so it can be made where there is no sensor yet, and goes on trying for as long as it is asked.
 */
export function createAht20(options: Aht20Options): Sensor {
  return new Aht20(options);
}

class Aht20 implements Sensor {
  private readonly options: Aht20Options;
  private readonly link: Aht20Link;
  private readonly beliefs: ValidityRules;
  private readonly freeze = new FreezeWatch();
  private readonly counts = {
    measurements: 0,
    failures: 0,
    crcErrors: 0,
    retries: 0,
    softResets: 0,
    reinitialisations: 0,
  };
  /** Whether the chip's status was seen to be good, and nothing went wrong since. */
  private prepared = false;

  constructor(options: Aht20Options) {
    this.options = options;
    this.link = new Aht20Link(options);
    this.beliefs = {
      trust: new BusHealth(),
      checksum: new ChecksumStats(),
      stuckEnd: new StuckAtLimit(),
      noteCrcError: () => this.counts.crcErrors++,
    };
  }

  get description(): string {
    return `AHT20 at ${this.link.place}`;
  }

  measure(signal: AbortSignal): Promise<Measurement> {
    const { lock } = this.options;
    return lock === undefined ? this.climb(signal) : lock.runExclusive(() => this.climb(signal), signal);
  }

  health(): SensorHealth {
    const { reopenings, hungTransfers } = this.link;
    return { ...this.counts, busReopenings: reopenings, hungTransfers };
  }

  close(): Promise<void> {
    return this.link.drop();
  }

  /** Tries, and after each failure repairs a little more, until a value comes or there is nothing left to do. */
  private async climb(signal: AbortSignal): Promise<Measurement> {
    const lastStartMs = this.options.monotonicMs() + LAST_START_MS;
    const talk = this.link.talk(signal, lastStartMs);
    let failure: SensorError | I2cError | undefined;
    for (let repair: Repair | undefined = 'none'; repair !== undefined; ) {
      try {
        return await this.attempt(talk, repair);
      } catch (error) {
        if (!(error instanceof SensorError || error instanceof I2cError)) throw error;
        // Nothing was wrong with the chip, and nothing is to be repaired or counted.
        if (error.code === 'SENSOR_NO_TIME' && failure === undefined) throw error;
        this.prepared = false;
        this.beliefs.trust.noteFailure();
        const late = this.options.monotonicMs() > lastStartMs;
        // Out of time is the consequence; what took the time is the fault.
        failure = late && failure !== undefined ? failure : error;
        repair = late ? undefined : nextRepair(repair, error);
      }
    }
    this.counts.failures++;
    throw failure ?? new Error('unreachable: the ladder has at least one rung');
  }

  private async attempt(talk: ChipTransport, repair: Repair): Promise<Measurement> {
    await this.repair(talk, repair);
    if (!this.prepared) await this.prepareChip(talk, 'if-needed');
    const taken = await startConversion(talk);
    const { value, frame } = await readConversion(talk, this.link.place, this.beliefs);
    if (this.freeze.observe(value.bits, this.options.monotonicMs())) throw this.frozen(value);
    this.beliefs.trust.noteClean();
    this.counts.measurements++;
    return { temperatureCelsius: value.temperatureCelsius, humidityPercent: value.humidityPercent, frame, taken };
  }

  private async repair(talk: ChipTransport, repair: Repair): Promise<void> {
    if (repair !== 'none') this.counts.retries++;
    switch (repair) {
      case 'none':
        if (!this.prepared) await awaitPowerUp(talk);
        return;
      case 'retry':
        await talk.wait(RETRY_WAIT_MS);
        return awaitPowerUp(talk);
      case 'soft-reset':
        return this.resetChip(talk);
      case 're-initialise':
        return this.prepareChip(talk, 'always');
      case 'reopen-bus':
        await this.link.drop();
        await this.resetChip(talk);
        return this.prepareChip(talk, 'always');
    }
  }

  private async resetChip(talk: ChipTransport): Promise<void> {
    this.counts.softResets++;
    await softReset(talk);
  }

  private async prepareChip(talk: ChipTransport, mode: 'if-needed' | 'always'): Promise<void> {
    const initialised = await prepare(talk, this.link.place, mode);
    // A chip fresh from power-on may need its first initialisation; only what comes after that is a repair.
    if (initialised && this.counts.measurements + this.counts.retries > 0) this.counts.reinitialisations++;
    this.prepared = true;
  }

  private frozen(value: { readonly temperatureCelsius: number; readonly humidityPercent: number }): SensorError {
    return new SensorError(
      'SENSOR_FROZEN',
      `the chip at ${this.link.place} has said exactly ${value.temperatureCelsius.toFixed(2)} °C and ` +
        `${value.humidityPercent.toFixed(2)} %RH for hours, also after a reset: take its power off once`,
    );
  }
}

/** The next rung; none where nothing is left to do, or nothing would help. */
function nextRepair(done: Repair, error: SensorError | I2cError): Repair | undefined {
  if (BEYOND_REPAIR.has(error.code)) return undefined;
  if (error.code === 'SENSOR_FROZEN') {
    // A repeated value was measured well; only a reset may unfreeze it, and measuring on would warm the chip.
    return LADDER.indexOf(done) < LADDER.indexOf('soft-reset') ? 'soft-reset' : undefined;
  }
  return LADDER[LADDER.indexOf(done) + 1];
}

/** A sensor that has proved itself, or the reason why there is none: its code and message say what to do. */
export type FoundAht20 =
  | { readonly found: true; readonly sensor: Sensor }
  | { readonly found: false; readonly reason: I2cError | SensorError };

/**
 * Looks for an AHT20 or one of its relatives where the options say. An acknowledge proves nothing, since other chips live at
 * 0x38 too (PCF8574A, VEML6070); a frame with its checksum does. A chip that has measured since power-on shows one at
 * once, in a millisecond; else it is asked for a measurement.
 * @throws the signal's reason
 */
export async function findAht20(options: Aht20Options, signal: AbortSignal): Promise<FoundAht20> {
  signal.throwIfAborted();
  const sensor = createAht20(options);
  try {
    if (!(await showsFrame(options))) await sensor.measure(signal);
    return { found: true, sensor };
  } catch (error) {
    await sensor.close();
    if (error instanceof I2cError || error instanceof SensorError) return { found: false, reason: error };
    throw error;
  }
}

/** @throws I2cError where the bus cannot be opened or hangs */
async function showsFrame({ openBus, busNumber, address }: Aht20Options): Promise<boolean> {
  const bus = await openBus(busNumber);
  try {
    const frame = await bus.read(address, FRAME_LENGTH);
    return hasValidCrc(frame) && !isBlank(frame);
  } catch (error) {
    // A measurement with its repairs says more than this one read, but must not hang on a bus that already does.
    if (error instanceof I2cError && error.code !== 'I2C_HUNG') return false;
    throw error;
  } finally {
    await bus.close();
  }
}
