import { sensorTopic } from '../../contract/topics.ts';
import type { DeviceSection } from '../config/device-config.ts';
import type { LinkMessage } from '../mqtt/link-session.ts';

export interface DiscoveryFacts {
  readonly device: DeviceSection;
  readonly prefix: string;
  /** Whether readings are kept on `latest`; else Home Assistant hears them on `reading`, the replayed ones included. */
  readonly latest: boolean;
  readonly intervalSeconds: number;
  readonly version: string;
}

/** A value that did not come for this many intervals, and this much more, is shown as unavailable. */
const EXPIRE_INTERVALS = 3;
const EXPIRE_SLACK_SECONDS = 30;

/** Where Home Assistant says that it has started, and that configurations are welcome. */
export function homeAssistantStatusTopic(prefix: string): string {
  return `${prefix}/status`;
}

/**
 * Retained configurations for Home Assistant (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery): temperature,
 * humidity, and whether the sensor has a problem. `unique_id` is made from the device's uid alone, so that renaming, moving
 * and reinstalling keep an entity's history.
 */
export function discoveryMessages(facts: DiscoveryFacts): readonly LinkMessage[] {
  const { device } = facts;
  const statusTopic = sensorTopic(device.homeId, device.deviceUid, 'status');
  const stateTopic = sensorTopic(device.homeId, device.deviceUid, facts.latest ? 'latest' : 'reading');
  const value = {
    state_topic: stateTopic,
    state_class: 'measurement',
    expire_after: Math.ceil(EXPIRE_INTERVALS * facts.intervalSeconds) + EXPIRE_SLACK_SECONDS,
  };
  return [
    config(facts, 'sensor', 'temperature', {
      ...value,
      name: 'Temperature',
      device_class: 'temperature',
      unit_of_measurement: '°C',
      suggested_display_precision: 1,
      value_template: '{{ value_json.temperature_c }}',
    }),
    config(facts, 'sensor', 'humidity', {
      ...value,
      name: 'Humidity',
      device_class: 'humidity',
      unit_of_measurement: '%',
      suggested_display_precision: 0,
      value_template: '{{ value_json.humidity_pct }}',
    }),
    config(facts, 'binary_sensor', 'problem', {
      name: 'Sensor problem',
      state_topic: statusTopic,
      device_class: 'problem',
      entity_category: 'diagnostic',
      value_template: "{{ 'ON' if value_json.sensor is defined and value_json.sensor.state == 'fault' else 'OFF' }}",
      json_attributes_topic: statusTopic,
    }),
  ];
}

function config(facts: DiscoveryFacts, component: string, leaf: string, own: object): LinkMessage {
  const { device, prefix, version } = facts;
  const { deviceUid, label, room } = device;
  const payload = {
    unique_id: `techtemp_${deviceUid}_${leaf}`,
    ...own,
    availability_topic: sensorTopic(device.homeId, deviceUid, 'status'),
    availability_template: "{{ value_json.state | default('offline') }}",
    device: {
      identifiers: [`techtemp_${deviceUid}`],
      name: label || room || deviceUid,
      manufacturer: 'TechTemp',
      model: 'Room climate recorder',
      serial_number: deviceUid,
      sw_version: version,
      ...(room !== '' && { suggested_area: room }),
    },
    origin: { name: 'TechTemp', sw_version: version },
  };
  return {
    topic: `${prefix}/${component}/${deviceUid}/${leaf}/config`,
    payload: JSON.stringify(payload),
    retain: true,
  };
}
