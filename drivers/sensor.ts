/** What every sensor driver offers, and the one shape in which drivers report failures. */

/** What a chip says: values without a time. A stamped measurement is a reading (src/contract/reading.ts). */
export interface Measurement {
  /** Air temperature in °C, full resolution of the chip, no offset applied. */
  readonly temperatureCelsius: number;
  /** Relative humidity in %, 0 to 100, full resolution of the chip, no offset applied. */
  readonly humidityPercent: number;
  /** The bytes as the chip sent them, for later proof; empty where there is no chip. */
  readonly frame: Uint8Array;
  /** When it was measured; absent where that is the moment at which it is handed over. */
  readonly taken?: Taken;
}

/** The time of a measurement, from the clock of the transfers: whenever the program gets to it, the value is as old as this says. */
export interface Taken {
  /** Monotonic ms at which the measurement ended. */
  readonly endedMs: number;
  /** By how much the measurement may have ended before that, besides the time of a transfer. */
  readonly uncertaintyMs: number;
}

/** Counters since the driver was created; plain numbers, cheap to copy into a status message. */
export interface SensorHealth {
  readonly measurements: number;
  readonly failures: number;
  readonly crcErrors: number;
  readonly retries: number;
  readonly softResets: number;
  readonly reinitialisations: number;
  readonly busReopenings: number;
  /** Transfers that were given up on and have not returned yet; above zero only a restart of the process helps. */
  readonly hungTransfers: number;
}

export interface Sensor {
  /** For people, e.g. `AHT20 at 0x38 on /dev/i2c-1` or `simulated sensor`. */
  readonly description: string;
  /**
   * Takes exactly one measurement, repairing what can be repaired on the way; bounded in time (a few seconds at most).
   * Not to be called again before it has settled.
   * @throws SensorError | I2cError when no true value could be had
   */
  measure(signal: AbortSignal): Promise<Measurement>;
  health(): SensorHealth;
  close(): Promise<void>;
}

export type SensorErrorCode =
  | 'SENSOR_CRC'
  | 'SENSOR_BUSY'
  | 'SENSOR_NOT_CALIBRATED'
  | 'SENSOR_IMPLAUSIBLE'
  | 'SENSOR_FROZEN'
  /** No fault of the sensor: the machine was too busy to let the measurement go on. */
  | 'SENSOR_NO_TIME';

export type I2cErrorCode =
  | 'I2C_MODULE_MISSING'
  | 'I2C_BUS_MISSING'
  | 'I2C_PERMISSION'
  | 'I2C_ADDRESS_IN_USE'
  | 'I2C_NACK'
  | 'I2C_TIMEOUT'
  | 'I2C_HUNG'
  | 'I2C_SHORT_TRANSFER'
  | 'I2C_FAILED';

/** The chip answered, but not with a value that may become a reading. */
export class SensorError extends Error {
  override readonly name = 'SensorError';
  readonly code: SensorErrorCode;

  constructor(code: SensorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The bus or the way to it failed. The message says with which device and address, and what to do. */
export class I2cError extends Error {
  override readonly name = 'I2cError';
  readonly code: I2cErrorCode;

  constructor(code: I2cErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Waits; rejects with the signal's reason when aborted. Passed in so that tests own the time. */
export type Delay = (ms: number, signal?: AbortSignal) => Promise<void>;
