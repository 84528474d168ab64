import { OptionalSteps } from '../../mqtt/optional-steps.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import { LoopHeartbeat, type Progress } from '../../platform/systemd.ts';
import { supervise } from '../../platform/tasks.ts';
import type { IngestSection, MqttSection } from '../config.ts';
import type { MqttConnection } from '../mqtt/connection.ts';
import { ConnectionLoop } from '../mqtt/connection-loop.ts';
import type { IncomingMessage } from '../mqtt/frames.ts';
import { createOpenConnection } from '../mqtt/open-connection.ts';
import type { CommitResult, IngestStore } from '../store/ingest-store.ts';
import type { ServerTime } from '../store/stored.ts';
import type { IngestClock } from '../trusted-clock.ts';
import { Committer } from './committer.ts';
import { decodeMessage } from './decode-message.ts';
import { Inbox, type Read, type Taken, type Waiting } from './inbox.ts';
import type { ChangeSink, IngestObserver, IngestState, LimitedKind } from './ingest.ts';
import { BrokerDrops, DROPS_TOPIC, SenderLimits } from './limits.ts';
import { Acknowledgements, ReceiptSender, settle } from './receipts.ts';
import { IngestSession, willOf } from './session.ts';

export interface IngestParts {
  readonly store: IngestStore;
  readonly mqtt: Live<MqttSection>;
  readonly ingest: Live<IngestSection>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly progress: Progress;
  /** Longest time for which it may idle without a beat. */
  readonly maxIdleMs: number;
  readonly changes: ChangeSink;
  readonly observer: IngestObserver;
  /** The environment; only CREDENTIALS_DIRECTORY is looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What is known of this machine's wall clock. */
  readonly serverClock: IngestClock;
  /** The identity of the record, for the announcement. */
  readonly record?: string;
  /** Longest wait for the broker's answer to anything. Default 30 s. */
  readonly answerTimeoutMs?: number;
}

export interface Ingest {
  /** Resolves once the signal is aborted, what was taken is stored and acknowledged, and the broker was told; bounded in time. */
  run(signal: AbortSignal): Promise<void>;
  state(): IngestState;
}

const ANSWER_TIMEOUT_MS = 30_000;
/** Messages that the broker may have on the way to us: enough for the next group to come while one is being written. */
const RECEIVE_MAXIMUM = 1_000;
/** A transaction is small enough not to hold up the readers of the store, however large the messages are. */
const MAX_GROUP_BYTES = 1_048_576;
/** Large messages wait in smaller number. */
const MAX_WAITING_BYTES = 16_777_216;
/** At a stop: for what was taken to reach the disk. */
const DRAIN_LIMIT_MS = 10_000;

export function createIngest(parts: IngestParts): Ingest {
  return new MqttIngest(parts);
}

/**
 *   socket --decode--> inbox --groups--> committer --fsync--> PUBACK to the broker, receipts to the devices, changes to who watches
 *      ^                 |
 *      '-- not read while too much waits
 */
class MqttIngest implements Ingest {
  readonly #parts: IngestParts;
  readonly #heartbeat: LoopHeartbeat;
  readonly #inbox = new Inbox();
  readonly #receipts: ReceiptSender;
  readonly #committer: Committer;
  readonly #drops: BrokerDrops;
  readonly #limits: SenderLimits;
  readonly #optional: OptionalSteps;
  readonly #session: IngestSession;
  readonly #connections: ConnectionLoop;
  /** The connection that is not being read because too much waits. */
  #heldBack: MqttConnection | undefined;
  #messagesOfRead = 0;
  /** Messages taken from the inbox and not yet on disk. */
  #underway = 0;
  /** Of the connection that was read last. */
  #acknowledgements: Acknowledgements | undefined;
  /** The read whose messages are coming; undefined before its first one. */
  #read: Read | undefined;
  #isTaking = true;
  readonly #drained: Promise<void>;
  #resolveDrained!: () => void;

