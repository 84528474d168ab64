import constants from 'mqtt-packet/constants.js';

const MOST_CODE = 0xff;
const TABLES = [
  'MQTT5_PUBACK_PUBREC_CODES',
  'MQTT5_SUBACK_CODES',
  'MQTT5_UNSUBACK_CODES',
  'MQTT5_DISCONNECT_CODES',
  'MQTT5_AUTH_CODES',
] as const;

/**
 * The parser of mqtt-packet gives up a connection at a reason code that is not in its tables. Real brokers send others: Mosquitto
 * answers a message above message_size_limit with PUBACK 0x95. So each table gets all 256 codes; what a code means is said in
 * errors.ts. The parser has no option for this. Doing it twice changes nothing.
 */
export function admitAllReasonCodes(): void {
  for (const name of TABLES) {
    const table = constants[name];
    for (let code = 0; code <= MOST_CODE; code += 1) table[code] ??= `Reason code ${code}`;
  }
}
