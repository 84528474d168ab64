import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../../src/platform/clock.ts';
import { until } from '../until.ts';
import { type Account, accountOf } from './account.ts';
import { ACTIONS, type Action } from './actions.ts';
import { gather } from './gather.ts';
import { healServer, readyOf } from './heal.ts';
import { ReadyWatch } from './ready-watch.ts';
import { ChaosWorld, UID } from './world.ts';

const FEWEST_ACTIONS = 3;
const MOST_ACTIONS = 5;
const LONGEST_PAUSE_MS = 700;
const FIRST_READINGS = 40;
/** Without a receipt for so long nothing is on its way any more. */
const QUIET_MS = 600;
const LONGEST_DELIVERY_MS = 10_000;
const LIMIT_MS = 60_000;

export interface ChaosEnd {
  readonly violations: readonly string[];
  readonly account: Account;
  readonly given: number;
  readonly answers: number;
  readonly outcome: string;
  /** Losses that are not promised against; see `excusedUntil`. */
  readonly documented: number;
  readonly report: string;
}

export interface ChaosOptions {
  readonly random: Random;
  /** Default: drawn. */
  readonly actions?: readonly Action[];
  /** Called when everything is delivered and the programs have not ended yet: to plant a fault. */
  readonly atTheEnd?: (world: ChaosWorld) => void;
}

interface Verdict {
  readonly outcome: string;
  readonly summary: { readonly missing: number; readonly holes: number };
}

/** One life of a sensor: some seconds of readings among what goes wrong, then everything is put right, and the account. */
export async function runChaos({ random, actions = drawn(random), atTheEnd }: ChaosOptions): Promise<ChaosEnd> {
  const world = await ChaosWorld.start();
  const watch = new ReadyWatch(world);
  try {
    await Promise.all([world.startServer(), world.startAgent()]);
    await until('the server is ready', async () => (await readyOf(world))?.status === 200, LIMIT_MS);
    await world.tap.listen(UID);
    watch.begin();
    await until('the first readings are receipted', () => world.tap.receipted.length >= FIRST_READINGS, LIMIT_MS);
    for (const action of actions) {
      await sleep(random() * LONGEST_PAUSE_MS);
      world.note(`= ${action.name}`);
      await action({ world, watch, random });
    }
    await putRight(world, watch);
    atTheEnd?.(world);
    const verdict = await askVerify(world);
    await checkReady(world);
    await watch.end();
    await world.endServer('SIGTERM');
    await world.endAgent('SIGTERM');
    return await judge(world, watch, verdict);
  } catch (error) {
    await watch.end();
    throw new Error(`${String(error)}\n${world.report()}`);
  } finally {
    await watch.end();
    await world.dispose();
  }
}

function drawn(random: Random): readonly Action[] {
  const count = FEWEST_ACTIONS + Math.floor(random() * (MOST_ACTIONS - FEWEST_ACTIONS + 1));
  return Array.from({ length: count }, () => ACTIONS[Math.floor(random() * ACTIONS.length)]!);
}

/** Clocks, programs, and record by the printed remedies; then the sensor measures no more, and what waits is delivered. */
async function putRight(world: ChaosWorld, watch: ReadyWatch): Promise<void> {
  world.note('= everything is put right');
  world.setServerClock(0);
  world.setAgentClock(0);
  watch.checkReceipts();
  await healServer(world);
  // Readings are given again at most once an hour, however often the record was another one; a start of the agent begins anew.
  if (world.recordsMade > 1) await world.endAgent('SIGTERM');
  await world.startAgent();
  const before = world.tap.receipted.length;
  await until('readings flow at the end', () => world.tap.receipted.length > before, LIMIT_MS).catch(() =>
    world.violation(`everything is right, and no reading has its receipt within ${LIMIT_MS / 1000} s`),
  );
  // No measurement begins any more; one that has begun is read to its end.
  await world.emulator.fault('nack', { on: 'write' });
  const end = Date.now() + LONGEST_DELIVERY_MS;
  for (let count = -1; count !== world.tap.receipted.length && Date.now() < end; ) {
    count = world.tap.receipted.length;
    await sleep(QUIET_MS);
  }
  await healServer(world);
}

async function askVerify(world: ChaosWorld): Promise<Verdict> {
  const { code, stdout, stderr } = await world.server.command('verify', '--json');
  if (code !== 0 && code !== 1) {
    world.violation(`techtemp-server verify: exit ${code ?? 'none'}: ${stderr}`);
    return { outcome: 'none', summary: { missing: 0, holes: 0 } };
  }
  const verdict = JSON.parse(stdout) as Verdict;
  world.note(`verify: exit ${code}, ${verdict.outcome}, ${JSON.stringify(verdict.summary)}`);
  return verdict;
}

/** Everything is right: "ready", or the one thing that still waits is named. */
async function checkReady(world: ChaosWorld): Promise<void> {
  let said = '';
  const isWell = async (): Promise<boolean> => {
    const ready = await readyOf(world);
    said = JSON.stringify(ready?.body);
    const wrong = Object.entries(ready?.body.parts ?? { none: { ok: false } }).filter(([, { ok }]) => !ok);
    return wrong.every(([name, { waiting }]) => name === 'quarantine' && (waiting ?? 0) > 0);
  };
  await until('/ready is content', isWell, LIMIT_MS).catch(() =>
    world.violation(`everything is right, and /ready is not content: ${said}`),
  );
}

async function judge(world: ChaosWorld, watch: ReadyWatch, verdict: Verdict): Promise<ChaosEnd> {
  const { evidence, epochs } = await gather(world);
  const account = accountOf(evidence);
  for (const double of account.doubled) world.violation(`twice in the record: ${double}`);
  for (const foreign of account.foreign) world.violation(`in the record and never measured: ${foreign}`);
  const lossesUntil = excusedUntil(world);
  const when = new Map(evidence.given.map(({ sample, ns }) => [sample, ns]));
  const isDocumented = account.lostSamples.every((sample) => when.get(sample)! <= lossesUntil);
  if (!isDocumented) for (const lost of account.lost) world.violation(`lost without a word: ${lost}`);
  if (account.holes.length > 0 && (!isDocumented || lossesUntil === 0))
    world.violation(`numbers of which no record tells: ${inShort(account.holes)}`);
  const holes = account.holes.filter((hole) => epochs.has(hole.split('/')[0]!));
  if (holes.length > 0 && verdict.outcome === 'whole')
    world.violation(`verify says "whole", and these are missing: ${inShort(holes)}`);
  world.note(`account: ${JSON.stringify({ ...account, lostSamples: undefined })}`);
  return {
    violations: world.violations,
    account,
    given: evidence.given.length,
    answers: watch.answers,
    outcome: verdict.outcome,
    documented: isDocumented ? account.lostSamples.length : 0,
    report: world.report(),
  };
}

/**
 * What is not promised, and until when: readings that only a record held that was given up, when the journal's files were removed too;
 * and readings in a log that was cut under a server that was killed before its next commit. CLOCK_MONOTONIC in ns.
 */
function excusedUntil({ hasCutJournal, givenUp, cutUnseen }: ChaosWorld): number {
  return Math.max(0, ...[...cutUnseen, ...(hasCutJournal ? givenUp : [])].map(Number));
}

function inShort(numbers: readonly string[]): string {
  return `${numbers.slice(0, 10).join(', ')}${numbers.length > 10 ? ` and ${numbers.length - 10} more` : ''}`;
}
