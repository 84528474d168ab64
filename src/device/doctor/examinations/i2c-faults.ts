import type { OpenI2cBus } from '../../../../drivers/bus.ts';
import type { Delay, I2cError } from '../../../../drivers/sensor.ts';
import type { SensorLock } from '../../../../drivers/sensor-lock.ts';
import type { Finding } from '../../../common/doctor/finding.ts';
import type { SensorSection } from '../../config/device-config.ts';
import { report } from '../finding.ts';

export interface I2cParts {
  readonly sensor: SensorSection;
  readonly openBus: OpenI2cBus;
  /** Keeps a running agent's measurements and ours apart. */
  readonly lock: SensorLock;
  readonly delay: Delay;
  readonly monotonicMs: () => number;
  readonly configFile: string;
  /** Where TechTemp is installed. */
  readonly folder: string;
  /** `/`, or what stands for it. */
  readonly root: string;
}

export function busFile(busNumber: number): string {
  return `/dev/i2c-${busNumber}`;
}

export function hexAddress(address: number): string {
  return `0x${address.toString(16).padStart(2, '0')}`;
}

/** The finding for a bus that fails in a way that has nothing to do with the chip; undefined for a missing acknowledge. */
export function busFinding(error: I2cError, parts: Pick<I2cParts, 'sensor' | 'folder'>): Finding | undefined {
  const facts = { bus: busFile(parts.sensor.i2cBus), problem: error.message };
  switch (error.code) {
    case 'I2C_MODULE_MISSING':
      return report('bus.package-missing', { folder: parts.folder });
    case 'I2C_PERMISSION':
      return report('bus.permission', facts);
    case 'I2C_TIMEOUT':
      return report('bus.time-out', facts);
    case 'I2C_HUNG':
      return report('bus.hung', facts);
    case 'I2C_BUS_MISSING':
    case 'I2C_ADDRESS_IN_USE':
    case 'I2C_SHORT_TRANSFER':
    case 'I2C_FAILED':
      return report('bus.failed', facts);
    case 'I2C_NACK':
      return undefined;
  }
}
