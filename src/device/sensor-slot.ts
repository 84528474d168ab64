import type { Sensor, SensorHealth } from '../../drivers/sensor.ts';
import type { Live } from '../common/live.ts';
import type { SensorSection } from './config/device-config.ts';

/** What decides which sensor is meant; a change of anything else leaves the open one alone. */
type SensorChoice = Pick<SensorSection, 'type' | 'i2cBus' | 'i2cAddress'>;

export type OpenSensor = (choice: SensorChoice) => Promise<Sensor>;

/** Holds the sensor that the config asks for, and exchanges it between two measurements when the config asks for another. */
export class SensorSlot {
  readonly #open: OpenSensor;
  readonly #settings: Live<SensorSection>;
  #held: { readonly choice: SensorChoice; readonly sensor: Sensor } | undefined;

  constructor(open: OpenSensor, settings: Live<SensorSection>) {
    this.#open = open;
    this.#settings = settings;
  }

  /** The sensor to measure with now. Not to be called while a measurement runs. @throws I2cError when it can't be opened */
  async current(): Promise<Sensor> {
    const { type, i2cBus, i2cAddress } = this.#settings.current;
    const choice: SensorChoice = { type, i2cBus, i2cAddress };
    if (this.#held !== undefined && sameChoice(this.#held.choice, choice)) return this.#held.sensor;
    await this.close();
    this.#held = { choice, sensor: await this.#open(choice) };
    return this.#held.sensor;
  }

  description(): string {
    return this.#held?.sensor.description ?? 'no sensor opened yet';
  }

  health(): SensorHealth | undefined {
    return this.#held?.sensor.health();
  }

  /** Transfers that never came back; above zero only a restart of the process helps. */
  hungTransfers(): number {
    return this.#held?.sensor.health().hungTransfers ?? 0;
  }

  async close(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    await held?.sensor.close();
  }
}

function sameChoice(a: SensorChoice, b: SensorChoice): boolean {
  return a.type === b.type && a.i2cBus === b.i2cBus && a.i2cAddress === b.i2cAddress;
}
