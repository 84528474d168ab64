import type { Clock, Random } from '../platform/clock.ts';
import type { Live } from '../platform/live.ts';
import { backOffMs } from '../platform/pacing.ts';
import type { LoopHeartbeat } from '../platform/systemd.ts';
import { waitAny } from '../platform/tasks.ts';
import { LinkError, type LinkErrorCode, SESSION_TAKEN_OVER } from './errors.ts';
import { type BrokerSettings, ProtocolChoice, type ProtocolSetting } from './socket.ts';

/** DNS, TCP, TLS on a slow Pi, CONNACK. */
export const CONNECT_TIMEOUT_MS = 20_000;
/** Reading a password and certificates besides; beyond that something hangs that is not the broker. */
const ATTEMPT_LIMIT_MS = CONNECT_TIMEOUT_MS + 30_000;
/** A broker that accepts and hangs up at once has not been reached: only a session of this age ends the back-off. */
const STABLE_MS = 30_000;
/** What only a person can repair: asking again often looks like an attack, or like a fight between two clients of one name. */
const PATIENT_CODES: readonly LinkErrorCode[] = ['LINK_CREDENTIALS', 'LINK_NOT_AUTHORIZED', 'LINK_SUBSCRIBE_REFUSED'];

/** What a connection is made with; the config as it was when the attempt began. */
export interface SessionSettings {
  readonly mqtt: BrokerSettings & {
    readonly protocol: ProtocolSetting;
    readonly reconnectMinMs: number;
    readonly reconnectMaxMs: number;
  };
}

/** An attempt that failed, or a session that broke. */
export interface SessionEnd {
  readonly error: LinkError;
  /** How long the session lasted; undefined where there was none. */
  readonly lastedMs: number | undefined;
}

export interface SessionLoopParts<Settings extends SessionSettings, Session> {
  readonly clock: Clock;
  readonly random: Random;
  readonly heartbeat: LoopHeartbeat;
  /** The sections of the config that `settings` reads. */
  readonly sections: readonly Live<unknown>[];
  readonly settings: () => Settings;
  /** What needs a new connection when it changes, besides the broker's address and the login. */
  readonly identity: (settings: Settings) => readonly unknown[];
  /** One attempt. @throws LinkError, or the signal's reason */
  readonly open: (settings: Settings, protocolVersion: 4 | 5, signal: AbortSignal) => Promise<Session>;
  /**
   * All that is said in one session, with its end. Resolves with why it broke; with undefined once the signal is aborted and goodbye
   * has been said. @throws LinkError for what makes the session useless
   */
  readonly run: (session: Session, settings: Settings, signal: AbortSignal) => Promise<LinkError | undefined>;
  /** `failures`: how often it failed in a row before. */
  readonly onConnected: (session: Session, settings: Settings, failures: number) => void;
  /** The session has lasted so long that the broker is reached. */
  readonly onStable?: (session: Session, settings: Settings) => void;
  /** After each attempt and session; without an end where it was called off. */
  readonly onEnded: (settings: Settings, end: SessionEnd | undefined) => void;
  /** The next connection is made with other settings. */
  readonly onReconfigured?: (before: Settings, now: Settings) => void;
}

/**
 * Connects again and again: MQTT 5 first where the config leaves it open, full jitter in between, at once when the config changes.
 * Resolves when the signal is aborted and the last session has ended. Rejects with what is no LinkError.
 */
export async function runSessions<Settings extends SessionSettings, Session>(
  parts: SessionLoopParts<Settings, Session>,
  signal: AbortSignal,
): Promise<void> {
  await new SessionLoop(parts).run(signal);
}

class SessionLoop<Settings extends SessionSettings, Session> {
  readonly #parts: SessionLoopParts<Settings, Session>;
  readonly #protocol = new ProtocolChoice();
  #failures = 0;

