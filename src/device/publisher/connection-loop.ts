import { encodeStatus, OFFLINE_STATUS } from '../../contract/status.ts';
import { sensorTopic } from '../../contract/topics.ts';
import { ProtocolChoice } from '../../mqtt/socket.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { backOffMs } from '../../platform/pacing.ts';
import { waitAny } from '../../platform/tasks.ts';
import type { DeviceSection, MqttSection } from '../config.ts';
import { defaultClientId, LinkError, type LinkSession, type OpenLink, readLinkIdentity } from '../mqtt/session.ts';
import type { Faults } from './faults.ts';
import type { Incoming } from './incoming.ts';
import { PUBLISH_TIMEOUT_MS } from './sender.ts';
import { runSession, type SessionParts } from './session.ts';

/** Another client logged in with our client id (MQTT 5, 3.14.2.1). */
const TAKEN_OVER = 0x8e;
/** With MQTT 3.1.1 the broker just closes: so often within this time is a pattern, and no network that comes and goes. */
const SUSPICIOUS_CLOSES = 3;
const WINDOW_MS = 600_000;
/** So long without being pushed out again, and it is over. */
const CALM_MS = 600_000;

/** Notices that another client pushes us out. Both come back each time, so it goes on until a person ends it: one fault, not many. */
export class ClientIdWatch {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #faults: Faults;
  #closesMs: number[] = [];
  #seen = false;

  constructor(clock: Pick<Clock, 'monotonicMs'>, faults: Faults) {
    this.#clock = clock;
    this.#faults = faults;
  }

  /** How long a session has to last before `calm` may be called; undefined where there is nothing to get over. */
  calmInMs(): number | undefined {
    return this.#seen ? CALM_MS : undefined;
  }

  /** We were not pushed out for long enough, or have another client id. */
  calm(): void {
    this.#seen = false;
    this.#closesMs = [];
    this.#faults.works('client id');
  }

  /** The broker was not there: it is the one that comes and goes. */
  attemptFailed(): void {
    this.#closesMs = [];
  }

  /** A session that had been accepted is over. `blamed`: something else is known to be the reason. */
  sessionEnded(error: LinkError, clientId: string, blamed: boolean): void {
    const place = `client id "${clientId}"; give each its own client_id in section [mqtt]`;
    if (error.reasonCode === TAKEN_OVER) {
      this.#say('CLIENT_ID_TAKEN', `another client pushes us out of the broker: it has the same ${place}`);
      return;
    }
    if (blamed || error.code !== 'LINK_OFFLINE' || error.reasonCode !== undefined || error.cause !== undefined) return;
    const nowMs = this.#clock.monotonicMs();
    this.#closesMs = [...this.#closesMs.filter((ms) => nowMs - ms < WINDOW_MS), nowMs].slice(-SUSPICIOUS_CLOSES);
    if (this.#closesMs.length < SUSPICIOUS_CLOSES) return;
    const often = `the broker has accepted and closed our connection ${SUSPICIOUS_CLOSES} times within ${WINDOW_MS / 60_000} minutes`;
    this.#say('CLIENT_ID_TAKEN', `${often} without a reason: perhaps another client has the same ${place}`);
  }

  #say(code: string, message: string): void {
    this.#seen = true;
    this.#faults.failed('client id', code, message);
  }
}

/** DNS, TCP, TLS on a slow Pi, CONNACK. */
const CONNECT_TIMEOUT_MS = 20_000;
/** Reading a password and certificates besides; beyond that something hangs that is not the broker. */
const ATTEMPT_LIMIT_MS = CONNECT_TIMEOUT_MS + 30_000;
/** A broker that accepts and hangs up at once has not been reached: only a session of this age ends the back-off. */
const STABLE_MS = 30_000;

export interface ConnectionParts extends SessionParts {
  readonly openLink: OpenLink;
  readonly incoming: Incoming;
  readonly random: Random;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onStateChange: () => void;
}

/** The config that a connection was made with. */
interface Opened {
  readonly mqtt: MqttSection;
  readonly device: DeviceSection;
}

/** Connects, again and again: a new client each time, full jitter in between, at once when the config says where else. */
export class ConnectionLoop {
  readonly #parts: ConnectionParts;
  readonly #protocol = new ProtocolChoice();
  readonly #clientId: ClientIdWatch;
  #session: LinkSession | undefined;
  #failures = 0;

  constructor(parts: ConnectionParts) {
    const { clock, faults } = parts.desk.parts;
    this.#parts = parts;
    this.#clientId = new ClientIdWatch(clock, faults);
  }

  /** The session that is open at the moment. */
  session(): LinkSession | undefined {
    return this.#session;
  }

  /** Resolves when the signal is aborted and the last session ended normally. */
  async run(signal: AbortSignal): Promise<void> {
    const { mqtt, device } = this.#parts.desk.parts;
    while (!signal.aborted) {
      const opened = { mqtt: mqtt.current, device: device.current };
      const config = new AbortController();
      const follow = (): void => config.abort(signal.reason);
      signal.addEventListener('abort', follow, { once: true });
      const watching = this.#untilReconfigured(opened, config);
      try {
        await this.#connectAndPause(opened, config.signal);
      } finally {
        signal.removeEventListener('abort', follow);
        config.abort(new Error('the attempt is over'));
        await watching;
      }
    }
  }

