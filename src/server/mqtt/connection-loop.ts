import { LinkError, type LinkErrorCode, linkError } from '../../mqtt/errors.ts';
import { ProtocolChoice, readBrokerIdentity } from '../../mqtt/socket.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import { createFaultLog, type FaultLog } from '../../platform/fault-log.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import { backOffMs } from '../../platform/pacing.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import type { MqttSection } from '../config.ts';
import type { ConnectionOptions, MqttConnection, OpenConnection, OutgoingMessage } from './connection.ts';

export interface ConnectionLoopParts {
  readonly mqtt: Live<MqttSection>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly heartbeat: LoopHeartbeat;
  /** The environment; only CREDENTIALS_DIRECTORY is looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly openConnection: OpenConnection;
  readonly receiveMaximum: number;
  readonly answerTimeoutMs: number;
  readonly will: (mqtt: MqttSection) => OutgoingMessage;
  readonly incoming: Pick<ConnectionOptions, 'maxPayloadBytes' | 'onMessage' | 'onRead'>;
  /**
   * All that is said on one connection. Resolves with why it broke, or, once the signal is aborted and goodbye has been said, with
   * undefined. @throws LinkError for what makes the connection useless
   */
  readonly converse: (
    connection: MqttConnection,
    mqtt: MqttSection,
    signal: AbortSignal,
  ) => Promise<LinkError | undefined>;
}

export interface LinkState {
  readonly link: 'connecting' | 'connected' | 'stopped';
  readonly linkSinceMs: number;
  readonly linkProblem?: string;
  /** The broker ends connections soon after they began, again and again: why, for people. Absent once one has lasted. */
  readonly instability?: string;
}

/** DNS, TCP, TLS on a slow Pi, CONNACK. */
const CONNECT_TIMEOUT_MS = 20_000;
/** Reading a password and certificates besides; beyond that something hangs that is not the broker. */
const ATTEMPT_LIMIT_MS = CONNECT_TIMEOUT_MS + 30_000;
/** A broker that accepts and hangs up at once has not been reached: only a connection of this age ends the back-off. */
const STABLE_MS = 30_000;
/** So many short connections in a row have a cause that is worth a guess. */
const SHORT_CONNECTIONS = 3;
const GOODBYE_MS = 1_000;
/** Section 3.14.2.1 of MQTT 5. */
const SESSION_TAKEN_OVER = 0x8e;
/** What only a person can cure: asking again often looks like an attack, or like a fight between two servers. */
const PATIENT_CODES: readonly LinkErrorCode[] = ['LINK_CREDENTIALS', 'LINK_NOT_AUTHORIZED', 'LINK_SUBSCRIBE_REFUSED'];

/** Connects, again and again: full jitter in between, at once when the config says where else. */
export class ConnectionLoop {
  readonly #parts: ConnectionLoopParts;
  readonly #protocol = new ProtocolChoice();
  readonly #faults: FaultLog;
  #state: LinkState;
  #failures = 0;
  /** Connections in a row that the other end closed soon. */
  #short = 0;
  #lastLoudCode: string | undefined;
  #instability: string | undefined;

