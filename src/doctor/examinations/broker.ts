import { isLoopbackHost } from '../../config/web-formats.ts';
import { WireError } from '../../contract/json.ts';
import { type Announcement, decodeAnnouncement } from '../../contract/messages.ts';
import { LinkError } from '../../mqtt/errors.ts';
import {
  type BrokerIdentity,
  type BrokerSettings,
  type ProtocolSetting,
  readBrokerIdentity,
} from '../../mqtt/socket.ts';
import type { Clock } from '../../platform/clock.ts';
import { connectionFinding } from '../connection-faults.ts';
import type { Examination } from '../doctor.ts';
import type { Finding } from '../finding.ts';
import { report } from '../findings/catalogue.ts';
import { withStoredPassword } from '../machine.ts';

const END_LIMIT_MS = 1_000;
/** For an attempt to connect, and for each answer after it. */
export const EXAMINATION_LIMITS = { connectTimeoutMs: 10_000, answerTimeoutMs: 5_000 } as const;
/** Retained messages come right behind the answer to a subscription. */
export const RETAINED_WAIT_MS = 500;

type ExaminedMqtt = BrokerSettings & { readonly protocol: ProtocolSetting };

/** What the examination itself asks of a connection. */
interface ExaminedSession {
  readonly protocolVersion: 4 | 5;
  end(limitMs: number): Promise<void>;
}

/** A message that came while we looked. */
export interface Heard {
  readonly topic: string;
  readonly payload: string;
  readonly isRetained: boolean;
}

/** The broker ended the connection at a subscription; the others are examined on another connection. */
export class SubscriptionBroke extends Error {
  readonly topic: string;
  readonly finding: Finding;

  constructor(topic: string, finding: Finding) {
    super(`the broker hung up at ${topic}`);
    this.topic = topic;
    this.finding = finding;
  }
}

/** One attempt of the examination to connect. */
export interface ExaminedAttempt<Mqtt> {
  readonly mqtt: Mqtt;
  readonly identity: BrokerIdentity;
  readonly protocolVersion: 4 | 5;
  readonly onHeard: (message: Heard) => void;
}

export interface BrokerExaminationParts<Mqtt extends ExaminedMqtt, Session extends ExaminedSession> {
  readonly mqtt: Mqtt;
  readonly program: string;
  /** What LoadCredential= of the unit names. */
  readonly credential: string;
  /** The program's own client id. Ours is another one: a broker ends the older of two connections with one id. */
  readonly clientId: string;
  /** The user name that the remedies suggest. */
  readonly account: string;
  readonly configFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `/`, or what stands for it. */
  readonly root: string;
  readonly clock: Clock;
  /** The program's own way to connect, so that doctor and program see the same. @throws LinkError */
  readonly open: (attempt: ExaminedAttempt<Mqtt>, signal: AbortSignal) => Promise<Session>;
  readonly oldProtocol: (why: string) => Finding;
  /**
   * What an accepted connection allows, and who else is there. `without`: topics that are left alone.
   * @throws LinkError when the broker ends it, SubscriptionBroke when it does so at a subscription
   */
  readonly examineSession: (
    session: Session,
    mqtt: Mqtt,
    heard: readonly Heard[],
    without: ReadonlySet<string>,
    signal: AbortSignal,
  ) => Promise<readonly Finding[]>;
}

/**
 * From the name of the broker to its access list. Connects beside the program, with a client id of its own and a session that ends
 * with the look, so that a running program keeps its connection and nothing is queued for us.
 */
export function brokerExaminationOf<Mqtt extends ExaminedMqtt, Session extends ExaminedSession>(
  parts: BrokerExaminationParts<Mqtt, Session>,
): Examination {
  const { account, clock, configFile, credential, env, program, root } = parts;
  const clientId = `${parts.clientId}-check`;
  return {
    id: 'broker',
    title: 'MQTT broker',
    run: async (signal) => {
      const mqtt = await withStoredPassword(parts.mqtt, { env, root, credential, program });
      if ('verdict' in mqtt) return [mqtt];
      try {
        const identity = await readBrokerIdentity({ mqtt, env, defaultClientId: clientId });
        return await examine(parts, mqtt, { ...identity, clientId }, signal);
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        return [await connectionFinding(error, { mqtt, clientId, account, configFile, clock }, signal)];
      }
    },
  };
}

/** @throws LinkError when no connection could be had */
async function examine<Mqtt extends ExaminedMqtt, Session extends ExaminedSession>(
  parts: BrokerExaminationParts<Mqtt, Session>,
  mqtt: Mqtt,
  identity: BrokerIdentity,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const broken: SubscriptionBroke[] = [];
  for (;;) {
    const heard: Heard[] = [];
    const onHeard = (message: Heard): void => void heard.push(message);
    const open = (protocolVersion: 4 | 5): Promise<Session> =>
      parts.open({ mqtt, identity, protocolVersion, onHeard }, signal);
    const session = await connect(mqtt.protocol, open);
    try {
      const without = new Set(broken.map(({ topic }) => topic));
      const findings = await parts.examineSession(session, mqtt, heard, without, signal).catch(ended);
      return [...accepted(parts, mqtt, identity, session), ...broken.map(({ finding }) => finding), ...findings];
    } catch (error) {
      // Each topic is left alone from then on, so this ends.
      if (!(error instanceof SubscriptionBroke)) throw error;
      broken.push(error);
    } finally {
      await session.end(END_LIMIT_MS);
    }
  }
}

function ended(error: unknown): readonly Finding[] {
  if (!(error instanceof LinkError)) throw error;
  const { message: problem } = error;
  return error.code === 'LINK_TIMEOUT'
    ? [report('broker.no-answer', { what: 'what the broker allows us', problem })]
    : [report('broker.disconnects', { problem })];
}

function accepted<Mqtt extends ExaminedMqtt, Session extends ExaminedSession>(
  { configFile: file, oldProtocol }: BrokerExaminationParts<Mqtt, Session>,
  { brokerHost: host, brokerPort: port, protocol, tls }: Mqtt,
  { password }: BrokerIdentity,
  { protocolVersion }: Session,
): readonly Finding[] {
  const version = protocolVersion === 5 ? '5' : '3.1.1';
  const why = protocol === '3.1.1' ? 'as the config asks ([mqtt] protocol)' : 'it knows no newer one';
  const isInClear = password !== undefined && !tls && !isLoopbackHost(host);
  return [
    report('broker.ok', { host, port, version, encryption: tls ? ', encrypted' : '' }),
    ...(protocolVersion === 5 ? [] : [oldProtocol(why)]),
    ...(isInClear ? [report('broker.password-in-clear', { host, file })] : []),
  ];
}

/** MQTT 5 first; 3.1.1 where the broker does not know 5, as the programs do it. */
async function connect<Session>(
  protocol: ProtocolSetting,
  open: (protocolVersion: 4 | 5) => Promise<Session>,
): Promise<Session> {
  if (protocol === '3.1.1') return await open(4);
  try {
    return await open(5);
  } catch (error) {
    const mayBeOld =
      error instanceof LinkError && (error.code === 'LINK_PROTOCOL_VERSION' || error.code === 'LINK_CLOSED_EARLY');
    if (!mayBeOld || protocol === '5') throw error;
    // If the older version fails too, this error says more: it is about what everybody tries first.
    return await open(4).catch((second: unknown) => {
      throw second instanceof LinkError && second.code !== 'LINK_CLOSED_EARLY' ? second : error;
    });
  }
}

/** What a server says of itself; undefined where it cannot be understood. */
export function readAnnouncement(payload: string): Announcement | undefined {
  try {
    return decodeAnnouncement(payload);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
