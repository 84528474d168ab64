import { serverTopic } from '../../../contract/topics.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import { brokerExaminationOf, EXAMINATION_LIMITS, type ExaminedAttempt } from '../../../doctor/examinations/broker.ts';
import type { MqttSection } from '../../config.ts';
import type { MqttConnection } from '../../mqtt/connection.ts';
import { report } from '../findings/catalogue.ts';
import { accountOf, type BrokerParts, examineSession, PROBE_PAYLOAD } from './broker-session.ts';

/** What is retained may be large; only its beginning matters here. */
const MAX_PAYLOAD_BYTES = 65_536;
const RECEIVE_MAXIMUM = 100;

/** The broker as the server uses it, and its queue. */
export function brokerExamination(parts: BrokerParts): Examination {
  const { mqtt, configFile, clock, unit, env, root } = parts;
  return brokerExaminationOf<MqttSection, MqttConnection>({
    mqtt,
    program: 'techtemp-server',
    credential: `${unit.replace(/\.service$/, '').replace('@', '-')}.mqtt-password`,
    clientId: mqtt.clientId === '' ? `techtemp-server-${mqtt.instance}` : mqtt.clientId,
    account: accountOf(mqtt),
    configFile,
    env,
    root,
    clock,
    open: async (attempt, signal) => open(parts, attempt, signal),
    oldProtocol: (why) => report('broker.old-protocol', { why, file: configFile }),
    examineSession: async (connection, used, heard, _without, signal) =>
      examineSession(connection, heard, { ...parts, mqtt: used }, signal),
  });
}

async function open(
  { openConnection }: BrokerParts,
  { mqtt, identity, protocolVersion, onHeard }: ExaminedAttempt<MqttSection>,
  signal: AbortSignal,
): Promise<MqttConnection> {
  return await openConnection(
    {
      ...identity,
      ...EXAMINATION_LIMITS,
      protocolVersion,
      session: 'short',
      // Published only if we vanish; even then it says nothing to anybody.
      will: { topic: serverTopic(mqtt.instance), payload: PROBE_PAYLOAD, retain: false },
      receiveMaximum: RECEIVE_MAXIMUM,
      maxPayloadBytes: () => MAX_PAYLOAD_BYTES,
      onMessage: ({ topic, payload, isRetained, packetId }, connection) => {
        onHeard({ topic, payload: payload.toString('utf8'), isRetained });
        if (packetId !== 0) connection.acknowledge([packetId]);
      },
      onRead: () => undefined,
    },
    signal,
  );
}
