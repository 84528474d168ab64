import type { DeviceSection, HomeAssistantSection, MqttSection, SensorSection } from '../../src/device/config.ts';
import { DEVICE_DEFAULTS } from './default-configs.ts';

/** Sections of device.conf as the tests want them: short limits, a broker on loopback. */
export function mqttSection(port: number, changes: Partial<MqttSection> = {}): MqttSection {
  return {
    ...DEVICE_DEFAULTS.mqtt,
    brokerHost: '127.0.0.1',
    brokerPort: port,
    replayPerSecond: 5_000,
    reconnectMinMs: 20,
    reconnectMaxMs: 200,
    commands: false,
    ...changes,
  };
}

export function deviceSection(changes: Partial<DeviceSection> = {}): DeviceSection {
  return { ...DEVICE_DEFAULTS.device, deviceUid: 'aht20-0a1b2c', ...changes };
}

export function homeAssistantSection(changes: Partial<HomeAssistantSection> = {}): HomeAssistantSection {
  return { ...DEVICE_DEFAULTS.homeassistant, ...changes };
}

export function sensorSection(changes: Partial<SensorSection> = {}): SensorSection {
  return { ...DEVICE_DEFAULTS.sensor, type: 'simulated', readIntervalMs: 60_000, ...changes };
}