  /** One attempt with all that follows from it; returns early when the config changes. */
  async #connectAndPause(opened: Opened, signal: AbortSignal): Promise<void> {
    const { clock, mqtt } = this.#parts.desk.parts;
    const error = await this.#connect(opened, signal);
    if (error === undefined || signal.aborted) {
      this.#failures = 0;
      return;
    }
    if (this.#protocol.failed(opened.mqtt.protocol, error)) return;
    const { reconnectMinMs, reconnectMaxMs } = mqtt.current;
    // Only a person can correct a wrong password; asking a broker for it often looks like an attack.
    const minMs = isLogin(error) ? Math.max(reconnectMinMs, reconnectMaxMs / 2) : reconnectMinMs;
    const pauseMs = backOffMs(this.#failures, { minMs, maxMs: reconnectMaxMs }, this.#parts.random);
    this.#failures += 1;
    await clock.sleep(pauseMs, signal).catch(() => undefined);
  }

  /** @returns why the attempt or the session failed; undefined when it was called off */
  async #connect(opened: Opened, signal: AbortSignal): Promise<LinkError | undefined> {
    const { steps } = this.#parts;
    const { clock, faults, heartbeat } = this.#parts.desk.parts;
    try {
      const session = await heartbeat.during(ATTEMPT_LIMIT_MS, this.#open(opened, signal));
      const openedMs = clock.monotonicMs();
      this.#session = session;
      this.#sayConnected(opened);
      const calm = this.#watchCalm(session);
      const breaksBefore = steps.breaks();
      const broken = await runSession(this.#parts, session, signal);
      await calm;
      if (clock.monotonicMs() - openedMs >= STABLE_MS) this.#failures = 0;
      if (broken !== undefined) {
        faults.failedWith('connection', broken);
        this.#clientId.sessionEnded(broken, clientIdOf(opened), steps.breaks() > breaksBefore);
      }
      return broken;
    } catch (error) {
      if (signal.aborted && this.#session === undefined) return undefined;
      if (!(error instanceof LinkError)) throw error;
      if (this.#session === undefined) this.#clientId.attemptFailed();
      faults.failed('connection', error.code, error.message, isLogin(error) ? 'loud' : 'normal');
      return error;
    } finally {
      this.#session = undefined;
      this.#parts.onStateChange();
    }
  }

  async #open({ mqtt, device }: Opened, signal: AbortSignal): Promise<LinkSession> {
    const { env, incoming, openLink } = this.#parts;
    const identity = await readLinkIdentity({ mqtt, deviceUid: device.deviceUid, env });
    const topic = sensorTopic(device.homeId, device.deviceUid, 'status');
    return await openLink(
      {
        ...identity,
        protocolVersion: this.#protocol.next(mqtt.protocol),
        will: { topic, payload: encodeStatus(OFFLINE_STATUS), retain: true },
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        publishTimeoutMs: PUBLISH_TIMEOUT_MS,
        onMessage: incoming.receive,
      },
      signal,
    );
  }

  #sayConnected({ mqtt }: Opened): void {
    const { log, desk, onStateChange } = this.#parts;
    const fields = { mqtt: this.#session?.protocolVersion === 5 ? '5' : '3.1.1', delivery: desk.mode() };
    const message = `connected to the MQTT broker ${mqtt.brokerHost}:${mqtt.brokerPort}`;
    const { faults } = desk.parts;
    // As loud as it was said that it was gone; where nothing was said of that, as with a connection that comes and goes, nothing.
    if (faults.has('connection')) faults.works('connection', message, fields);
    else log.info(fields, message);
    onStateChange();
  }

  /** A session that lasts ends the suspicion that another client has our id. Never rejects. */
  async #watchCalm(session: LinkSession): Promise<void> {
    const { clock } = this.#parts.desk.parts;
    const calmMs = this.#clientId.calmInMs();
    if (calmMs === undefined) return;
    const over = new AbortController();
    void session.closed.then(() => over.abort(new Error('the session is over')));
    await clock.sleep(calmMs, over.signal).then(
      () => this.#clientId.calm(),
      () => undefined,
    );
  }

  /** Aborts when the connection would have to be another one by now. Never rejects. */
  async #untilReconfigured(opened: Opened, config: AbortController): Promise<void> {
    const { mqtt, device } = this.#parts.desk.parts;
    const before = connectionKeys(opened);
    try {
      for (;;) {
        const seen = [mqtt.version, device.version] as const;
        const now = { mqtt: mqtt.current, device: device.current };
        if (connectionKeys(now) !== before) {
          if (placeOf(now) !== placeOf(opened)) this.#protocol.reset();
          if (clientIdOf(now) !== clientIdOf(opened) || placeOf(now) !== placeOf(opened)) this.#clientId.calm();
          config.abort(new Error('the config has changed'));
          return;
        }
        await waitAny(config.signal, [
          async (off) => mqtt.changed(seen[0], off),
          async (off) => device.changed(seen[1], off),
        ]);
      }
    } catch (error) {
      if (!config.signal.aborted) throw error;
    }
  }
}

/** Everything that a connection depends on; all other keys take effect without a new one. */
function connectionKeys({ mqtt, device }: Opened): string {
  const { brokerHost, brokerPort, username, password, passwordFile, clientId, keepaliveMs, protocol } = mqtt;
  const { tls, tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName } = mqtt;
  return JSON.stringify([
    [brokerHost, brokerPort, username, password, passwordFile, clientId, keepaliveMs, protocol],
    [tls, tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName],
    [device.homeId, device.deviceUid],
  ]);
}

function placeOf({ mqtt }: Opened): string {
  return `${mqtt.brokerHost}:${mqtt.brokerPort}`;
}

function clientIdOf({ mqtt, device }: Opened): string {
  return mqtt.clientId || defaultClientId(device.deviceUid);
}

function isLogin({ code }: LinkError): boolean {
  return code === 'LINK_CREDENTIALS' || code === 'LINK_NOT_AUTHORIZED';
}
