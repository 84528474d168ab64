import { existsSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../until.ts';
import type { ChaosWorld } from './world.ts';

/** Each remedy may lead to the next message; more than this leads nowhere. */
const MOST_REMEDIES = 8;
const LIMIT_MS = 60_000;
/** A server that cannot store what it has in hand takes ten seconds to stop: mostly it is killed, which must do no harm. */
const STOP_EVERY = 5;

interface Ready {
  readonly status: string;
  readonly parts: Readonly<
    Record<string, { readonly ok: boolean; readonly problem?: string; readonly waiting?: number | null }>
  >;
}

export async function readyOf(
  world: ChaosWorld,
): Promise<{ readonly status: number; readonly body: Ready } | undefined> {
  try {
    const answer = await world.server.get('/ready');
    return { status: answer.status, body: (await answer.json()) as Ready };
  } catch {
    return undefined;
  }
}

/**
 * Makes the server take readings again, as a person would who knows only what it says: starts it, and carries out the remedy that
 * it prints, word for word.
 */
export async function healServer(world: ChaosWorld): Promise<void> {
  for (let remedies = 0; remedies <= MOST_REMEDIES; remedies += 1) {
    if (!world.isServerUp) {
      const refusal = await world.startServer();
      if (refusal !== undefined) {
        await world.server.stop();
        await obey(world, refusal);
        continue;
      }
    }
    const problem = await recordProblem(world);
    if (problem === undefined) return;
    world.note(`/ready says: ${problem}`);
    await world.endServer(world.serverStarts % STOP_EVERY === 0 ? 'SIGTERM' : 'SIGKILL');
    const saved = namedCopy(problem);
    if (saved !== undefined) await decide(world, 'init', '--from', saved);
    else if (!/Restart the server|keep the file|stop the server/i.test(problem)) {
      world.violation(`a problem without a remedy: ${problem}`);
      return;
    }
  }
  world.violation(`after ${MOST_REMEDIES} remedies the server still does not take readings`);
}

/** What is wrong with the record once the server is connected, and what was to be saved is saved; undefined: nothing. */
async function recordProblem(world: ChaosWorld): Promise<string | undefined> {
  let problem: string | undefined;
  await until(
    'the server says how it is',
    async () => {
      const ready = await readyOf(world);
      if (ready === undefined) return false;
      const { database, ingest, broker } = ready.body.parts;
      problem = database?.problem ?? ingest?.problem;
      return problem === undefined ? broker?.ok === true : !problem.includes('is being saved now');
    },
    LIMIT_MS,
  );
  return problem;
}

/** A server that refused to start: what its message says. */
async function obey(world: ChaosWorld, message: string): Promise<void> {
  const saved = namedCopy(message);
  const [, folder] = /make the folder: mkdir -p \\"([^"\\]+)/.exec(message) ?? [];
  if (/Put (back )?the record/.test(message) && world.movedRecord !== undefined && !existsSync(world.recordPath)) {
    world.putRecordBack();
  } else if (folder !== undefined) {
    world.note(`mkdir -p ${folder}`);
    mkdirSync(folder, { recursive: true });
  } else if (saved !== undefined) {
    await decide(world, 'init', '--from', saved);
  } else if (message.includes('init --accept')) {
    world.givenUp.push(process.hrtime.bigint());
    await decide(world, 'init', '--accept');
  } else if (message.includes('init --new-record') || message.includes('init --from FILE')) {
    // There is no backup in these worlds, so a new record is all that is left.
    world.givenUp.push(process.hrtime.bigint());
    await decide(world, 'init', '--new-record');
  } else {
    world.violation('the server refused to start and named no remedy');
  }
}

/** The copy of the record that a remedy names; `FILE` stands for a backup, which these worlds do not have. */
function namedCopy(message: string): string | undefined {
  return /techtemp-server init --from (\/[^\s"]*Z)/.exec(message)?.[1];
}

async function decide(world: ChaosWorld, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await world.command(...args);
  if (code === 0) return;
  if (args.includes('--new-record')) {
    world.violation(
      `a printed remedy does not work: techtemp-server ${args.join(' ')}: exit ${code ?? 'none'}: ${stderr}`,
    );
    await sleep(100);
    return;
  }
  // What lies there is too damaged to be anybody's record.
  world.note('what lies there cannot be taken');
  world.givenUp.push(process.hrtime.bigint());
  await decide(world, 'init', '--new-record');
}
