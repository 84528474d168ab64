import { ConfigError, describeProblem } from './config/config-problem.ts';
import type { AcceptedReload, LiveConfig, ReloadHooks, ReloadResult } from './config/live-config.ts';
import type { Log } from './log.ts';
import type { Notifier } from './notify.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { ProgramLog } from './pino-log.ts';
import { createReloadAnswers, type ReloadAnswers } from './reload-answer.ts';
import type { ProcessSignals } from './signals.ts';

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

/** Writes into the log what comes of each reload, whoever asked for it. */
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
