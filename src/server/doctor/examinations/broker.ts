import { serverTopic } from '../../../contract/topics.ts';
import { connectionFinding } from '../../../doctor/connection-faults.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import { withStoredPassword } from '../../../doctor/machine.ts';
import { LinkError } from '../../../mqtt/errors.ts';
import { type BrokerIdentity, readBrokerIdentity } from '../../../mqtt/socket.ts';
import type { MqttConnection } from '../../mqtt/connection.ts';
import { report } from '../findings/catalogue.ts';
import { accountOf, type BrokerParts, examineSession, type Heard, PROBE_PAYLOAD } from './broker-session.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 5_000;
const END_LIMIT_MS = 1_000;
/** What is retained may be large; only its beginning matters here. */
const MAX_PAYLOAD_BYTES = 65_536;
const RECEIVE_MAXIMUM = 100;

/**
 * From the name of the broker to its access list and its queue. Connects beside the server, with a client id of its own and a
 * session that ends with the look, so that a running server keeps its connection and nothing is queued for us.
 */
export function brokerExamination(parts: BrokerParts): Examination {
  const { configFile, clock, unit, env, root } = parts;
  const clientId = `${parts.mqtt.clientId === '' ? `techtemp-server-${parts.mqtt.instance}` : parts.mqtt.clientId}-check`;
  return {
    id: 'broker',
    title: 'MQTT broker',
    run: async (signal) => {
      const credential = `${unit.replace(/\.service$/, '').replace('@', '-')}.mqtt-password`;
      const mqtt = await withStoredPassword(parts.mqtt, { env, root, credential, program: 'techtemp-server' });
      if ('verdict' in mqtt) return [mqtt];
      try {
        return await examine({ ...parts, mqtt }, clientId, signal);
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        const attempt = { mqtt, clientId, account: accountOf(mqtt), configFile, clock };
        return [await connectionFinding(error, attempt, signal)];
      }
    },
  };
}

/** @throws LinkError when no connection could be had */
async function examine(parts: BrokerParts, clientId: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const { mqtt, configFile: file } = parts;
  const heard: Heard[] = [];
  const identity = await readBrokerIdentity({ mqtt, env: parts.env, defaultClientId: clientId });
  const connection = await connect(parts, { ...identity, clientId }, heard, signal);
  try {
    const { brokerHost: host, brokerPort: port } = mqtt;
    const version = connection.protocolVersion === 5 ? '5' : '3.1.1';
    const accepted = report('broker.ok', { host, port, version, encryption: mqtt.tls ? ', encrypted' : '' });
    const why = mqtt.protocol === '3.1.1' ? 'as the config asks ([mqtt] protocol)' : 'it knows no newer one';
    const old = connection.protocolVersion === 5 ? [] : [report('broker.old-protocol', { why, file })];
    const inClear = identity.password !== undefined && !mqtt.tls && !isLoopback(host);
    const clear = inClear ? [report('broker.password-in-clear', { host, file })] : [];
    const findings = await examineSession(connection, heard, parts, signal).catch((error: unknown) => {
      if (!(error instanceof LinkError)) throw error;
      const { message: problem } = error;
      if (error.code === 'LINK_TIMEOUT') {
        return [report('broker.no-answer', { what: 'what the broker allows us', problem })];
      }
      return [report('broker.disconnects', { problem })];
    });
    return [accepted, ...old, ...clear, ...findings];
  } finally {
    await connection.end(END_LIMIT_MS);
  }
}

/** MQTT 5 first; 3.1.1 where the broker does not know 5, as the server does it. */
async function connect(
  { mqtt, openConnection }: BrokerParts,
  identity: BrokerIdentity,
  heard: Heard[],
  signal: AbortSignal,
): Promise<MqttConnection> {
  const attempt = (protocolVersion: 4 | 5): Promise<MqttConnection> =>
    openConnection(
      {
        ...identity,
        protocolVersion,
        session: 'short',
        // Published only if we vanish; even then it says nothing to anybody.
        will: { topic: serverTopic(mqtt.instance), payload: PROBE_PAYLOAD, retain: false },
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        answerTimeoutMs: ANSWER_TIMEOUT_MS,
        receiveMaximum: RECEIVE_MAXIMUM,
        maxPayloadBytes: () => MAX_PAYLOAD_BYTES,
        onMessage: ({ topic, payload, isRetained, packetId }, connection) => {
          heard.push({ topic, payload: payload.toString('utf8'), isRetained });
          if (packetId !== 0) connection.acknowledge([packetId]);
        },
        onRead: () => undefined,
      },
      signal,
    );
  if (mqtt.protocol === '3.1.1') return await attempt(4);
  try {
    return await attempt(5);
  } catch (error) {
    const mayBeOld =
      error instanceof LinkError && (error.code === 'LINK_PROTOCOL_VERSION' || error.code === 'LINK_CLOSED_EARLY');
    if (!mayBeOld || mqtt.protocol === '5') throw error;
    // If the older version fails too, this error says more: it is about what everybody tries first.
    return await attempt(4).catch((second: unknown) => {
      throw second instanceof LinkError && second.code !== 'LINK_CLOSED_EARLY' ? second : error;
    });
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
