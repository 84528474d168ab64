// Types of packages that have none of their own: the parts of them that are used here.

/** Its tables, as src/mqtt/reason-codes.ts uses them. */
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

/** As src/platform/systemd.ts uses it. */
declare module 'sd-notify' {
  const notify: { sendState(state: string): void };
  export = notify;
}