  constructor(parts: ConnectionLoopParts) {
    this.#parts = parts;
    this.#faults = createFaultLog(
      { warn: (fields, message) => parts.log.warn(fields, message), info: () => undefined },
      parts.clock,
    );
    this.#state = { link: 'connecting', linkSinceMs: parts.clock.monotonicMs() };
  }

  state(): LinkState {
    return { ...this.#state, ...(this.#instability !== undefined && { instability: this.#instability }) };
  }

  /** Resolves when the signal is aborted and the last connection ended normally. */
  async run(signal: AbortSignal): Promise<void> {
    const { mqtt } = this.#parts;
    while (!signal.aborted) {
      const { current, version } = mqtt;
      const attempt = new AbortController();
      const follow = (): void => attempt.abort(signal.reason);
      signal.addEventListener('abort', follow, { once: true });
      const watching = this.#untilReconfigured(current, version, attempt);
      try {
        await this.#connectAndPause(current, attempt.signal);
      } finally {
        signal.removeEventListener('abort', follow);
        attempt.abort(new Error('the attempt is over'));
        await watching;
      }
    }
    this.#enter('stopped');
  }

  /** One attempt with all that follows from it; returns early when the config changes. */
  async #connectAndPause(mqtt: MqttSection, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts;
    const error = await this.#connect(mqtt, signal);
    if (error === undefined || signal.aborted) {
      this.#failures = 0;
      this.#enter('connecting');
      return;
    }
    this.#enter('connecting', error.message);
    if (this.#protocol.failed(mqtt.protocol, error)) return;
    const { reconnectMinMs, reconnectMaxMs } = mqtt;
    const minMs = isPatient(error) ? Math.max(reconnectMinMs, reconnectMaxMs / 2) : reconnectMinMs;
    const pauseMs = backOffMs(this.#failures, { minMs, maxMs: reconnectMaxMs }, random);
    this.#failures += 1;
    await clock.sleep(pauseMs, signal).catch(() => undefined);
  }

  /** @returns why the attempt or the connection failed; undefined when it was called off */
  async #connect(mqtt: MqttSection, signal: AbortSignal): Promise<LinkError | undefined> {
    const { clock, converse, heartbeat } = this.#parts;
    let connection: MqttConnection | undefined;
    const over = new AbortController();
    let stable: Promise<void> | undefined;
    try {
      connection = await heartbeat.during(ATTEMPT_LIMIT_MS, this.#open(mqtt, signal));
      this.#sayConnected(connection, mqtt);
      stable = this.#whenStable(connection, mqtt, over.signal);
      const openedMs = clock.monotonicMs();
      const broken = await converse(connection, mqtt, signal);
      const isShort = clock.monotonicMs() - openedMs < STABLE_MS;
      this.#short = isShort && broken !== undefined ? this.#short + 1 : 0;
      return broken === undefined ? undefined : this.#failed(this.#explained(broken, mqtt));
    } catch (error) {
      if (signal.aborted && connection === undefined) return undefined;
      if (!(error instanceof LinkError)) throw error;
      return this.#failed(error);
    } finally {
      over.abort(new Error('the connection is over'));
      await stable;
      await connection?.end(GOODBYE_MS);
    }
  }

  /** A connection that has lasted ends the back-off, and what was said of those before it. Never rejects. */
  async #whenStable(connection: MqttConnection, mqtt: MqttSection, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.clock.sleep(STABLE_MS, signal);
    } catch {
      return;
    }
    const wasQuiet = this.#isQuiet();
    this.#failures = 0;
    this.#short = 0;
    this.#instability = undefined;
    // At its begin it was not worth a line, because those before it had ended at once.
    if (wasQuiet) this.#logConnected('info', connection, mqtt);
  }

  /** While connections come and go every few seconds, each begin is not news. */
  #isQuiet(): boolean {
    return this.#failures > 1 && this.#short > 0;
  }

  async #open(mqtt: MqttSection, signal: AbortSignal): Promise<MqttConnection> {
    const { answerTimeoutMs, env, incoming, openConnection, receiveMaximum, will } = this.#parts;
    const identity = await readBrokerIdentity({ mqtt, defaultClientId: `techtemp-server-${mqtt.instance}`, env });
    return await openConnection(
      {
        ...identity,
        ...incoming,
        protocolVersion: this.#protocol.next(mqtt.protocol),
        will: will(mqtt),
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        answerTimeoutMs,
        receiveMaximum,
      },
      signal,
    );
  }

  #sayConnected(connection: MqttConnection, mqtt: MqttSection): void {
    this.#logConnected(this.#isQuiet() ? 'debug' : 'info', connection, mqtt);
    this.#faults.works({}, 'connected');
    if (!this.#isQuiet()) this.#lastLoudCode = undefined;
    this.#enter('connected');
  }

  #logConnected(level: 'debug' | 'info', connection: MqttConnection, mqtt: MqttSection): void {
    const fields = {
      mqtt: connection.protocolVersion === 5 ? '5' : '3.1.1',
      session: connection.sessionPresent ? 'resumed' : 'new',
    };
    this.#parts.log[level](fields, `connected to the MQTT broker ${mqtt.brokerHost}:${mqtt.brokerPort}`);
  }

  /** Logs it as a state; what only a person can cure is an error the first time. */
  #failed(error: LinkError): LinkError {
    const { code, message } = error;
    if (isPatient(error) && this.#lastLoudCode !== code) this.#parts.log.error({ code }, message);
    else this.#faults.failed(code, { code }, message);
    if (isPatient(error)) this.#lastLoudCode = code;
    return error;
  }

  /** Two servers of one name throw each other out; MQTT 3.1.1 has no word for it, so there it can only be guessed. */
  #explained(error: LinkError, mqtt: MqttSection): LinkError {
    const isTakenOver = error.reasonCode === SESSION_TAKEN_OVER;
    const isGuess = error.code === 'LINK_OFFLINE' && this.#short >= SHORT_CONNECTIONS;
    if (this.#short >= SHORT_CONNECTIONS || isTakenOver) this.#instability = error.message;
    if (!isTakenOver && !isGuess) return error;
    const clientId = mqtt.clientId === '' ? `techtemp-server-${mqtt.instance}` : mqtt.clientId;
    const peer = { host: mqtt.brokerHost, port: mqtt.brokerPort };
    const what = isTakenOver
      ? `another client has logged in as ${clientId}; does a second server run with instance = ${mqtt.instance}? Give each its own instance in section [mqtt]`
      : `the broker closes the connection soon after each login; perhaps another client logs in as ${clientId} too (two servers with instance = ${mqtt.instance})`;
    const explained = linkError(error.code, peer, what, error, error.reasonCode);
    this.#instability = explained.message;
    return explained;
  }

  #enter(link: LinkState['link'], problem?: string): void {
    const linkSinceMs = this.#state.link === link ? this.#state.linkSinceMs : this.#parts.clock.monotonicMs();
    this.#state = { link, linkSinceMs, ...(problem !== undefined && { linkProblem: problem }) };
  }

  /** Aborts when the connection would have to be another one by now. Never rejects. */
  async #untilReconfigured(opened: MqttSection, version: number, attempt: AbortController): Promise<void> {
    const { mqtt } = this.#parts;
    try {
      await mqtt.changed(version, attempt.signal);
      if (placeOf(mqtt.current) !== placeOf(opened)) this.#protocol.reset();
      attempt.abort(new Error('the config has changed'));
    } catch (error) {
      if (!attempt.signal.aborted) throw error;
    }
  }
}

function placeOf(mqtt: MqttSection): string {
  return `${mqtt.brokerHost}:${mqtt.brokerPort}`;
}

function isPatient({ code, reasonCode }: LinkError): boolean {
  return PATIENT_CODES.includes(code) || reasonCode === SESSION_TAKEN_OVER;
}
