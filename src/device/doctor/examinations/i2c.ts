import { readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { OpenI2cBus } from '../../../../drivers/i2c/bus.ts';
import { I2cError } from '../../../../drivers/sensor.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import { report } from '../findings/catalogue.ts';
import { busFile, busFinding, examineSensor, hexAddress, type I2cParts } from './sensor.ts';
import { holdersOf } from './system.ts';

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

/** The sensor does not acknowledge for 20 ms after a reset by another program; it is asked again before it is called absent. */
const TRIES = 4;
const BETWEEN_TRIES_MS = 30;

/** From the device file to the value: the first thing that is wrong on the way is the finding. */
export function i2cExamination(parts: I2cParts): Examination {
  return {
    id: 'i2c',
    title: 'Sensor',
    run: async (signal) => {
      if (parts.sensor.type === 'simulated') return [report('bus.simulated', { file: parts.configFile })];
      const obstacle = await reach(parts, signal);
      if (obstacle !== undefined) return [obstacle];
      const { i2cBus, i2cAddress } = parts.sensor;
      const adapter = await adapterName(parts.root, i2cBus);
      const bus = report('bus.ok', { bus: busFile(i2cBus), adapter, address: hexAddress(i2cAddress) });
      return [bus, ...(await sharers(parts)), ...(await examineSensor(parts, signal))];
    },
  };
}

/** Proves that a chip acknowledges the address; says why not. */
async function reach(parts: I2cParts, signal: AbortSignal): Promise<Finding | undefined> {
  try {
    await parts.lock.runExclusive(() => knock(parts, signal), signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof I2cError)) throw error;
    if (error.code === 'I2C_BUS_MISSING') return await missingBus(parts, signal);
    if (error.code === 'I2C_ADDRESS_IN_USE') return await kernelDriver(parts);
    return busFinding(error, parts) ?? (await nobodyAnswers(parts, signal));
  }
}

async function knock({ openBus, sensor, delay }: I2cParts, signal: AbortSignal): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const bus = await openBus(sensor.i2cBus);
    try {
      // One byte is the status; reading it changes nothing in the chip.
      await bus.read(sensor.i2cAddress, 1);
      return;
    } catch (error) {
      if (!(error instanceof I2cError && error.code === 'I2C_NACK') || tries === TRIES) throw error;
    } finally {
      await bus.close();
    }
    await delay(BETWEEN_TRIES_MS, signal);
  }
}

async function missingBus({ openBus, sensor, configFile }: I2cParts, signal: AbortSignal): Promise<Finding> {
  const others = await existingBuses(openBus, signal);
  if (others.length === 0) return report('bus.off');
  const address = hexAddress(sensor.i2cAddress);
  const answering = await busesThatAnswer(openBus, others, sensor.i2cAddress, signal);
  return report('bus.wrong-number', {
    bus: busFile(sensor.i2cBus),
    number: sensor.i2cBus,
    others: others.map(busFile).join(', '),
    where:
      answering.length === 0
        ? `nothing answers at ${address} there`
        : `${address} answers on ${answering.map(busFile).join(', ')}`,
    suggestion: answering[0] ?? others[0] ?? 1,
    file: configFile,
  });
}

async function kernelDriver({ sensor, root }: I2cParts): Promise<Finding> {
  const device = `${sensor.i2cBus}-${sensor.i2cAddress.toString(16).padStart(4, '0')}`;
  const link = await readlink(join(root, 'sys/bus/i2c/devices', device, 'driver')).catch(() => 'aht10');
  return report('bus.kernel-driver', {
    address: hexAddress(sensor.i2cAddress),
    bus: busFile(sensor.i2cBus),
    driver: basename(link),
    device,
  });
}

async function nobodyAnswers(parts: I2cParts, signal: AbortSignal): Promise<Finding> {
  const { openBus, sensor, configFile } = parts;
  const facts = { bus: busFile(sensor.i2cBus), address: hexAddress(sensor.i2cAddress), number: sensor.i2cBus };
  const elsewhere = (await existingBuses(openBus, signal)).filter((bus) => bus !== sensor.i2cBus);
  const [suggestion, ...more] = await busesThatAnswer(openBus, elsewhere, sensor.i2cAddress, signal);
  if (suggestion !== undefined) {
    const answering = [suggestion, ...more].map(busFile).join(', ');
    return report('bus.other-bus', { ...facts, answering, suggestion, file: configFile });
  }
  const others = await scanBus(openBus, sensor.i2cBus, signal);
  return others.length === 0
    ? report('bus.nothing-answers', facts)
    : report('bus.nothing-at-address', { ...facts, others: others.join(', ') });
}

async function sharers({ sensor, root }: I2cParts): Promise<readonly Finding[]> {
  const bus = busFile(sensor.i2cBus);
  const holders = await holdersOf(bus, root);
  if (holders.length === 0) return [];
  const programs = holders.map(
    ({ pid, executable, command }) => `${executable || (command[0] ?? '?')} (process ${pid})`,
  );
  return [report('bus.shared', { bus, programs: programs.join(', '), pids: holders.map(({ pid }) => pid).join(',') })];
}

/** Pi 5 and older ones differ in the controller behind one number: who asks for help is asked for this name. */
async function adapterName(root: string, busNumber: number): Promise<string> {
  const file = join(root, 'sys/bus/i2c/devices', `i2c-${busNumber}`, 'name');
  return (await readFile(file, 'utf8').catch(() => 'unknown controller')).trim();
}
