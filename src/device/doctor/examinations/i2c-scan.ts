import type { OpenI2cBus } from '../../../../drivers/bus.ts';
import { I2cError } from '../../../../drivers/sensor.ts';

/** Raspberry Pi models number their buses up to 22 (HDMI and camera ports included). */
const HIGHEST_BUS = 31;
/** 7-bit addresses that are not reserved (I2C specification, 3.1.12). */
const FIRST_ADDRESS = 0x08;
const LAST_ADDRESS = 0x77;

/** What is often found on a Pi's bus, so that a person recognises the board. */
const KNOWN_CHIPS: Readonly<Record<number, string>> = {
  0x23: 'BH1750',
  0x27: 'LCD',
  0x39: 'AHT10 with its other address',
  0x3c: 'OLED display',
  0x40: 'HTU21, SI7021 or INA219',
  0x44: 'SHT3x or SHT4x',
  0x48: 'ADS1115 or TMP102',
  0x5c: 'AM2320',
  0x68: 'real-time clock',
  0x76: 'BMP280 or BME280',
  0x77: 'BMP280 or BME280',
};

/** The buses of this machine. Asked by opening each, since one that may not be opened is there all the same. */
export async function existingBuses(openBus: OpenI2cBus, signal: AbortSignal): Promise<readonly number[]> {
  const found: number[] = [];
  for (let busNumber = 0; busNumber <= HIGHEST_BUS; busNumber += 1) {
    signal.throwIfAborted();
    const exists = await openBus(busNumber).then(
      async (bus) => {
        await bus.close();
        return true;
      },
      (error: unknown) => !(error instanceof I2cError && error.code === 'I2C_BUS_MISSING'),
    );
    if (exists) found.push(busNumber);
  }
  return found;
}

/** Those of the buses on which the address is acknowledged. */
export async function busesThatAnswer(
  openBus: OpenI2cBus,
  buses: readonly number[],
  address: number,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const answering: number[] = [];
  for (const bus of buses) {
    signal.throwIfAborted();
    if ((await ask(openBus, bus, address)) === 'answers') answering.push(bus);
  }
  return answering;
}

/**
 * Every address that is acknowledged, with the likely chip: `0x76 (BMP280 or BME280)`. Reads one byte from each, as
 * `i2cdetect -r` does; no sensor minds that.
 */
export async function scanBus(openBus: OpenI2cBus, bus: number, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  for (let address = FIRST_ADDRESS; address <= LAST_ADDRESS; address += 1) {
    signal.throwIfAborted();
    const answer = await ask(openBus, bus, address);
    // Each further address would take its second, too.
    if (answer === 'stuck') break;
    if (answer === 'answers') found.push(describe(address));
  }
  return found;
}

async function ask(openBus: OpenI2cBus, busNumber: number, address: number): Promise<'answers' | 'silent' | 'stuck'> {
  try {
    // A bus that has reported an error is spent: one for each question.
    const bus = await openBus(busNumber);
    try {
      await bus.read(address, 1);
      return 'answers';
    } finally {
      await bus.close();
    }
  } catch (error) {
    if (!(error instanceof I2cError)) throw error;
    // Held by a driver of the kernel: it is there.
    if (error.code === 'I2C_ADDRESS_IN_USE') return 'answers';
    return error.code === 'I2C_TIMEOUT' || error.code === 'I2C_HUNG' ? 'stuck' : 'silent';
  }
}

function describe(address: number): string {
  const text = `0x${address.toString(16).padStart(2, '0')}`;
  const chip = KNOWN_CHIPS[address];
  return chip === undefined ? text : `${text} (${chip})`;
}
