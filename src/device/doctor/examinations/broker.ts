import { sensorTopic } from '../../../contract/topics.ts';
import { connectionFinding } from '../../../doctor/connection-faults.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import { withStoredPassword } from '../../../doctor/machine.ts';
import type { MqttSection } from '../../config.ts';
import { LinkError, type LinkIdentity, type LinkSession, readLinkIdentity } from '../../mqtt/session.ts';
import { report } from '../findings/catalogue.ts';
import type { BrokerParts } from './broker-parts.ts';
import { examineSession, type Heard, PROBE_PAYLOAD, SubscriptionBroke } from './broker-session.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const PUBLISH_TIMEOUT_MS = 5_000;
const END_LIMIT_MS = 1_000;
/** What the unit's LoadCredential= names. */
const CREDENTIAL = 'techtemp.mqtt-password';

/**
 * From the name of the broker to its access list. Connects beside the agent, with a client id of its own and a clean session,
 * so that a running agent keeps its connection.
 */
export function brokerExamination(parts: BrokerParts): Examination {
  return {
    id: 'broker',
    title: 'MQTT broker',
    run: async (signal) => {
      const { env, root } = parts;
      const mqtt = await withStoredPassword(parts.mqtt, {
        env,
        root,
        credential: CREDENTIAL,
        program: 'techtemp-device',
      });
      if ('verdict' in mqtt) return [mqtt];
      try {
        return await examine({ ...parts, mqtt }, signal);
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        const { deviceUid: account, configFile, clock } = parts;
        const attempt = { mqtt, clientId: probeClientId(parts, mqtt), account, configFile, clock };
        return [await connectionFinding(error, attempt, signal)];
      }
    },
  };
}

/** @throws LinkError when no connection could be had */
async function examine(parts: BrokerParts, signal: AbortSignal): Promise<readonly Finding[]> {
  const { mqtt, deviceUid, env, configFile } = parts;
  const identity = await readLinkIdentity({ mqtt, deviceUid, env });
  const broken: SubscriptionBroke[] = [];
  for (;;) {
    const heard: Heard[] = [];
    const session = await connect(parts, identity, heard, signal);
    try {
      const without = new Set(broken.map(({ topic }) => topic));
      const findings = await examineSession(session, heard, parts, without, signal).catch((error: unknown) => {
        if (!(error instanceof LinkError)) throw error;
        const { message: problem } = error;
        if (error.code === 'LINK_TIMEOUT') {
          return [report('broker.no-answer', { what: 'what the broker allows us', problem })];
        }
        return [report('broker.disconnects', { problem })];
      });
      const accepted = report('broker.ok', {
        host: mqtt.brokerHost,
        port: mqtt.brokerPort,
        version: session.protocolVersion === 5 ? '5' : '3.1.1',
        encryption: mqtt.tls ? ', encrypted' : '',
      });
      const inClear = identity.password !== undefined && !mqtt.tls && !isLoopback(mqtt.brokerHost);
      const clear = inClear ? [report('broker.password-in-clear', { host: mqtt.brokerHost, file: configFile })] : [];
      return [accepted, ...oldProtocol(session, parts), ...clear, ...broken.map(({ finding }) => finding), ...findings];
    } catch (error) {
      // Each topic is left alone from then on, so this ends.
      if (!(error instanceof SubscriptionBroke)) throw error;
      broken.push(error);
    } finally {
      await session.end(END_LIMIT_MS);
    }
  }
}

/** MQTT 5 first; 3.1.1 where the broker does not know 5, as the agent does it. */
async function connect(
  parts: BrokerParts,
  identity: LinkIdentity,
  heard: Heard[],
  signal: AbortSignal,
): Promise<LinkSession> {
  const { mqtt, homeId, deviceUid, openLink } = parts;
  const attempt = (protocolVersion: 4 | 5): Promise<LinkSession> =>
    openLink(
      {
        ...identity,
        clientId: probeClientId(parts, mqtt),
        protocolVersion,
        // Published only if we vanish; even then it says nothing to anybody.
        will: { topic: sensorTopic(homeId, deviceUid, 'backlog'), payload: PROBE_PAYLOAD, retain: false },
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        publishTimeoutMs: PUBLISH_TIMEOUT_MS,
        onMessage: (topic, payload) => void heard.push({ topic, payload }),
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

function oldProtocol(session: LinkSession, { mqtt, homeId, deviceUid, configFile }: BrokerParts): readonly Finding[] {
  if (session.protocolVersion === 5) return [];
  const why = mqtt.protocol === '3.1.1' ? 'as the config asks ([mqtt] protocol)' : 'it knows no newer one';
  return [
    report('broker.old-protocol', {
      why,
      host: mqtt.brokerHost,
      port: mqtt.brokerPort,
      homeId,
      deviceUid,
      file: configFile,
    }),
  ];
}

/** Never the agent's own: a broker ends the older of two connections with one id. */
function probeClientId({ deviceUid }: BrokerParts, { clientId }: MqttSection): string {
  return `${clientId === '' ? `techtemp-${deviceUid}` : clientId}-check`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
