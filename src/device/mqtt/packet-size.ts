/** Bytes of a QoS 1 PUBLISH packet on the wire (MQTT 5 and 3.1.1, section 3.3), for brokers with a Maximum Packet Size. */
export function publishPacketSize(topic: string, payloadBytes: number, protocolVersion: 4 | 5): number {
  const topicLength = 2;
  const packetId = 2;
  const noProperties = protocolVersion === 5 ? 1 : 0;
  const remaining = topicLength + Buffer.byteLength(topic) + packetId + noProperties + payloadBytes;
  return 1 + variableIntegerSize(remaining) + remaining;
}

/** Section 1.5.5 of MQTT 5: seven bits a byte. */
function variableIntegerSize(value: number): number {
  if (value < 2 ** 7) return 1;
  if (value < 2 ** 14) return 2;
  return value < 2 ** 21 ? 3 : 4;
}
