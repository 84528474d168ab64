import { readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { I2cError } from '../../../../drivers/sensor.ts';
import type { Examination } from '../../../common/doctor/examination.ts';
import type { Finding } from '../../../common/doctor/finding.ts';
import { report } from '../finding.ts';
import { busFile, busFinding, hexAddress, type I2cParts } from './i2c-faults.ts';
import { busesThatAnswer, existingBuses, scanBus } from './i2c-scan.ts';
import { holdersOf } from './processes.ts';
import { examineSensor } from './sensor.ts';

/** The sensor does not acknowledge for 20 ms after a reset by somebody else; it is asked again before it is called absent. */
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

/** Proves that somebody acknowledges the address; says why not. */
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
