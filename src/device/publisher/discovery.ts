import { sensorTopic } from '../../contract/topics.ts';
import type { DeviceSection } from '../config.ts';
import type { LinkMessage } from '../mqtt/session.ts';

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
/** Clocks that are set may still differ by this much; a value is old only beyond it. */
const CLOCK_SLACK_SECONDS = 300;

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
  const expireAfter = Math.ceil(EXPIRE_INTERVALS * facts.intervalSeconds) + EXPIRE_SLACK_SECONDS;
  const value = { state_topic: stateTopic, state_class: 'measurement', expire_after: expireAfter };
  const whileNew = (field: string): string =>
    valueTemplate(field, Math.max(expireAfter, CLOCK_SLACK_SECONDS), facts.latest);
  return [
    config(facts, 'sensor', 'temperature', {
      ...value,
      name: 'Temperature',
      device_class: 'temperature',
      unit_of_measurement: '°C',
      suggested_display_precision: 1,
      value_template: whileNew('temperature_c'),
    }),
    config(facts, 'sensor', 'humidity', {
      ...value,
      name: 'Humidity',
      device_class: 'humidity',
      unit_of_measurement: '%',
      suggested_display_precision: 0,
      value_template: whileNew('humidity_pct'),
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

/**
 * `expire_after` counts from when Home Assistant hears a value, and after its restart it hears the one that the broker has kept as if
 * it were new. So the template looks at the reading's own time. "None" makes an old value `unknown`; an empty text, for replayed
 * readings on `reading`, leaves the state as it is (both: _update_state in homeassistant/components/mqtt/sensor.py). A reading whose
 * time is marked as not sure is taken as it comes.
 */
function valueTemplate(field: string, maxAgeSeconds: number, isRetained: boolean): string {
  const isNew = `value_json.clock is defined or (now().timestamp() * 1000 - value_json.ts) | abs < ${maxAgeSeconds * 1000}`;
  return `{{ value_json.${field} if ${isNew} else ${isRetained ? "'None'" : "''"} }}`;
}

function config(facts: DiscoveryFacts, component: string, leaf: string, own: object): LinkMessage {
  const { device, prefix, version } = facts;
  const { deviceUid, label, room } = device;
  const payload = {
    unique_id: `techtemp_${deviceUid}_${leaf}`,
    ...own,
    // Else the last hop is QoS 0, and may lose what we sent with QoS 1.
    qos: 1,
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
