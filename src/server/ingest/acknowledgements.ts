import type { MqttConnection } from '../mqtt/connection.ts';

/** A message of one connection that the broker waits to hear of. */
export interface Acknowledgement {
  readonly packetId: number;
  readonly of: Acknowledgements;
  /** `left`: it will not be acknowledged on this connection. */
  state: 'waiting' | 'stored' | 'left';
}

/**
 * Acknowledges the messages of one connection in the order in which they came, as section 4.6 of MQTT 5 (MQTT-4.6.0-2) demands, whatever
 * the order in which they are stored. How many can wait is bounded by Receive Maximum and by the inbox.
 */
export class Acknowledgements {
  readonly connection: MqttConnection;
  #waiting: Acknowledgement[] = [];
  #head = 0;

  constructor(connection: MqttConnection) {
    this.connection = connection;
  }

  /** A message came. Packet id 0: QoS 0, nothing to acknowledge. */
  came(packetId: number): Acknowledgement {
    const one: Acknowledgement = { packetId, of: this, state: 'waiting' };
    if (packetId > 0) this.#waiting.push(one);
    return one;
  }

  /** Acknowledges what is stored, up to the first message that is not. */
  send(): void {
    const packetIds: number[] = [];
    for (let next = this.#waiting[this.#head]; next !== undefined && next.state !== 'waiting'; ) {
      if (next.state === 'stored') packetIds.push(next.packetId);
      this.#head += 1;
      next = this.#waiting[this.#head];
    }
    if (this.#head === this.#waiting.length || this.#head > 4_096) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    this.connection.acknowledge(packetIds);
  }
}

/** Notes what became of these messages, nearly always of one connection, and tells the broker what can be told. */
export function settle(
  messages: readonly { readonly acknowledgement: Acknowledgement }[],
  state: 'stored' | 'left',
): void {
  const connections = new Set<Acknowledgements>();
  for (const { acknowledgement } of messages) {
    acknowledgement.state = state;
    connections.add(acknowledgement.of);
  }
  for (const connection of connections) connection.send();
}
