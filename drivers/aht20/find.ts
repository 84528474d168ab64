import { I2cError, type Sensor, SensorError } from '../sensor.ts';
import { type Aht20Options, createAht20 } from './aht20.ts';
import { FRAME_LENGTH, hasValidCrc, isBlank } from './frame.ts';

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
