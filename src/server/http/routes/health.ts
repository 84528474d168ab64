import type { FastifyRequest } from 'fastify';
import type { IngestState } from '../../ingest/ingest.ts';
import { waitingInWords } from '../../quarantine-review.ts';
import type { QuarantineSummary } from '../../store/audit-store.ts';
import { LARGE_LOG_BYTES, type Store, type StoreHealth } from '../../store/store.ts';
import { largeLog } from '../../store-monitor.ts';
import type { ClockState } from '../../trusted-clock.ts';
import type { HttpParts, RouteFile } from '../parts.ts';
import { Health, Readiness } from '../schemas/record.ts';
import { rightsOf } from '../security/access.ts';
import { verdictAnswer } from '../verdict-answer.ts';

/** A client gives up after some seconds; the answer must come before. */
const HEALTH_LIMIT_MS = 2_000;
/** Messages that wait longer than this for a store that says nothing are stuck: a commit is due every second. */
const STUCK_AFTER_MS = 60_000;

/** What came within this time shows that more is coming. */
const GROWING_MS = 900_000;

const tags = ['server'];

/**
 * /health is liveness: it fails only where a restart may help or a person has to act on the store, because that is what its readers
 * (Docker, a watchdog) do. A record that has lost its place does not fail it, but is told: a restart would close the files that are
 * still open, and the next start would refuse. A broker that is away is not cured by a restart: it is told here and fails readiness, which is what a
 * monitor should watch.
 */
export const addHealthRoutes: RouteFile = (app, parts) => {
  const { store, ingest } = parts;
  app.get(
    '/health',
    {
      config: { access: 'open' },
      schema: {
        tags,
        operationId: 'getHealth',
        summary: 'Liveness: whether a restart is needed',
        response: { 200: Health, 500: Health },
      },
    },
    async (_request, reply) => {
      const { isOk, isLost = false } = await storeHealth(store);
      const { link } = ingest();
      reply.header('cache-control', 'no-store');
      const status = isOk ? 'ok' : isLost ? 'record-lost' : 'failed';
      return reply.code(isOk || isLost ? 200 : 500).send({ status, broker: link });
    },
  );

  app.get(
    '/ready',
    {
      config: { access: 'open' },
      schema: {
        tags,
        operationId: 'getReadiness',
        summary: 'Readiness: whether readings arrive and are stored, part by part',
        description: 'Without the right to read it says which part is not well, not why.',
        response: { 200: Readiness, 503: Readiness },
      },
    },
    async (request, reply) => {
      const health = await storeHealth(store);
      const { minFreeBytes } = parts.storeSettings.current;
      const waits = {
        summary: await quarantineOf(store),
        max: parts.times.maxQuarantine(),
        clock: parts.times.clockState(),
      };
      const full = readiness(ingest(), health, minFreeBytes, parts.clock.nowMs(), waits);
      reply.header('cache-control', 'no-store');
      const answer = (await mayRead(request, parts))
        ? { ...full, ...recordPart(parts), ...backupPart(parts) }
        : terse(full);
      return reply.code(full.status === 'ready' ? 200 : 503).send(answer);
    },
  );
};

/** What waits because of times, and what is known of this server's clock. */
export interface Waits {
  /** Undefined: it could not be found out. */
  readonly summary: QuarantineSummary | undefined;
  readonly max: number;
  readonly clock: ClockState;
}

/** The verdict about the record as it stands; nothing is asked for it. */
function recordPart({ verdicts, clock }: HttpParts): Pick<Readiness, 'record'> {
  if (verdicts === undefined) return {};
  const { outcome, missing, age_s } = verdictAnswer(verdicts.current(), {}, clock.nowMs());
  return { record: { outcome, missing, age_s } };
}

/** The server works without a backup: what is wrong with them is told, and does not change the status. */
function backupPart({ backups, clock }: HttpParts): Pick<Readiness, 'backup'> {
  const report = backups?.();
  if (report === undefined) return {};
  const { newestMs, bytes, problem } = report;
  const ageMs = newestMs === null ? null : Math.max(0, clock.nowMs() - newestMs);
  return {
    backup: {
      age_s: ageMs === null ? null : Math.round(ageMs / 1000),
      bytes,
      ...(problem !== undefined && { warning: problem }),
    },
  };
}

