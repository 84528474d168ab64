import { type Announcement, encodeReceipt } from '../../../contract/messages.ts';
import { parseServerTopic, SERVER_TOPIC_FILTER, sensorTopic, serverTopic } from '../../../contract/topics.ts';
import { userOf } from '../../../doctor/connection-faults.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import {
  brokerExaminationOf,
  EXAMINATION_LIMITS,
  type ExaminedAttempt,
  type Heard,
  RETAINED_WAIT_MS,
  readAnnouncement,
} from '../../../doctor/examinations/broker.ts';
import type { Finding } from '../../../doctor/finding.ts';
import { LinkError } from '../../../mqtt/errors.ts';
import type { Clock } from '../../../platform/clock.ts';
import type { MqttSection } from '../../config.ts';
import { DROPS_TOPIC } from '../../ingest/limits.ts';
import type { MqttConnection, OpenConnection } from '../../mqtt/connection.ts';
import { report } from '../findings/catalogue.ts';

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

/** What the examinations of the broker work with. */
export interface BrokerParts {
  readonly mqtt: MqttSection;
  readonly configFile: string;
  readonly unit: string;
  /** Where TechTemp is installed. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `/`, or what stands for it. */
  readonly root: string;
  /** The server's own door to the broker, so that doctor and server see the same truth. */
  readonly openConnection: OpenConnection;
  readonly clock: Clock;
  /** Whether our server answers on this machine. */
  readonly isRunning: () => Promise<boolean>;
}

/** The user name that the remedies suggest: the one that the installer gives this server. */
function accountOf({ username, instance }: MqttSection): string {
  if (username !== '') return username;
  return instance === 'main' ? 'techtemp-server' : `techtemp-server-${instance}`;
}

/** No announcement: agents read it, find no state that they know, and change nothing. Not retained, so nothing stays behind. */
const PROBE_PAYLOAD = '{"state":"check"}';
/** A device that does not exist, so that no device hears our receipt. */
const PROBE_DEVICE = 'techtemp-server-check';
const PROBE_HOME = 'techtemp-server-check';
const LEAVES = ['reading', 'backlog', 'gap', 'status'] as const;

/** What an accepted connection allows, what the broker has dropped, and who else is there. @throws LinkError when it is ended */
async function examineSession(
  connection: MqttConnection,
  heard: readonly Heard[],
  parts: BrokerParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const refused = await subscriptions(connection, parts);
  const seesServers = (await connection.subscribe([{ filter: SERVER_TOPIC_FILTER, qos: 1 }])).length === 0;
  const unpublished = await probes(connection, parts);
  await parts.clock.sleep(RETAINED_WAIT_MS, signal);
  const permissions = [...refused, ...unpublished];
  const found = [
    ...(permissions.length > 0 ? permissions : [report('broker.permissions')]),
    ...(seesServers
      ? await servers(connection, heard, parts, signal)
      : [report('broker.acl-servers', { user: userOf(parts.mqtt), account: accountOf(parts.mqtt) })]),
  ];
  // Last: some brokers end the connection on it.
  return [...found, await drops(connection, heard, parts, signal)];
}

/** As ingest does it, for one home or for all; without believing that what is granted is also delivered. */
async function subscriptions(connection: MqttConnection, { mqtt }: BrokerParts): Promise<readonly Finding[]> {
  const filters = LEAVES.map((leaf) => sensorTopic(mqtt.homeId, '+', leaf));
  const refused = await connection.subscribe(filters.map((filter) => ({ filter, qos: 1 as const })));
  // What comes from now on is the server's business, which has a session of its own.
  const granted = filters.filter((filter) => !refused.includes(filter));
  if (granted.length > 0) await connection.unsubscribe(granted);
  if (refused.length === 0) return [];
  return [report('broker.acl-subscribe', { topics: refused.join(', '), user: userOf(mqtt), account: accountOf(mqtt) })];
}

async function probes(connection: MqttConnection, { mqtt }: BrokerParts): Promise<readonly Finding[]> {
  const home = mqtt.homeId === '+' ? PROBE_HOME : mqtt.homeId;
  const wanted = [
    { topic: serverTopic(mqtt.instance), payload: PROBE_PAYLOAD },
    ...(mqtt.receipts
      ? [
          {
            topic: sensorTopic(home, PROBE_DEVICE, 'receipt'),
            payload: encodeReceipt({ epoch: 'check', stored: [] }),
          },
        ]
      : []),
  ];
  const findings: Finding[] = [];
  for (const { topic, payload } of wanted) {
    try {
      await connection.publish({ topic, payload, retain: false });
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      if (error.code === 'LINK_TIMEOUT') {
        findings.push(
          report('broker.no-answer', { what: `whether we may publish to ${topic}`, problem: error.message }),
        );
        continue;
      }
      const facts = { topic, problem: error.message, user: userOf(mqtt), account: accountOf(mqtt) };
      findings.push(report('broker.acl-publish', facts));
    }
  }
  return findings;
}

async function drops(
  connection: MqttConnection,
  heard: readonly Heard[],
  { clock, folder, mqtt }: BrokerParts,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    await connection.subscribe([{ filter: DROPS_TOPIC, qos: 0 }]);
    await clock.sleep(RETAINED_WAIT_MS, signal);
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    return report('broker.ends-on-drops', { problem: error.message });
  }
  const said = heard.findLast(({ topic }) => topic === DROPS_TOPIC)?.payload ?? '';
  if (!/^\d+$/.test(said)) return report('broker.silent-about-drops', { account: accountOf(mqtt) });
  const count = Number(said);
  return count === 0 ? report('broker.no-drops') : report('broker.dropped', { count, folder });
}

async function servers(
  connection: MqttConnection,
  heard: readonly Heard[],
  parts: BrokerParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { mqtt, configFile: file, unit } = parts;
  const { instance } = mqtt;
  const found = announced(heard);
  const others = found.filter(({ name, accepts }) => name !== instance && accepts.includes('receipt'));
  const competition =
    others.length > 0 && mqtt.receipts
      ? [
          report('broker.other-servers', {
            servers: others.map(({ name, state }) => `${name} (${state})`).join(', '),
            host: mqtt.brokerHost,
            port: mqtt.brokerPort,
          }),
        ]
      : [];
  const own = found.find(({ name }) => name === instance);
  if (own === undefined) {
    // Some brokers (RabbitMQ) give retained messages to an exact topic only.
    await connection.subscribe([{ filter: serverTopic(instance), qos: 1 }]);
    await parts.clock.sleep(RETAINED_WAIT_MS, signal);
    const exact = announced(heard).find(({ name }) => name === instance);
    const finding =
      exact === undefined
        ? report('broker.not-announced', { instance, unit })
        : report('broker.no-retained-by-wildcard', { instance, state: exact.state });
    return [finding, ...competition];
  }
  const isTwin = own.state === 'online' && !(await parts.isRunning());
  return [
    isTwin ? report('broker.twin', { instance, file }) : report('broker.announced', { instance, state: own.state }),
    ...competition,
  ];
}

/** What is retained of servers, as far as it has come. */
function announced(heard: readonly Heard[]): readonly (Announcement & { readonly name: string })[] {
  return heard.flatMap(({ topic, payload, isRetained }) => {
    const name = parseServerTopic(topic);
    const announcement = name === undefined || !isRetained ? undefined : readAnnouncement(payload);
    return name === undefined || announcement === undefined ? [] : [{ name, ...announcement }];
  });
}
