import { type LinkError, linkError, SESSION_TAKEN_OVER } from '../../mqtt/errors.ts';
import { CONNECT_TIMEOUT_MS, isPatient, placeOf, runSessions, type SessionEnd } from '../../mqtt/session-loop.ts';
import { readBrokerIdentity } from '../../mqtt/socket.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import { createFaultLog, type FaultLog } from '../../platform/fault-log.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import type { MqttSection } from '../config.ts';
import type { ConnectionOptions, MqttConnection, OpenConnection, OutgoingMessage } from './connection.ts';

/** The config that a connection was made with. */
interface Opened {
  readonly mqtt: MqttSection;
}

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

/** So many short connections in a row have a cause that is worth a guess. */
const SHORT_CONNECTIONS = 3;
const GOODBYE_MS = 1_000;

/** The server's connection to the broker, made again whenever it ends, and what is told of it. */
export class ConnectionLoop {
  readonly #parts: ConnectionLoopParts;
  readonly #faults: FaultLog;
  #state: LinkState;
  /** Connections in a row that did not last. */
  #short = 0;
  /** While connections come and go every few seconds, each begin is not news. */
  #isQuiet = false;
  #hasLasted = false;
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

  /** Resolves when the signal is aborted and the last connection has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { mqtt, clock, random, heartbeat } = this.#parts;
    await runSessions<Opened, MqttConnection>(
      {
        clock,
        random,
        heartbeat,
        sections: [mqtt],
        settings: () => ({ mqtt: mqtt.current }),
        identity: (opened) => [opened.mqtt.instance, opened.mqtt.receipts, opened.mqtt.homeId],
        open: async (...attempt) => this.#open(...attempt),
        run: async (connection, opened, ended) => this.#converse(connection, opened, ended),
        onConnected: (connection, opened, failures) => this.#connected(connection, opened, failures),
        onStable: (connection, opened) => this.#lasted(connection, opened),
        onEnded: (opened, end) => this.#ended(opened, end),
      },
      signal,
    );
    this.#enter('stopped');
  }

  async #open({ mqtt }: Opened, protocolVersion: 4 | 5, signal: AbortSignal): Promise<MqttConnection> {
    const { answerTimeoutMs, env, incoming, openConnection, receiveMaximum, will } = this.#parts;
    const identity = await readBrokerIdentity({ mqtt, defaultClientId: `techtemp-server-${mqtt.instance}`, env });
    return await openConnection(
      {
        ...identity,
        ...incoming,
        protocolVersion,
        will: will(mqtt),
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        answerTimeoutMs,
        receiveMaximum,
      },
      signal,
    );
  }

  async #converse(connection: MqttConnection, { mqtt }: Opened, signal: AbortSignal): Promise<LinkError | undefined> {
    try {
      return await this.#parts.converse(connection, mqtt, signal);
    } finally {
      await connection.end(GOODBYE_MS);
    }
  }

  #connected(connection: MqttConnection, opened: Opened, failures: number): void {
    this.#hasLasted = false;
    this.#isQuiet = failures > 1 && this.#short > 0;
    this.#logConnected(this.#isQuiet ? 'debug' : 'info', connection, opened);
    this.#faults.works({}, 'connected');
    if (!this.#isQuiet) this.#lastLoudCode = undefined;
    this.#enter('connected');
  }

  /** Ends what was said of the connections before it. */
  #lasted(connection: MqttConnection, opened: Opened): void {
    this.#hasLasted = true;
    this.#short = 0;
    this.#instability = undefined;
    // At its begin it was not worth a line, because those before it had ended at once.
    if (this.#isQuiet) this.#logConnected('info', connection, opened);
  }

  #logConnected(level: 'debug' | 'info', connection: MqttConnection, opened: Opened): void {
    const fields = {
      mqtt: connection.protocolVersion === 5 ? '5' : '3.1.1',
      session: connection.sessionPresent ? 'resumed' : 'new',
    };
    this.#parts.log[level](fields, `connected to the MQTT broker ${placeOf(opened)}`);
  }

  #ended(opened: Opened, end: SessionEnd | undefined): void {
    if (end === undefined) this.#short = 0;
    else if (end.lastedMs !== undefined) this.#short = this.#hasLasted ? 0 : this.#short + 1;
    this.#enter('connecting', end === undefined ? undefined : this.#failed(end, opened));
  }

  /** Logs it as a state; what only a person can repair is an error the first time. @returns why, for people */
  #failed({ error, lastedMs }: SessionEnd, opened: Opened): string {
    const { code, message } = lastedMs === undefined ? error : this.#explained(error, opened);
    if (isPatient(error) && this.#lastLoudCode !== code) this.#parts.log.error({ code }, message);
    else this.#faults.failed(code, { code }, message);
    if (isPatient(error)) this.#lastLoudCode = code;
    return message;
  }

  /** Two servers of one name throw each other out; MQTT 3.1.1 has no word for it, so there it can only be guessed. */
  #explained(error: LinkError, { mqtt }: Opened): LinkError {
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
}