/** What each part says; pure. */
export function readiness(
  ingest: IngestState,
  store: StoreHealth,
  minFreeBytes: number,
  nowMs: number,
  waits: Waits = { summary: undefined, max: Number.POSITIVE_INFINITY, clock: { kind: 'ok' } },
): Readiness {
  const { lastCommitMs, waiting, isHeldBack } = ingest;
  const ageMs = lastCommitMs === null ? null : Math.max(0, nowMs - lastCommitMs);
  const parts = {
    database: {
      ...withProblem(store.isOk ? undefined : (store.problem ?? 'the store does not work')),
      ...(store.isOk && isLogLarge(store) && { warning: largeLog(store.logBytes ?? 0) }),
      log_bytes: store.logBytes ?? null,
    },
    broker: {
      ...withProblem(ingest.link === 'connected' ? ingest.instability : brokerProblem(ingest)),
      ...(ingest.leftOut.length > 0 && { left_out: [...ingest.leftOut] }),
    },
    ingest: {
      ...withProblem(
        ingest.storeProblem ??
          (waiting > 0 && ageMs !== null && ageMs > STUCK_AFTER_MS ? stuck(waiting, ageMs) : undefined),
      ),
      last_commit_age_s: ageMs === null ? null : Math.round(ageMs / 1000),
      waiting,
      held_back: isHeldBack,
    },
    quarantine: quarantinePart(waits, nowMs),
    clock: clockPart(waits.clock),
    disk: {
      ...withProblem(
        store.freeBytes !== null && store.freeBytes < minFreeBytes ? tooFull(store.freeBytes, minFreeBytes) : undefined,
      ),
      free_bytes: store.freeBytes,
    },
  };
  const isReady = Object.values(parts).every(({ ok }) => ok);
  return { status: isReady ? 'ready' : 'not-ready', parts };
}

function isLogLarge({ logBytes = null }: StoreHealth): boolean {
  return logBytes !== null && logBytes > LARGE_LOG_BYTES;
}

/** Not well while it grows or is full: readings come and are not among the readings. What has long waited is told. */
function quarantinePart({ summary, max }: Waits, nowMs: number): Readiness['parts']['quarantine'] {
  if (summary === undefined) return { ok: true, waiting: null };
  const { waiting, newestForTimeMs } = summary;
  if (waiting === 0) return { ok: true, waiting };
  if (waiting >= max) {
    const problem = `${waiting} readings wait in quarantine, and there is room for ${max}: devices keep what would have to wait. Release or drop some`;
    return { ok: false, problem, waiting };
  }
  const isGrowing = newestForTimeMs !== null && Math.abs(nowMs - newestForTimeMs) < GROWING_MS;
  return isGrowing
    ? { ok: false, problem: waitingInWords(waiting), waiting }
    : { ok: true, note: waitingInWords(waiting), waiting };
}

function clockPart({ kind, problem }: ClockState): Readiness['parts']['clock'] {
  if (kind === 'contradicted') return { ok: false, problem: problem ?? kind };
  return problem === undefined ? { ok: true } : { ok: true, note: problem };
}

async function quarantineOf(store: Pick<Store, 'quarantineSummary'>): Promise<QuarantineSummary | undefined> {
  return await store.quarantineSummary().catch(() => undefined);
}

function withProblem(problem: string | undefined): { ok: boolean; problem?: string } {
  return problem === undefined ? { ok: true } : { ok: false, problem };
}

function brokerProblem({ broker, linkProblem, link }: IngestState): string {
  const why = linkProblem ?? (link === 'stopped' ? 'stopped' : 'connecting');
  return `no connection to the broker ${broker}: ${why}`;
}

function stuck(waiting: number, ageMs: number): string {
  return `${waiting} messages wait and nothing was stored for ${Math.round(ageMs / 1000)} s`;
}

function tooFull(freeBytes: number, minFreeBytes: number): string {
  return `${megabytes(freeBytes)} MB free on the store's disk, less than store.min_free_mb = ${megabytes(minFreeBytes)}`;
}

function megabytes(bytes: number): number {
  return Math.floor(bytes / (1024 * 1024));
}

/** A store that throws or does not answer does not work, like one that says so. */
async function storeHealth(store: Pick<Store, 'health'>): Promise<StoreHealth> {
  try {
    return await store.health(HEALTH_LIMIT_MS);
  } catch (error) {
    return { isOk: false, problem: (error as Error).message, schemaVersion: 0, sizeBytes: 0, freeBytes: null };
  }
}

/** Never fails: a store that cannot look up tokens must still be reported. */
async function mayRead(request: FastifyRequest, parts: HttpParts): Promise<boolean> {
  const rights = await rightsOf(request, parts).catch(() => 'none' as const);
  return rights === 'read' || rights === 'write';
}

function terse({ status, parts }: Readiness): Readiness {
  const only = ({ ok }: { readonly ok: boolean }): { ok: boolean } => ({ ok });
  return {
    status,
    parts: {
      database: only(parts.database),
      broker: only(parts.broker),
      ingest: only(parts.ingest),
      quarantine: only(parts.quarantine),
      clock: only(parts.clock),
      disk: only(parts.disk),
    },
  };
}
