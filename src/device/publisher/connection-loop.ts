import { encodeStatus, OFFLINE_STATUS } from '../../contract/status.ts';
import { sensorTopic } from '../../contract/topics.ts';
import { SESSION_TAKEN_OVER } from '../../mqtt/errors.ts';
import { CONNECT_TIMEOUT_MS, placeOf, runSessions, type SessionEnd } from '../../mqtt/session-loop.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { DeviceSection, MqttSection } from '../config.ts';
import { defaultClientId, type LinkError, type LinkSession, type OpenLink, readLinkIdentity } from '../mqtt/session.ts';
import type { Faults } from './faults.ts';
import type { Incoming } from './incoming.ts';
import { PUBLISH_TIMEOUT_MS } from './sender.ts';
import { runSession, type SessionParts } from './session.ts';

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
    if (error.reasonCode === SESSION_TAKEN_OVER) {
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

export interface ConnectionParts extends SessionParts {
  readonly openLink: OpenLink;
  readonly incoming: Pick<Incoming, 'receive'>;
  readonly faults: Faults;
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

/** The agent's connection to the broker, made again whenever it ends, and what is told of it. */
export class ConnectionLoop {
  readonly #parts: ConnectionParts;
  readonly #clientId: ClientIdWatch;
  #session: LinkSession | undefined;
  /** Sessions that had broken in an optional step when this one began. */
  #breaksBefore = 0;

  constructor(parts: ConnectionParts) {
    const { clock, faults } = parts;
    this.#parts = parts;
    this.#clientId = new ClientIdWatch(clock, faults);
  }

  /** The session that is open at the moment. */
  session(): LinkSession | undefined {
    return this.#session;
  }

  /** Resolves when the signal is aborted and the last session has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, device, heartbeat, mqtt, random } = this.#parts;
    await runSessions<Opened, LinkSession>(
      {
        clock,
        random,
        heartbeat,
        sections: [mqtt, device],
        settings: () => ({ mqtt: mqtt.current, device: device.current }),
        identity: (opened) => [opened.device.homeId, opened.device.deviceUid],
        open: async (...attempt) => this.#open(...attempt),
        run: async (session, _opened, ended) => this.#run(session, ended),
        onConnected: (session, opened) => this.#connected(session, opened),
        onEnded: (opened, end) => this.#ended(opened, end),
        onReconfigured: (before, now) => {
          if (clientIdOf(now) !== clientIdOf(before) || placeOf(now) !== placeOf(before)) this.#clientId.calm();
        },
      },
      signal,
    );
  }

  async #open({ mqtt, device }: Opened, protocolVersion: 4 | 5, signal: AbortSignal): Promise<LinkSession> {
    const { env, incoming, openLink } = this.#parts;
    const identity = await readLinkIdentity({ mqtt, deviceUid: device.deviceUid, env });
    const topic = sensorTopic(device.homeId, device.deviceUid, 'status');
    return await openLink(
      {
        ...identity,
        protocolVersion,
        will: { topic, payload: encodeStatus(OFFLINE_STATUS), retain: true },
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        publishTimeoutMs: PUBLISH_TIMEOUT_MS,
        onMessage: incoming.receive,
      },
      signal,
    );
  }

  async #run(session: LinkSession, signal: AbortSignal): Promise<LinkError | undefined> {
    const calm = this.#watchCalm(session);
    this.#breaksBefore = this.#parts.steps.breaks();
    const broken = await runSession(this.#parts, session, signal);
    await calm;
    return broken;
  }

  #connected(session: LinkSession, opened: Opened): void {
    const { log, faults, tracker, onStateChange } = this.#parts;
    this.#session = session;
    const fields = { mqtt: session.protocolVersion === 5 ? '5' : '3.1.1', delivery: tracker.mode() };
    const message = `connected to the MQTT broker ${placeOf(opened)}`;
    // As loud as it was said that it was gone; where nothing was said, as with a connection that comes and goes, nothing.
    if (faults.has('connection')) faults.works('connection', message, fields);
    else log.info(fields, message);
    onStateChange();
  }

  #ended(opened: Opened, end: SessionEnd | undefined): void {
    const { faults, onStateChange, steps } = this.#parts;
    this.#session = undefined;
    if (end !== undefined) {
      const { error, lastedMs } = end;
      faults.failed('connection', error.code, error.message, isLogin(error) ? 'loud' : 'normal');
      if (lastedMs === undefined) this.#clientId.attemptFailed();
      else this.#clientId.sessionEnded(error, clientIdOf(opened), steps.breaks() > this.#breaksBefore);
    }
    onStateChange();
  }

  /** A session that lasts ends the suspicion that another client has our id. Never rejects. */
  async #watchCalm(session: LinkSession): Promise<void> {
    const { clock } = this.#parts;
    const calmMs = this.#clientId.calmInMs();
    if (calmMs === undefined) return;
    const over = new AbortController();
    void session.closed.then(() => over.abort(new Error('the session is over')));
    await clock.sleep(calmMs, over.signal).then(
      () => this.#clientId.calm(),
      () => undefined,
    );
  }
}

function clientIdOf({ mqtt, device }: Opened): string {
  return mqtt.clientId || defaultClientId(device.deviceUid);
}

function isLogin({ code }: LinkError): boolean {
  return code === 'LINK_CREDENTIALS' || code === 'LINK_NOT_AUTHORIZED';
}
