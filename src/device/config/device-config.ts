import type { LogLevel } from '../../platform/log.ts';

/**
 * The agent's configuration as its parts see it: validated, complete, frozen. One interface per section of device.conf;
 * `src/device/config/schema.ts` makes it from file, environment and flags. Every key is hot.
 */
export interface DeviceConfig {
  readonly device: DeviceSection;
  readonly sensor: SensorSection;
  readonly mqtt: MqttSection;
  readonly journal: JournalSection;
  readonly clock: ClockSection;
  readonly homeassistant: HomeAssistantSection;
  readonly logging: LoggingSection;
}

export interface DeviceSection {
  readonly deviceUid: string;
  readonly homeId: string;
  /** For people; sent in `status`. May be empty. */
  readonly label: string;
  /** Name of the room, from which a server registers the device. May be empty. */
  readonly room: string;
}

export interface SensorSection {
  readonly type: 'auto' | 'aht20' | 'simulated';
  readonly i2cBus: number;
  readonly i2cAddress: number;
  readonly readIntervalMs: number;
  readonly temperatureOffsetCelsius: number;
  readonly humidityOffsetPercent: number;
}

export interface MqttSection {
  readonly brokerHost: string;
  readonly brokerPort: number;
  readonly username: string;
  /** From `password`, `password_file` or the systemd credential `mqtt-password`; the files are read anew per connection. */
  readonly password: string;
  readonly passwordFile: string;
  /** Empty: `techtemp-{device_uid}`. */
  readonly clientId: string;
  readonly keepaliveMs: number;
  readonly protocol: 'auto' | '5' | '3.1.1';
  readonly tls: boolean;
  readonly tlsCaFile: string;
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
  /** Name to expect in the broker's certificate; empty: broker_host. */
  readonly tlsServerName: string;
  readonly delivery: 'auto' | 'receipt' | 'broker';
  /** What becomes of a reading to which nobody is subscribed, where the broker says so. */
  readonly noSubscriber: 'keep' | 'release';
  readonly receiptTimeoutMs: number;
  readonly maxInFlight: number;
  readonly batchSize: number;
  /** Backlog readings a second where they go one by one. */
  readonly replayPerSecond: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** Whether `latest` is published: `auto` means when Home Assistant discovery is on. */
  readonly publishLatest: 'auto' | 'yes' | 'no';
  readonly commands: boolean;
  readonly statusIntervalMs: number;
}

export interface JournalSection {
  /** Folder; empty: `$STATE_DIRECTORY/journal`, else `./var/journal`. */
  readonly path: string;
  readonly maxReadings: number;
  readonly whenFull: 'thin' | 'drop-oldest';
  readonly minFreeBytes: number;
}

export interface ClockSection {
  /** `auto`: ask the system's time service; `trust`: the machine's clock is right from the start (it has an RTC). */
  readonly source: 'auto' | 'trust';
  readonly clockWaitMs: number;
}

export interface HomeAssistantSection {
  readonly discovery: boolean;
  readonly discoveryPrefix: string;
}

export interface LoggingSection {
  readonly logLevel: LogLevel;
  readonly logFormat: 'auto' | 'json' | 'journald' | 'pretty';
}
