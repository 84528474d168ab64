import { asRecord, parseJson, WireError } from '../../../contract/json.ts';
import { encodeReading } from '../../../contract/reading.ts';
import { type DeviceStatus, decodeStatus } from '../../../contract/status.ts';
import { parseServerTopic, SERVER_TOPIC_FILTER, sensorTopic } from '../../../contract/topics.ts';
import { userOf } from '../../../doctor/connection-faults.ts';
import {
  type Heard,
  RETAINED_WAIT_MS,
  readAnnouncement,
  SubscriptionBroke,
} from '../../../doctor/examinations/broker.ts';
import type { Finding } from '../../../doctor/finding.ts';
import { LinkError, type LinkSession, publishPacketSize, type Taken } from '../../mqtt/session.ts';
import { SOME_SERVER } from '../../publisher/known-servers.ts';
import { report } from '../findings/catalogue.ts';
import type { BrokerParts } from './broker-parts.ts';

/**
 * How the right to publish is tested: an empty batch on `backlog`, QoS 1, not retained. Its topic lies where the access list
 * has to allow us anyway; to a server it is a batch with nothing to store; older servers and Home Assistant do not listen
 * there; nothing stays behind. On `reading` no payload is harmless (servers would list it as rejected), on `status` a
 * message could overtake the agent's own, and an unused topic would prove nothing where topics are allowed one by one.
 */
export const PROBE_PAYLOAD = '[]';

/** A status message and a batch of a few readings fit into this. */
const USEFUL_PACKET_BYTES = 1024;
/** Below, a backlog drains at a few messages a round trip. */
const USEFUL_RECEIVE_MAXIMUM = 4;
/** The longest reading there is. */
const LONGEST_READING = {
  temperatureCelsius: -40.25,
  humidityPercent: 100.01,
  tsMs: 1_757_537_685_793,
  epoch: 'k3v9x2k3',
  seq: 10_000_000,
  clock: 'unsynced',
  trigger: 'command',
} as const;

/**
 * What an accepted connection allows, and who else is there. `without`: topics that are left alone.
 * @throws LinkError when the broker ends it, SubscriptionBroke when it does so at a subscription
 */
export async function examineSession(
  session: LinkSession,
  heard: readonly Heard[],
  parts: BrokerParts,
  without: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subscribing = await subscribeToAll(session, parts, without);
  const { refusals: publishing, taken } = await publishProbe(session, parts);
  const refusals = [...subscribing, ...publishing];
  await parts.clock.sleep(RETAINED_WAIT_MS, signal);
  const { homeId, deviceUid } = parts;
  const permissions = refusals.length > 0 ? refusals : [report('broker.permissions', { folder: folderOf(parts) })];
  const twin = await duplicate(heard, sensorTopic(homeId, deviceUid, 'status'), parts);
  const statusTopic = sensorTopic(homeId, deviceUid, 'status');
  return [
    ...permissions,
    ...limits(session, parts),
    ...servers(heard, parts, taken),
    ...(await remembered(heard, parts)),
    ...twin,
    ...(without.has(statusTopic) ? [] : await agentsWord(heard, statusTopic, parts)),
  ];
}

/** One by one, since an answer for several does not say which of them the broker refuses. */
async function subscribeToAll(
  session: LinkSession,
  parts: BrokerParts,
  without: ReadonlySet<string>,
): Promise<readonly Finding[]> {
  const { homeId, deviceUid } = parts;
  const wanted = [
    { topic: SERVER_TOPIC_FILTER, pattern: 'techtemp/server/+', loss: 'no receipts from a TechTemp server' },
    { topic: sensorTopic(homeId, deviceUid, 'receipt'), pattern: 'home/+/sensors/%u/receipt', loss: 'no receipts' },
    ...(parts.mqtt.commands
      ? [
          {
            topic: sensorTopic(homeId, deviceUid, 'command'),
            pattern: 'home/+/sensors/%u/command',
            loss: 'no commands',
          },
        ]
      : []),
    {
      topic: sensorTopic(homeId, deviceUid, 'status'),
      pattern: 'home/+/sensors/%u/#',
      loss: 'checks such as this one',
    },
  ];
  const findings: Finding[] = [];
  let passed = 0;
  for (const { topic, pattern, loss } of wanted.filter((one) => !without.has(one.topic))) {
    try {
      await session.subscribe([topic]);
      passed += 1;
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      if (error.code !== 'LINK_SUBSCRIBE_REFUSED') {
        // With a reason of its own, or at whatever comes first: then it is not about this topic.
        const isForTopic = error.code === 'LINK_OFFLINE' && error.reasonCode === undefined;
        if (!isForTopic || (without.size > 0 && passed === 0)) throw error;
        throw new SubscriptionBroke(topic, report('broker.hangs-up', { topic, pattern, loss, problem: error.message }));
      }
      // The agent itself does not read its own status.
      if (topic.endsWith('/status')) continue;
      const facts = { topic, pattern, loss, problem: error.message, user: userOf(parts.mqtt) };
      findings.push(report('broker.acl-subscribe', facts));
    }
  }
  return findings;
}

interface Probed {
  readonly refusals: readonly Finding[];
  readonly taken?: Taken;
}

async function publishProbe(session: LinkSession, parts: BrokerParts): Promise<Probed> {
  const topic = sensorTopic(parts.homeId, parts.deviceUid, 'backlog');
  try {
    return { refusals: [], taken: await session.publish({ topic, payload: PROBE_PAYLOAD, retain: false }) };
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    // What is too large for the broker has a finding of its own.
    if (error.code === 'LINK_TOO_LARGE') return { refusals: [] };
    if (error.code === 'LINK_TIMEOUT') {
      const what = `whether we may publish below ${folderOf(parts)}`;
      return { refusals: [report('broker.no-answer', { what, problem: error.message })] };
    }
    // Several brokers do not answer a forbidden publish, they hang up.
    const { username } = parts.mqtt;
    const user = username === '' ? '(anonymous)' : username;
    return { refusals: [report('broker.acl-publish', { folder: folderOf(parts), problem: error.message, user })] };
  }
}

