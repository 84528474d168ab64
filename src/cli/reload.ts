import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AcceptedReload, LiveConfig, ReloadHooks, ReloadResult } from '../config/live.ts';
import { ConfigError, describeProblem } from '../config/problem.ts';
import { writeFileAtomic } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';
import type { ProgramLog } from '../platform/pino-log.ts';
import type { ProcessSignals } from '../platform/signals.ts';
import type { Notifier } from '../platform/systemd.ts';
import { oneAtATime } from '../platform/tasks.ts';

export interface ReloadParts {
  readonly config: Pick<LiveConfig<object>, 'reload'>;
  readonly signals: ProcessSignals;
  readonly notifier: Notifier;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** From now on SIGHUP reads the configuration again, tells systemd, and leaves the answer for `systemctl reload`. */
export function reloadOnSignal({ config, signals, notifier, log, env }: ReloadParts): void {
  const answers = createReloadAnswers(env['RUNTIME_DIRECTORY']);
  signals.onReload(oneAtATime(() => reload(() => config.reload('SIGHUP'), notifier, answers, log)));
}

/** Logs the result of each reload. */
export function reloadHooks(log: Log): Required<ReloadHooks> {
  const taken = (result: ReloadResult): void => {
    for (const warning of result.warnings) log.warn({}, describeProblem(warning));
    log.info({ reason: result.reason, generation: result.generation }, outcomeText(result));
  };
  return {
    onApplied: taken,
    onUnchanged: taken,
    onRejected: (result) => {
      for (const problem of result.problems) log.error({}, describeProblem(problem));
      log.error({ reason: result.reason }, 'the edited configuration was refused; the one in force stays');
    },
  };
}

/** Resolves with the configuration, or with undefined after having said in the log and to systemd why there is none. */
export async function openOrExplain<T>(open: Promise<T>, log: ProgramLog, notifier: Notifier): Promise<T | undefined> {
  try {
    return await open;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) log.fatal({}, describeProblem(problem));
    if (error.problems.length === 0) log.fatal({}, error.message);
    notifier.status(`can't start: ${error.message}`);
    return undefined;
  }
}

async function reload(
  read: () => Promise<ReloadResult>,
  notifier: Notifier,
  answers: ReloadAnswers,
  log: Log,
): Promise<void> {
  notifier.reloading();
  const question = await answers.question();
  const result = await read();
  notifier.ready();
  const message =
    result.outcome === 'rejected'
      ? result.problems.map(describeProblem).join('\n')
      : [...result.warnings.map(describeProblem), outcomeText(result)].join('\n');
  const { outcome, generation } = result;
  await answers.answer(question, { result: outcome, generation, message }).catch((error: unknown) => {
    log.warn({ err: error }, 'the answer to systemctl reload could not be written');
  });
}

function outcomeText(result: ReloadResult): string {
  switch (result.outcome) {
    case 'applied': {
      const changed = result.changed.map((name) => `[${name}]`).join(', ');
      return `in force: a new configuration (changed: ${changed})${restartText(result.needsRestart)}${overriddenText(result)}`;
    }
    case 'unchanged':
      if (result.needsRestart.length > 0) {
        return `nothing else has changed${restartText(result.needsRestart)}${overriddenText(result)}`;
      }
      return result.overridden.length === 0
        ? 'the configuration says what is in force already'
        : `nothing has changed${overriddenText(result)}`;
    case 'rejected':
      return 'refused';
  }
}

/** An edit that does nothing, and who is in its way. */
function overriddenText({ overridden }: AcceptedReload): string {
  return overridden.length === 0 ? '' : `; without effect, since overridden: ${overridden.join(', ')}`;
}

function restartText(keys: readonly string[]): string {
  return keys.length === 0 ? '' : `; needs a restart: ${keys.join(', ')}`;
}

/**
 * How `systemctl reload` learns what came of a reload. systemd/techtemp-reload leaves a random word in `reload-request`,
 * sends SIGHUP, and waits for that word in `reload-answer`:
 *
 *     request 3f0c8f9e-7d0e-4c5b-9f0e-2f4b1f6e3a11
 *     generation 7
 *     result rejected
 *     /etc/techtemp/device.conf:12: read_interval_seconds = "soon": ...
 *
 * The word is read before the config is, so an answer with it speaks of the file as it was after the question.
 */
export interface ReloadAnswers {
  /** Called before the config is read. Never throws. Hand its result to `answer`. */
  question(): Promise<ReloadQuestion>;
  /** Called when the outcome is known, after READY=1; one at a time, in the order of the questions. Throws what the file system throws. */
  answer(question: ReloadQuestion, outcome: ReloadOutcome): Promise<void>;
}

export interface ReloadQuestion {
  readonly request: string;
}

export interface ReloadOutcome {
  /** `unchanged`: a good file with nothing new in it. */
  readonly result: 'applied' | 'unchanged' | 'rejected';
  /** Counts the configurations that were in force; it stays where it is when a file is rejected. */
  readonly generation: number;
  /** For people: what changed, or each fault on a line of its own. */
  readonly message: string;
}

const REQUEST_FILE = 'reload-request';
const ANSWER_FILE = 'reload-answer';
/** There was no question yet: the file itself has changed. */
const NO_REQUEST = 'none';
const REQUEST_WORD = /^[\w-]{1,64}$/;

/** `runtimeDirectory`: $RUNTIME_DIRECTORY; without one no program waits for an answer, and none is written. */
export function createReloadAnswers(runtimeDirectory: string | undefined): ReloadAnswers {
  if (runtimeDirectory === undefined || runtimeDirectory === '') {
    return { question: async () => Promise.resolve({ request: NO_REQUEST }), answer: async () => Promise.resolve() };
  }
  return {
    async question() {
      const word = await readFile(join(runtimeDirectory, REQUEST_FILE), 'utf8').catch(() => '');
      return { request: REQUEST_WORD.test(word.trim()) ? word.trim() : NO_REQUEST };
    },
    async answer({ request }, { result, generation, message }) {
      const lines = [`request ${request}`, `generation ${generation}`, `result ${result}`, message.trimEnd(), ''];
      await writeFileAtomic(join(runtimeDirectory, ANSWER_FILE), lines.join('\n'), { durable: 'no' });
    },
  };
}
