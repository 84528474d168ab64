import type { Clock, Random } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import { LoopHeartbeat, type Progress } from '../../platform/systemd.ts';
import { supervise } from '../../platform/tasks.ts';
import type { IngestSection, MqttSection } from '../config.ts';
import { ConnectionLoop } from '../mqtt/connection-loop.ts';
import { createOpenConnection } from '../mqtt/open-connection.ts';
import type { CommitResult, IngestStore } from '../store/ingest-store.ts';
import type { IngestClock } from '../trusted-clock.ts';
import { CommitLoop } from './commit-loop.ts';
import { Committer } from './committer.ts';
import { decodeMessage } from './decode-message.ts';
import { Inbox, Intake, type Taken, type Waiting } from './inbox.ts';
import type { ChangeSink, Ingest, IngestObserver } from './ingest.ts';
import { BrokerDrops, SenderLimits } from './limits.ts';
import { ReceiptSender, settle } from './receipts.ts';
import { createIngestSteps, IngestSession, leftOutInWords, willOf } from './session.ts';

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

const ANSWER_TIMEOUT_MS = 30_000;
/** Messages that the broker may have on the way to us: enough for the next group to come while one is being written. */
const RECEIVE_MAXIMUM = 1_000;
/**
 *   socket --intake--> inbox --groups--> committer --fsync--> PUBACK to the broker, receipts to the devices, changes to who watches
 *      ^                 |
 *      '-- not read while too much waits
 */
export function createIngest(parts: IngestParts): Ingest {
  const { clock, random, log, mqtt, ingest, observer, env, store, record, serverClock } = parts;
  const heartbeat = new LoopHeartbeat(clock, parts.progress, parts.maxIdleMs);
  const receipts = new ReceiptSender({ clock, log, observer });
  const optional = createIngestSteps(clock, log);
  const session = new IngestSession({ clock, log, mqtt, receipts, optional, record });
  const inbox = new Inbox();
  const drops = new BrokerDrops(clock, log);
  const intake = new Intake({ inbox, drops, ingest, clock, serverClock, observer });
  const limits = new SenderLimits({ ingest, clock, log, onLimited: (kind) => observer.limited(kind) });
  const committer = new Committer({
    store,
    ingest,
    clock,
    random,
    log,
    heartbeat,
    observer,
    onStored: createReport(parts, receipts),
    onLeft: (left) => settle(left, 'left'),
    time: () => serverClock.time(),
  });
  const decode = createDecode({ session, serverClock, limits });
  const commits = new CommitLoop({ inbox, intake, committer, decode, ingest, clock, log });
  const connections = new ConnectionLoop({
    mqtt,
    clock,
    random,
    log,
    env,
    heartbeat,
    openConnection: createOpenConnection({ clock }),
    answerTimeoutMs: parts.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
    receiveMaximum: Math.max(RECEIVE_MAXIMUM, ingest.current.batchMessages),
    will: (section) => willOf(section, record),
    incoming: {
      maxPayloadBytes: () => ingest.current.maxPayloadBytes,
      onMessage: (message, connection) => intake.take(message, connection),
      onRead: (bytes, connection) => intake.wasRead(bytes, connection),
    },
    converse: async (connection, opened, signal) =>
      await session.hold(connection, opened, async () => await commits.drained(), signal),
  });

  return {
    async run(signal) {
      const loops = {
        broker: async (end: AbortSignal) => connections.run(end),
        commits: async (end: AbortSignal) => commits.run(end),
      };
      await heartbeat.accompany(supervise(loops, signal));
    },
    state() {
      const { brokerHost, brokerPort } = mqtt.current;
      const problem = committer.problem();
      return {
        ...connections.state(),
        broker: `${brokerHost}:${brokerPort}`,
        waiting: commits.waiting(),
        isHeldBack: intake.isHeldBack(),
        lastCommitMs: committer.lastCommitMs(),
        ...(problem !== undefined && { storeProblem: problem }),
        brokerDropped: drops.count(),
        leftOut: leftOutInWords(optional),
      };
    },
  };
}

/** What a message says, and whether its sender may still bring that. */
function createDecode({
  session,
  serverClock,
  limits,
}: {
  readonly session: IngestSession;
  readonly serverClock: IngestClock;
  readonly limits: SenderLimits;
}): (waiting: Waiting) => Taken {
  return (waiting) => {
    const { raw, read } = waiting;
    const message = decodeMessage(raw, read.context);
    if (message !== undefined && message.kind !== 'rejected') {
      session.heardFrom(message.homeId, read.connection);
      serverClock.heard(message);
    }
    return { ...waiting, message: message === undefined ? undefined : limits.allowed(message) };
  };
}

/** These messages are on disk. Everything that is said of it now leaves in one write. */
function createReport(
  { changes, clock, mqtt }: IngestParts,
  receipts: ReceiptSender,
): (stored: readonly Taken[], result: CommitResult | undefined) => void {
  return (stored, result) => {
    settle(stored, 'stored');
    if (result === undefined) return;
    if (mqtt.current.receipts) receipts.stored(result.receipts, stored[0]?.read.readMs ?? clock.monotonicMs());
    if (result.changes.length > 0) changes.publish(result.changes, clock.nowMs());
  };
}