function limits(
  { maximumPacketSize, receiveMaximum, protocolVersion }: LinkSession,
  parts: BrokerParts,
): readonly Finding[] {
  const topic = sensorTopic(parts.homeId, parts.deviceUid, 'reading');
  const needed = publishPacketSize(topic, Buffer.byteLength(encodeReading(LONGEST_READING)), protocolVersion);
  const findings: Finding[] = [];
  if (maximumPacketSize < needed) {
    findings.push(report('broker.packet-too-small', { maximum: maximumPacketSize, needed }));
  } else if (maximumPacketSize < USEFUL_PACKET_BYTES) {
    findings.push(report('broker.packet-small', { maximum: maximumPacketSize }));
  }
  if (receiveMaximum < USEFUL_RECEIVE_MAXIMUM) {
    findings.push(report('broker.receive-maximum', { maximum: receiveMaximum }));
  }
  return findings;
}

function servers(heard: readonly Heard[], parts: BrokerParts, taken: Taken | undefined): readonly Finding[] {
  const { mqtt, configFile, homeId, deviceUid } = parts;
  const found = heard.flatMap(({ topic, payload }) => {
    const instance = parseServerTopic(topic);
    const announcement = instance === undefined ? undefined : readAnnouncement(payload);
    return instance === undefined || announcement === undefined ? [] : [{ instance, ...announcement }];
  });
  const withReceipts = found.filter(({ accepts }) => accepts.includes('receipt'));
  if (withReceipts.length === 0) {
    return [
      mqtt.delivery === 'receipt'
        ? report('broker.no-server-but-receipts', { file: configFile })
        : report('broker.no-server'),
    ];
  }
  const names = withReceipts.map(({ instance, state }) => `${instance} (${state})`).join(', ');
  const online = withReceipts.filter(({ state }) => state === 'online');
  const place = { host: mqtt.brokerHost, port: mqtt.brokerPort, topic: sensorTopic(homeId, deviceUid, 'backlog') };
  const isDeaf = taken === 'by-nobody' && online.some(({ accepts }) => accepts.includes('batch'));
  return [
    online.length > 0
      ? report('broker.server', { servers: names })
      : report('broker.server-offline', { servers: names }),
    ...(isDeaf ? [report('broker.server-deaf', { ...place, servers: names })] : []),
  ];
}

/** Servers for which the agent waits although this broker does not know them. */
async function remembered(heard: readonly Heard[], parts: BrokerParts): Promise<readonly Finding[]> {
  if (parts.mqtt.delivery === 'broker') return [];
  const announced = new Set(heard.map(({ topic }) => parseServerTopic(topic)));
  const missing = (await parts.rememberedServers()).filter(({ name }) => name !== SOME_SERVER && !announced.has(name));
  return missing.map(({ name, seenMs }) => {
    const seen = seenMs === 0 ? 'not known' : `${new Date(seenMs).toISOString().slice(0, 16)}Z`;
    return report('broker.server-remembered', { server: name, seen });
  });
}

/** What the agent that runs here says of itself, as the broker has kept it. */
async function agentsWord(heard: readonly Heard[], topic: string, parts: BrokerParts): Promise<readonly Finding[]> {
  const ours = await parts.ownJournal();
  if (ours?.agent !== 'writing') return [];
  const status = readStatus(heard.findLast((message) => message.topic === topic)?.payload ?? '');
  const { deviceUid, configFile: file } = parts;
  if (status?.state !== 'online') {
    return [
      report('broker.agent-unheard', {
        deviceUid,
        status: status === undefined ? 'no status' : 'the status "offline"',
      }),
    ];
  }
  if (status.journal !== undefined && !ours.epochs.includes(status.journal.epoch)) return [];
  const { problems = [], subscribers } = status.mqtt ?? {};
  const said = problems.map(({ code, message: problem }) => {
    if (code === 'CLIENT_ID_TAKEN') return report('broker.client-id-taken', { problem, file });
    return code === 'RECORD_CHANGED'
      ? report('broker.other-record', { problem })
      : report('broker.agent-problem', { problem });
  });
  return [...(subscribers === 'none' ? [report('broker.no-subscriber')] : []), ...said];
}

function readStatus(payload: string): DeviceStatus | undefined {
  try {
    return decodeStatus(payload);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** A device that is online under our name although it is not ours. */
async function duplicate(heard: readonly Heard[], topic: string, parts: BrokerParts): Promise<readonly Finding[]> {
  const { deviceUid, configFile: file } = parts;
  const ours = await parts.ownJournal();
  const theirs = onlineEpoch(heard.findLast((message) => message.topic === topic)?.payload ?? '');
  if (ours === undefined || theirs === undefined) return [];
  if (!ours.epochs.includes(theirs)) {
    return [report('broker.duplicate-uid', { deviceUid, theirs, ours: ours.epochs.join(', '), file })];
  }
  return ours.agent === 'none' ? [report('broker.ghost', { deviceUid })] : [];
}

function onlineEpoch(status: string): string | undefined {
  try {
    const { state, journal } = asRecord(parseJson(status), 'status');
    const { epoch } = asRecord(journal, 'journal');
    return state === 'online' && typeof epoch === 'string' ? epoch : undefined;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function folderOf({ homeId, deviceUid }: BrokerParts): string {
  return `home/${homeId}/sensors/${deviceUid}`;
}
