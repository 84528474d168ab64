/** The topics under `home/{home_id}/sensors/{device_uid}/`. */
export const SENSOR_TOPIC_LEAVES = ['reading', 'backlog', 'gap', 'latest', 'status', 'receipt', 'command'] as const;
export type SensorTopicLeaf = (typeof SENSOR_TOPIC_LEAVES)[number];

export interface SensorTopic {
  readonly homeId: string;
  readonly deviceUid: string;
  readonly leaf: SensorTopicLeaf;
}

/** `home/{home_id}/sensors/{device_uid}/{leaf}` */
export function sensorTopic(homeId: string, deviceUid: string, leaf: SensorTopicLeaf): string {
  return `home/${homeId}/sensors/${deviceUid}/${leaf}`;
}

/** The parts of a sensor's topic, or undefined where the text is not one of ours. */
export function parseSensorTopic(topic: string): SensorTopic | undefined {
  const [home, homeId, sensors, deviceUid, leaf, ...rest] = topic.split('/');
  if (home !== 'home' || sensors !== 'sensors' || rest.length > 0) return undefined;
  if (homeId === undefined || deviceUid === undefined || !isId(homeId) || !isId(deviceUid)) return undefined;
  return isLeaf(leaf) ? { homeId, deviceUid, leaf } : undefined;
}

function isLeaf(level: unknown): level is SensorTopicLeaf {
  return (SENSOR_TOPIC_LEAVES as readonly unknown[]).includes(level);
}

/** Where servers announce themselves, retained, with a will. */
export function serverTopic(instance: string): string {
  return `techtemp/server/${instance}`;
}

/** Subscription that sees every server's announcement. */
export const SERVER_TOPIC_FILTER = 'techtemp/server/+';

/** The instance named by an announcement's topic, or undefined where the topic is another. */
export function parseServerTopic(topic: string): string | undefined {
  const [techtemp, server, instance, ...rest] = topic.split('/');
  if (techtemp !== 'techtemp' || server !== 'server' || instance === undefined || rest.length > 0) return undefined;
  return isId(instance) ? instance : undefined;
}

/** Ids on the wire: `home_id`, `device_uid`, `epoch`. One rule for all, as in the older system. */

const ID_PATTERN = /^[A-Za-z0-9_-]{1,50}$/;

/** Whether a text can stand as one level of a topic: 1 to 50 of letters, digits, `_` and `-`. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** For messages to people. */
export const ID_RULE = '1 to 50 of the characters A-Z a-z 0-9 _ -';
