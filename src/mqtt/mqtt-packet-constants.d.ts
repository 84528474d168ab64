/** The package has no types for its tables; this is the part that src/mqtt/reason-codes.ts uses. */
declare module 'mqtt-packet/constants.js' {
  const constants: Readonly<
    Record<
      | 'MQTT5_PUBACK_PUBREC_CODES'
      | 'MQTT5_SUBACK_CODES'
      | 'MQTT5_UNSUBACK_CODES'
      | 'MQTT5_DISCONNECT_CODES'
      | 'MQTT5_AUTH_CODES',
      Record<number, string>
    >
  >;
  export = constants;
}
