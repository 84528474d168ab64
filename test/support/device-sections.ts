import type {
  DeviceSection,
  HomeAssistantSection,
  MqttSection,
  SensorSection,
} from '../../src/device/config/device-config.ts';

/** Sections of device.conf as the tests want them: short limits, a broker on loopback. */
export function mqttSection(port: number, changes: Partial<MqttSection> = {}): MqttSection {
  return {
    brokerHost: '127.0.0.1',
    brokerPort: port,
    username: '',
    password: '',
    passwordFile: '',
    clientId: '',
    keepaliveMs: 60_000,
    protocol: 'auto',
    tls: false,
    tlsCaFile: '',
    tlsCertFile: '',
    tlsKeyFile: '',
    tlsServerName: '',
    delivery: 'auto',
    noSubscriber: 'keep',
    receiptTimeoutMs: 30_000,
    maxInFlight: 20,
    batchSize: 50,
    replayPerSecond: 5_000,
    reconnectMinMs: 20,
    reconnectMaxMs: 200,
    publishLatest: 'auto',
    commands: false,
    statusIntervalMs: 300_000,
    ...changes,
  };
}

export function deviceSection(changes: Partial<DeviceSection> = {}): DeviceSection {
  return { deviceUid: 'aht20-0a1b2c', homeId: 'home-001', label: '', room: '', ...changes };
}

export function homeAssistantSection(changes: Partial<HomeAssistantSection> = {}): HomeAssistantSection {
  return { discovery: false, discoveryPrefix: 'homeassistant', ...changes };
}

export function sensorSection(changes: Partial<SensorSection> = {}): SensorSection {
  return {
    type: 'simulated',
    i2cBus: 1,
    i2cAddress: 0x38,
    readIntervalMs: 60_000,
    temperatureOffsetCelsius: 0,
    humidityOffsetPercent: 0,
    ...changes,
  };
}
