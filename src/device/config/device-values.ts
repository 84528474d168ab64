import { checkBrokerKeys } from '../../common/config/broker-checks.ts';
import type { CrossCheck } from '../../common/config/load.ts';
import type { DeviceConfig } from './device-config.ts';
import type { DeviceSchema, DeviceValues } from './schema.ts';

const MS_PER_SECOND = 1_000;
const BYTES_PER_MB = 1024 * 1024;
/** ASAIR's own code reads at most every two seconds; Linux' aht10.c likewise, "to prevent the chip from warming up". */
const SELF_HEATING_BELOW_SECONDS = 2;
/** Where an AHT chip can be: 0x38, and 0x39 for an AHT10 whose address pin is high. */
const AHT_ADDRESSES: readonly number[] = [0x38, 0x39];
/** What `i2c_address = 38` means, written by someone who read 38 in the table of i2cdetect. */
const ADDRESS_READ_AS_DECIMAL = 38;
/** What the older agent calls itself when nobody has named it: the same everywhere. */
const PLACEHOLDER_UID = 'aht20-unknown';

/** What only several keys together can tell. */
export const checkDeviceValues: CrossCheck<DeviceSchema> = ({ device, sensor, mqtt, homeassistant }, verdict) => {
  if (device.device_uid === PLACEHOLDER_UID) {
    verdict.warning(
      'device.device_uid',
      'is the placeholder of the older agent: two devices with it are taken for one. Give it a name of its own, or none',
    );
  }
  if (sensor.type !== 'simulated') {
    if (sensor.read_interval_seconds < SELF_HEATING_BELOW_SECONDS) {
      verdict.warning(
        'sensor.read_interval_seconds',
        'the sensor warms itself when read more often than every 2 seconds',
      );
    }
    if (sensor.i2c_address === ADDRESS_READ_AS_DECIMAL) {
      verdict.warning('sensor.i2c_address', '38 is the decimal number and means 0x26; the sensor is at 0x38');
    } else if (!AHT_ADDRESSES.includes(sensor.i2c_address)) {
      verdict.warning('sensor.i2c_address', 'no sensor of this family has this address; theirs is 0x38');
    }
  }
  if (homeassistant.discovery && mqtt.publish_latest === 'no') {
    verdict.warning('mqtt.publish_latest', 'Home Assistant takes its values from there: with no it shows none');
  }
  checkBrokerKeys(mqtt, verdict);
};

/** Renames, converts units, and puts the uid in; everything else has been done by the schema. Frozen. */
export function toDeviceConfig(values: DeviceValues, deviceUid: string): DeviceConfig {
  const { device, sensor, mqtt, journal, clock, homeassistant, logging } = values;
  return Object.freeze({
    device: Object.freeze({ deviceUid, homeId: device.home_id, label: device.label, room: device.room }),
    sensor: Object.freeze({
      type: sensor.type,
      i2cBus: sensor.i2c_bus,
      i2cAddress: sensor.i2c_address,
      readIntervalMs: inMs(sensor.read_interval_seconds),
      temperatureOffsetCelsius: sensor.temperature_offset,
      humidityOffsetPercent: sensor.humidity_offset,
    }),
    mqtt: Object.freeze({
      brokerHost: mqtt.broker_host,
      brokerPort: mqtt.broker_port,
      username: mqtt.username,
      password: mqtt.password,
      passwordFile: mqtt.password_file,
      clientId: mqtt.client_id,
      keepaliveMs: inMs(mqtt.keepalive_seconds),
      protocol: mqtt.protocol,
      tls: mqtt.tls,
      tlsCaFile: mqtt.tls_ca_file,
      tlsCertFile: mqtt.tls_cert_file,
      tlsKeyFile: mqtt.tls_key_file,
      tlsServerName: mqtt.tls_server_name,
      delivery: mqtt.delivery,
      noSubscriber: mqtt.no_subscriber,
      receiptTimeoutMs: inMs(mqtt.receipt_timeout_seconds),
      maxInFlight: mqtt.max_in_flight,
      batchSize: mqtt.batch_size,
      replayPerSecond: mqtt.replay_per_second,
      reconnectMinMs: inMs(mqtt.reconnect_min_seconds),
      reconnectMaxMs: inMs(mqtt.reconnect_max_seconds),
      publishLatest: mqtt.publish_latest,
      commands: mqtt.commands,
      statusIntervalMs: inMs(mqtt.status_interval_seconds),
    }),
    journal: Object.freeze({
      path: journal.path,
      maxReadings: journal.max_readings,
      whenFull: journal.when_full,
      minFreeBytes: journal.min_free_mb * BYTES_PER_MB,
    }),
    clock: Object.freeze({ source: clock.source, clockWaitMs: inMs(clock.clock_wait_seconds) }),
    homeassistant: Object.freeze({
      discovery: homeassistant.discovery,
      discoveryPrefix: homeassistant.discovery_prefix,
    }),
    logging: Object.freeze({ logLevel: logging.log_level, logFormat: logging.log_format }),
  });
}

/** Whole milliseconds: 0.1 + 0.2 s is 300 ms, not 300.00000000000006. */
function inMs(seconds: number): number {
  return Math.round(seconds * MS_PER_SECOND);
}