  constructor(parts: SessionLoopParts<Settings, Session>) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const settings = this.#parts.settings();
      const attempt = new AbortController();
      const follow = (): void => attempt.abort(signal.reason);
      signal.addEventListener('abort', follow, { once: true });
      const watching = this.#untilReconfigured(settings, attempt);
      try {
        await this.#connectAndPause(settings, attempt.signal);
      } finally {
        signal.removeEventListener('abort', follow);
        attempt.abort(new Error('the attempt is over'));
        await watching;
      }
    }
  }

  /** One attempt with all that follows from it; returns early when the config changes. */
  async #connectAndPause(settings: Settings, signal: AbortSignal): Promise<void> {
    const end = await this.#connect(settings, signal);
    this.#parts.onEnded(settings, end);
    if (end === undefined || signal.aborted) {
      this.#failures = 0;
      return;
    }
    if (this.#protocol.failed(settings.mqtt.protocol, end.error)) return;
    await this.#pause(end.error, signal);
  }

  /** Any change of the config ends it: a person is at work, and wants to see whether it helps. */
  async #pause(error: LinkError, signal: AbortSignal): Promise<void> {
    const { clock, random, settings } = this.#parts;
    const { reconnectMinMs, reconnectMaxMs: maxMs } = settings().mqtt;
    const minMs = isPatient(error) ? Math.max(reconnectMinMs, maxMs / 2) : reconnectMinMs;
    const pauseMs = backOffMs(this.#failures, { minMs, maxMs }, random);
    this.#failures += 1;
    const waits = [async (off: AbortSignal) => clock.sleep(pauseMs, off), this.#changed()];
    await waitAny(signal, waits).catch((reason: unknown) => {
      if (!signal.aborted) throw reason;
    });
  }

  /** @returns why the attempt or the session failed; undefined when it was called off */
  async #connect(settings: Settings, signal: AbortSignal): Promise<SessionEnd | undefined> {
    const { clock, heartbeat, onConnected, open, run } = this.#parts;
    const over = new AbortController();
    let stable: Promise<void> | undefined;
    let openedMs: number | undefined;
    const ended = (error: LinkError): SessionEnd => ({
      error,
      lastedMs: openedMs === undefined ? undefined : clock.monotonicMs() - openedMs,
    });
    try {
      const version = this.#protocol.next(settings.mqtt.protocol);
      const session = await heartbeat.during(ATTEMPT_LIMIT_MS, open(settings, version, signal));
      openedMs = clock.monotonicMs();
      onConnected(session, settings, this.#failures);
      stable = this.#whenStable(session, settings, over.signal);
      const broken = await run(session, settings, signal);
      return broken === undefined ? undefined : ended(broken);
    } catch (error) {
      if (signal.aborted && openedMs === undefined) return undefined;
      if (!(error instanceof LinkError)) throw error;
      return ended(error);
    } finally {
      over.abort(new Error('the session is over'));
      await stable;
    }
  }

  /** Never rejects. */
  async #whenStable(session: Session, settings: Settings, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.clock.sleep(STABLE_MS, signal);
    } catch {
      return;
    }
    this.#failures = 0;
    this.#parts.onStable?.(session, settings);
  }

  /** Aborts when the connection would have to be another one by now. Rejects only with a bug. */
  async #untilReconfigured(settings: Settings, attempt: AbortController): Promise<void> {
    const before = this.#keysOf(settings);
    try {
      for (;;) {
        const changed = this.#changed();
        const now = this.#parts.settings();
        if (this.#keysOf(now) !== before) {
          if (placeOf(now) !== placeOf(settings)) this.#protocol.reset();
          this.#parts.onReconfigured?.(settings, now);
          attempt.abort(new Error('the config has changed'));
          return;
        }
        await changed(attempt.signal);
      }
    } catch (error) {
      if (!attempt.signal.aborted) throw error;
    }
  }

  /** A wait for the next change of the config after this moment. */
  #changed(): (signal: AbortSignal) => Promise<void> {
    const seen = this.#parts.sections.map((live) => ({ live, version: live.version }));
    const waits = seen.map(
      ({ live, version }) =>
        async (off: AbortSignal) =>
          live.changed(version, off),
    );
    return async (signal) => waitAny(signal, waits);
  }

  /** Everything that a connection depends on; all other keys take effect without a new one. */
  #keysOf(settings: Settings): string {
    const { brokerHost, brokerPort, username, password, passwordFile, clientId, keepaliveMs, protocol } = settings.mqtt;
    const { tls, tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName } = settings.mqtt;
    return JSON.stringify([
      [brokerHost, brokerPort, username, password, passwordFile, clientId, keepaliveMs, protocol],
      [tls, tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName],
      this.#parts.identity(settings),
    ]);
  }
}

/** Where the broker is, as people write it. */
export function placeOf({ mqtt }: { readonly mqtt: Pick<BrokerSettings, 'brokerHost' | 'brokerPort'> }): string {
  return `${mqtt.brokerHost}:${mqtt.brokerPort}`;
}

/** Whether only a person can repair it. */
export function isPatient({ code, reasonCode }: LinkError): boolean {
  return PATIENT_CODES.includes(code) || reasonCode === SESSION_TAKEN_OVER;
}
