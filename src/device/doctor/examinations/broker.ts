import { sensorTopic } from '../../../contract/topics.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import { brokerExaminationOf, EXAMINATION_LIMITS, type ExaminedAttempt } from '../../../doctor/examinations/broker.ts';
import type { MqttSection } from '../../config.ts';
import { defaultClientId, type LinkSession } from '../../mqtt/session.ts';
import { report } from '../findings/catalogue.ts';
import type { BrokerParts } from './broker-parts.ts';
import { examineSession, PROBE_PAYLOAD } from './broker-session.ts';

/** The broker as the agent uses it. */
export function brokerExamination(parts: BrokerParts): Examination {
  const { mqtt, deviceUid, homeId, configFile, env, root, clock } = parts;
  const { brokerHost: host, brokerPort: port } = mqtt;
  return brokerExaminationOf<MqttSection, LinkSession>({
    mqtt,
    program: 'techtemp-device',
    credential: 'techtemp.mqtt-password',
    clientId: mqtt.clientId === '' ? defaultClientId(deviceUid) : mqtt.clientId,
    account: deviceUid,
    configFile,
    env,
    root,
    clock,
    open: async (attempt, signal) => open(parts, attempt, signal),
    oldProtocol: (why) => report('broker.old-protocol', { why, host, port, homeId, deviceUid, file: configFile }),
    examineSession: async (session, used, heard, without, signal) =>
      examineSession(session, heard, { ...parts, mqtt: used }, without, signal),
  });
}

async function open(
  { homeId, deviceUid, openLink }: BrokerParts,
  { identity, protocolVersion, onHeard }: ExaminedAttempt<MqttSection>,
  signal: AbortSignal,
): Promise<LinkSession> {
  return await openLink(
    {
      ...identity,
      protocolVersion,
      // Published only if we vanish; even then it says nothing to anybody.
      will: { topic: sensorTopic(homeId, deviceUid, 'backlog'), payload: PROBE_PAYLOAD, retain: false },
      connectTimeoutMs: EXAMINATION_LIMITS.connectTimeoutMs,
      publishTimeoutMs: EXAMINATION_LIMITS.answerTimeoutMs,
      onMessage: (topic, payload, isRetained) => onHeard({ topic, payload, isRetained }),
    },
    signal,
  );
}