  constructor(parts: IngestParts) {
    const { clock, random, log, mqtt, ingest, observer, env, store, record, serverClock } = parts;
    this.#parts = parts;
    this.#drained = new Promise((resolve) => {
      this.#resolveDrained = resolve;
    });
    this.#heartbeat = new LoopHeartbeat(clock, parts.progress, parts.maxIdleMs);
    this.#receipts = new ReceiptSender({ clock, log, observer });
    this.#drops = new BrokerDrops(clock, log);
    const onStored = (stored: readonly Taken[], result: CommitResult | undefined): void => this.#stored(stored, result);
    const onLeft = (left: readonly Taken[]): void => settle(left, 'left');
    const time = (): ServerTime => serverClock.time();
    this.#committer = new Committer({
      store,
      ingest,
      clock,
      random,
      log,
      heartbeat: this.#heartbeat,
      observer,
      onStored,
      onLeft,
      time,
    });
    const onLimited = (kind: LimitedKind, count: number): void => observer.limited(kind, count);
    this.#limits = new SenderLimits({ ingest, clock, log, onLimited });
    this.#optional = new OptionalSteps({ clock, log });
    this.#session = new IngestSession({
      clock,
      log,
      mqtt,
      receipts: this.#receipts,
      optional: this.#optional,
      record,
    });
    this.#connections = new ConnectionLoop({
      mqtt,
      clock,
      random,
      log,
      env,
      heartbeat: this.#heartbeat,
      openConnection: createOpenConnection({ clock }),
      answerTimeoutMs: parts.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
      receiveMaximum: Math.max(RECEIVE_MAXIMUM, ingest.current.batchMessages),
      will: (section) => willOf(section, record),
      incoming: {
        maxPayloadBytes: () => ingest.current.maxPayloadBytes,
        onMessage: (message, connection) => this.#take(message, connection),
        onRead: (bytes, connection) => this.#wasRead(bytes, connection),
      },
      converse: async (connection, opened, signal) =>
        await this.#session.hold(connection, opened, async () => await this.#untilDrained(), signal),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const loops = {
      broker: async (end: AbortSignal) => this.#connections.run(end),
      commits: async (end: AbortSignal) => this.#commits(end),
    };
    await this.#heartbeat.accompany(supervise(loops, signal));
  }

  state(): IngestState {
    const { brokerHost, brokerPort } = this.#parts.mqtt.current;
    const problem = this.#committer.problem();
    return {
      ...this.#connections.state(),
      broker: `${brokerHost}:${brokerPort}`,
      waiting: this.#inbox.length + this.#underway,
      isHeldBack: this.#heldBack !== undefined,
      lastCommitMs: this.#committer.lastCommitMs(),
      ...(problem !== undefined && { storeProblem: problem }),
      brokerDropped: this.#drops.count(),
      leftOut: this.#optional.leftOut(),
    };
  }

  /** A new connection for a new configuration has nothing to wait for; a stop has. */
  async #untilDrained(): Promise<void> {
    if (!this.#isTaking) await this.#drained;
  }

  #take(message: IncomingMessage, connection: MqttConnection): void {
    // At a stop the connection is read on, for the answers to our last words; what is not acknowledged comes again.
    if (!this.#isTaking) return;
    if (message.topic === DROPS_TOPIC) {
      this.#drops.heard(message.payload.toString());
      return;
    }
    this.#read ??= this.#readOn(connection);
    this.#messagesOfRead += 1;
    if (this.#acknowledgements?.connection !== connection) this.#acknowledgements = new Acknowledgements(connection);
    const acknowledgement = this.#acknowledgements.came(message.packetId);
    this.#inbox.put({ raw: message, read: this.#read, acknowledgement });
  }

  #readOn(connection: MqttConnection): Read {
    const { clock, ingest, serverClock } = this.#parts;
    const { maxPayloadBytes } = ingest.current;
    const context = { nowMs: clock.nowMs(), judgedByMs: serverClock.judgedByMs(), maxPayloadBytes };
    return { connection, readMs: clock.monotonicMs(), context };
  }

  #decoded(waiting: Waiting): Taken {
    const { raw, read } = waiting;
    const message = decodeMessage(raw, read.context);
    if (message !== undefined && message.kind !== 'rejected') {
      this.#session.heardFrom(message.homeId, read.connection);
      this.#parts.serverClock.heard(message);
    }
    return { ...waiting, message: message === undefined ? undefined : this.#limits.allowed(message) };
  }

  #wasRead(bytes: number, connection: MqttConnection): void {
    if (this.#messagesOfRead > 0) this.#parts.observer.received(this.#messagesOfRead, bytes);
    this.#messagesOfRead = 0;
    this.#read = undefined;
    this.#inbox.ring();
    const { maxWaiting } = this.#parts.ingest.current;
    if (this.#inbox.length < maxWaiting && this.#inbox.bytes < MAX_WAITING_BYTES) return;
    connection.holdBack();
    this.#heldBack = connection;
  }

  #letComeAgain(): void {
    const { maxWaiting } = this.#parts.ingest.current;
    if (this.#inbox.length > maxWaiting / 2 || this.#inbox.bytes > MAX_WAITING_BYTES / 2) return;
    this.#heldBack?.letCome();
    this.#heldBack = undefined;
  }

  /** Resolves at a stop, when what was taken is on disk or time is up. */
  async #commits(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    const giveUp = new AbortController();
    const over = new AbortController();
    const stop = async (): Promise<void> => {
      this.#isTaking = false;
      this.#heldBack?.letCome();
      this.#heldBack = undefined;
      this.#inbox.ring();
      await clock.sleep(DRAIN_LIMIT_MS, over.signal);
      log.warn(
        { waiting: this.#inbox.length + this.#underway },
        'stopped before all that was taken could be stored; the broker keeps it',
      );
      giveUp.abort(new Error('the time for storing at a stop is up'));
    };
    // Rejects only when it is called off.
    const onAbort = (): void => void stop().catch(() => undefined);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    const gaveUp = new Promise<void>((resolve) =>
      giveUp.signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    try {
      await Promise.race([this.#commitLoop(signal, giveUp.signal), gaveUp]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      over.abort(new Error('stored'));
      this.#resolveDrained();
    }
  }

  /**
   * Group after group. While one is being written the next one is handed on only if it is full: then the store has no pause between
   * the two; otherwise it may still grow. They are reported in order.
   */
  async #commitLoop(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    let before = Promise.resolve();
    try {
      for (;;) {
        if (this.#inbox.length === 0) await before;
        if (this.#inbox.length === 0) {
          if (stop.aborted) return;
          await this.#inbox.arrival();
          continue;
        }
        const { batchMessages } = this.#parts.ingest.current;
        const current = this.#bring(this.#inbox.take(batchMessages, MAX_GROUP_BYTES), before, giveUp);
        // Its failure is met when it is waited for, if not by then another has ended the loop.
        current.catch(() => undefined);
        await (this.#inbox.length >= batchMessages ? before : current);
        before = current;
      }
    } catch (error) {
      if (!giveUp.aborted) throw error;
    }
  }

  async #bring(group: readonly Waiting[], before: Promise<void>, giveUp: AbortSignal): Promise<void> {
    this.#underway += group.length;
    try {
      const taken = group.map((waiting) => this.#decoded(waiting));
      await this.#committer.commit(taken, before, giveUp);
    } finally {
      this.#underway -= group.length;
    }
    this.#letComeAgain();
  }

  /** On disk. Everything that is said of it now leaves in one write. */
  #stored(stored: readonly Taken[], result: CommitResult | undefined): void {
    const { changes, clock, mqtt } = this.#parts;
    settle(stored, 'stored');
    if (result === undefined) return;
    if (mqtt.current.receipts) this.#receipts.stored(result.receipts, stored[0]?.read.readMs ?? clock.monotonicMs());
    if (result.changes.length > 0) changes.publish(result.changes, clock.nowMs());
  }
}
