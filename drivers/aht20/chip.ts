import { I2cError, SensorError, type Taken } from '../sensor.ts';
import { STATUS_BUSY, STATUS_CALIBRATED, STATUS_LOADED } from './frame.ts';
import type { ChipTransport } from './transport.ts';

// What the data sheets say, as calls. AHT10, AHT20, AHT21, AHT25, AHT30 and DHT20 differ in how they are initialised; which
// one it is shows in what it accepts, since labels lie (a part sold as AHT10 is often an AHT20).

/** AHT20 v1.1 section 5.4. Newer parts do not acknowledge it; they load their calibration themselves. */
const INIT_AHT20 = [0xbe, 0x08, 0x00];
/** The same for an AHT10; what is not one leaves it unacknowledged. */
const INIT_AHT10 = [0xe1, 0x08, 0x00];
const INIT_WAIT_MS = 10;
/** DHT20 V1.0 section 7.4 names these registers, ASAIR's demo code (JH_Reset_REG) the sequence and its waits. */
const CALIBRATION_REGISTERS = [0x1b, 0x1c, 0x1e];
const REGISTER_WRITE = 0xb0;
const REGISTER_READ_WAIT_MS = 5;
const REGISTER_WRITE_WAIT_MS = 10;

const TRIGGER = [0xac, 0x33, 0x00];
/** t of a conversion: "wait at least 80 ms" (AHT20 v1.1 and DHT20 V1.0 section 7.4). */
const CONVERSION_MS = 80;

/** AHT20 v1.1 section 5.5. */
const SOFT_RESET = [0xba];
const SOFT_RESET_MS = 20;

/** Sheets name 40 ms (AHT20 v1.1) and 100 ms (DHT20 V1.0) after power-on; until then the chip does not acknowledge. */
const POWER_UP_MS = 120;
const POWER_UP_STEP_MS = 20;

/** A conversion that another program began, or one before a restart of ours, is over by then. */
const IDLE_LIMIT_MS = 100;
const IDLE_STEP_MS = 5;

/**
 * Waits until the chip acknowledges: talking first costs nothing where it has long been powered.
 * @throws I2cError I2C_NACK when it still does not after the power-up time
 */
export async function awaitPowerUp(talk: ChipTransport): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += POWER_UP_STEP_MS) {
    try {
      await readStatus(talk);
      return;
    } catch (error) {
      if (!isNack(error) || waitedMs >= POWER_UP_MS) throw error;
    }
    await talk.wait(POWER_UP_STEP_MS);
  }
}

/**
 * Makes sure that the chip has its calibration, and touches it only if it has not.
 * @param mode `always` initialises a chip that says it is fine, as a repair
 * @returns whether anything was sent that initialises
 * @throws SensorError SENSOR_BUSY, SENSOR_NOT_CALIBRATED; I2cError
 */
export async function prepare(talk: ChipTransport, place: string, mode: 'if-needed' | 'always'): Promise<boolean> {
  let status = await readIdleStatus(talk, place);
  // One disturbed status byte must not start a routine that writes to calibration registers.
  if (!isLoaded(status)) status = await readIdleStatus(talk, place);
  let initialised = false;
  if (mode === 'always' || !isCalibrated(status)) {
    initialised = true;
    status = await initialise(talk, place);
  }
  if (!isLoaded(status)) {
    initialised = true;
    await reloadRegisters(talk);
    status = await readIdleStatus(talk, place);
  }
  if (isCalibrated(status)) return initialised;
  throw new SensorError(
    'SENSOR_NOT_CALIBRATED',
    `the chip at ${place} does not load its calibration (status 0x${hex(status)}): take its power off once; if that does ` +
      'not help it is broken',
  );
}

/** A trigger of which the program learns later than this says too little about when the chip measured. */
const ROUGH_MS = 250;
const MAX_TRIGGERS = 3;

/**
 * Begins a conversion and waits the time that the sheet asks for. The chip may be busy for a little longer. A program that was not
 * let run does not know when its trigger reached the chip; it triggers again, as long as that may help.
 * @returns when the conversion ends, by the clock of the trigger and not by when the program gets to it
 */
export async function startConversion(talk: ChipTransport): Promise<Taken> {
  for (let triggers = 1; ; triggers++) {
    const { beganMs, endedMs } = await talk.write(TRIGGER);
    await talk.wait(CONVERSION_MS);
    const uncertaintyMs = endedMs - beganMs;
    if (uncertaintyMs <= ROUGH_MS || triggers === MAX_TRIGGERS)
      return { endedMs: endedMs + CONVERSION_MS, uncertaintyMs };
  }
}

export async function softReset(talk: ChipTransport): Promise<void> {
  await talk.write(SOFT_RESET);
  await talk.wait(SOFT_RESET_MS);
}

/** A plain read. 0x71 in the sheets *is* the read address; written as a command it left chips busy for ever. */
async function readStatus(talk: ChipTransport): Promise<number> {
  const [status = 0] = await talk.read(1);
  return status;
}

async function readIdleStatus(talk: ChipTransport, place: string): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += IDLE_STEP_MS) {
    const status = await readStatus(talk);
    if ((status & STATUS_BUSY) === 0) return status;
    if (waitedMs >= IDLE_LIMIT_MS) {
      throw new SensorError('SENSOR_BUSY', `the chip at ${place} stays busy (status 0x${hex(status)})`);
    }
    await talk.wait(IDLE_STEP_MS);
  }
}

async function initialise(talk: ChipTransport, place: string): Promise<number> {
  let status = 0;
  for (const command of [INIT_AHT20, INIT_AHT10]) {
    await unlessRefused(async () => {
      await talk.write(command);
    });
    await talk.wait(INIT_WAIT_MS);
    status = await readIdleStatus(talk, place);
    if (isCalibrated(status)) break;
  }
  return status;
}

async function reloadRegisters(talk: ChipTransport): Promise<void> {
  await unlessRefused(async () => {
    for (const register of CALIBRATION_REGISTERS) {
      await talk.write([register, 0x00, 0x00]);
      await talk.wait(REGISTER_READ_WAIT_MS);
      const [, high = 0, low = 0] = await talk.read(3);
      await talk.wait(REGISTER_WRITE_WAIT_MS);
      await talk.write([REGISTER_WRITE | register, high, low]);
    }
  });
  await talk.wait(INIT_WAIT_MS);
}

/** Which initialisation a part accepts depends on its make; the status after it decides, not the acknowledge. */
async function unlessRefused(send: () => Promise<void>): Promise<void> {
  try {
    await send();
  } catch (error) {
    if (!isNack(error)) throw error;
  }
}

function isNack(error: unknown): boolean {
  return error instanceof I2cError && error.code === 'I2C_NACK';
}

function isCalibrated(status: number): boolean {
  return (status & STATUS_CALIBRATED) !== 0;
}

function isLoaded(status: number): boolean {
  return (status & STATUS_LOADED) === STATUS_LOADED;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
