import type { CommitCounts, StoreChange } from '../store/ingest-store.ts';

export const LIMITED_KINDS = ['epoch', 'gap', 'rejected', 'room', 'status'] as const;
/** What one device may bring only so often. */
export type LimitedKind = (typeof LIMITED_KINDS)[number];

export interface Ingest {
  /** Resolves once the signal is aborted, what was taken is stored and acknowledged, and the broker was told; bounded in time. */
  run(signal: AbortSignal): Promise<void>;
  state(): IngestState;
}

/** What ingest says of itself, for health, readiness and the commands. */
export interface IngestState {
  readonly link: 'connecting' | 'connected' | 'stopped';
  /** Monotonic time since which the link is as it is. */
  readonly linkSinceMs: number;
  /** Why there is no connection, for people. */
  readonly linkProblem?: string;
  /** Connections are ended again and again, soon after they began: why, for people. Told until one has lasted. */
  readonly instability?: string;
  /** `host:port`. */
  readonly broker: string;
  /** Messages read from the socket and not yet on disk. */
  readonly waiting: number;
  /** Whether the socket is not being read because too much waits. */
  readonly isHeldBack: boolean;
  /** Wall clock of the last commit that succeeded. */
  readonly lastCommitMs: number | null;
  /** Why the last commit failed; absent when it succeeded. */
  readonly storeProblem?: string;
  /** What the broker says it dropped for subscribers that were slow or away ($SYS); null where it does not say. */
  readonly brokerDropped: number | null;
  /** Optional steps that are left out because the broker ends the connection on them, in sentences for people. */
  readonly leftOut: readonly string[];
}

/** Told of the work as it is done; must not throw. src/server/metrics turns it into figures. */
export interface IngestObserver {
  received(messages: number, bytes: number): void;
  committed(counts: CommitCounts, tookMs: number): void;
  commitFailed(code: string): void;
  /** Receipts handed to the broker; `latencyMs` from the reading of the message to that. */
  receipted(numbers: number, latencyMs: number): void;
  /** One message, item or name of this kind was left out, because its device brought too many of them. */
  limited(kind: LimitedKind): void;
}

/** Where the changes of each commit go, in order; must not throw. */
export interface ChangeSink {
  publish(changes: readonly StoreChange[], nowMs: number): void;
}
