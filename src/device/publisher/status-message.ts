import { type DeviceStatus, encodeStatus } from '../../contract/status.ts';
import type { LinkMessage } from '../mqtt/link-session.ts';

/** What is left out first where a broker takes only small packets. */
const LEAST_MISSED: readonly (keyof DeviceStatus)[] = [
  'mqtt',
  'config',
  'clock',
  'version',
  'label',
  'room',
  'journal',
  'last_error',
  'sensor',
  'interval_s',
  'uid',
  'ts',
  'delivery',
];

/** The retained `status`, whole where it fits, else without its least missed parts. */
export function statusMessage(
  topic: string,
  status: DeviceStatus,
  fits: (message: LinkMessage) => boolean,
): LinkMessage {
  let rest: Partial<DeviceStatus> & Pick<DeviceStatus, 'state'> = status;
  let message = { topic, payload: encodeStatus(rest), retain: true };
  for (const key of LEAST_MISSED) {
    if (fits(message)) break;
    rest = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== key)) as typeof rest;
    message = { topic, payload: encodeStatus(rest), retain: true };
  }
  return message;
}
