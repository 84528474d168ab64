import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../platform/clock.ts';
import { createLiveValue, type Live, type LiveValue } from '../platform/live.ts';
import { waitAny } from '../platform/tasks.ts';
import { createFileHints, fileStamp, readConfigFile, readSettled, SETTLE_TIMES, type SettleTimes } from './file.ts';
import { type ConfigText, readConfigText } from './ini.ts';
import type { Overridden } from './load.ts';
import { ConfigError, type ConfigProblem, describeOrigin, describeProblem } from './problem.ts';

/** A configuration that follows its file while the program runs. */
export interface LiveConfig<T extends object> {
  /** What is in force, whole; frozen. */
  readonly current: T;
  /** One section: changes only when something in it does. The same object for every caller. */
  section<K extends keyof T>(name: K): Live<T[K]>;
  /**
   * Reads the file again once it lies still (at once, if it has not changed since it was last read). Requests that come
   * while one is running share the next one, so each is answered from a look at the file after it was made.
   */
  reload(reason: string): Promise<ReloadResult>;
  /** Whether the file is what is in force; its `version` counts the changes of that. */
  readonly health: Live<ConfigHealth>;
  state(): ConfigHealth;
  /** Loop: reloads when the file changes. Ends with the signal only. */
  watch(signal: AbortSignal): Promise<void>;
}

export interface ConfigHealth {
  /** `rejected`: the file is bad or gone, an earlier content of it is in force. */
  readonly state: 'ok' | 'rejected';
  /** The first problem, on one line. */
  readonly error?: string;
}

export type ReloadResult = AcceptedReload | RejectedReload;

interface ReloadBase {
  /** Who asked, for the log; several are joined. */
  readonly reason: string;
  /** Counts the configurations that were in force, from 0. */
  readonly generation: number;
  readonly warnings: readonly ConfigProblem[];
  readonly problems: readonly ConfigProblem[];
}

export interface AcceptedReload extends ReloadBase {
  /** `unchanged`: a good file that says what is in force already, perhaps after a bad one. */
  readonly outcome: 'applied' | 'unchanged';
  /** Names of the sections that changed. */
  readonly changed: readonly string[];
  /** Keys (`section.key`) whose new value waits for the next start of the program. */
  readonly needsRestart: readonly string[];
  /** Keys that were edited without an effect, for people: `mqtt.tls (device.conf:7) by environment variable TECHTEMP_MQTT_TLS`. */
  readonly overridden: readonly string[];
}

export interface RejectedReload extends ReloadBase {
  readonly outcome: 'rejected';
  readonly error: ConfigError;
}

/** Called once per reload, after its effect. They must not throw. */
export interface ReloadHooks {
  readonly onApplied?: (result: AcceptedReload) => void;
  readonly onUnchanged?: (result: AcceptedReload) => void;
  readonly onRejected?: (result: RejectedReload) => void;
}

export interface LiveConfigOptions<T extends object> extends ReloadHooks {
  /** Absent: there is no file, the configuration never changes. */
  readonly path?: string | undefined;
  readonly clock: Clock;
  /** Makes a frozen configuration of the file. @throws ConfigError */
  readonly interpret: (file: ConfigText | undefined) => Promise<Interpreted<T>>;
  readonly times?: SettleTimes | undefined;
  /** Ends reloads that are waiting for the file to lie still. */
  readonly signal?: AbortSignal | undefined;
}

export interface Interpreted<T> {
  readonly config: T;
  readonly warnings: readonly ConfigProblem[];
  /** Keys (`section.key`) of the file that this configuration does not follow: their new value waits for the next start. */
  readonly needsRestart?: readonly string[];
  /** Keys of the file that something else overrides. */
  readonly overridden?: readonly Overridden[];
}

/** The look at a file that is watched: for file systems that tell nothing (network, overlay), and as the safety net. */
const POLL_MS = 30_000;
/** The same while a folder cannot be watched: it may come back any time. */
const BLIND_POLL_MS = 2_000;
/** One save makes several hints; another file in the folder may make thousands. */
const HINT_PAUSE_MS = 50;
const DAY_MS = 86_400_000;

type Sections<T> = { readonly [K in keyof T]: LiveValue<T[K]> };

/** @throws ConfigError when the file cannot be used at the start: then nothing runs on it */
export async function openLiveConfig<T extends object>(options: LiveConfigOptions<T>): Promise<LiveConfig<T>> {
  const { path, clock, interpret, times = SETTLE_TIMES, signal } = options;
  let lastStamp = path === undefined ? undefined : await fileStamp(path);
  const firstFile = path === undefined ? undefined : await readConfigFile(path);
  const first = await interpret(firstFile);

  const sections = mapSections(first.config);
  const health = createLiveValue<ConfigHealth>({ state: 'ok' });
  let current = first.config;
  let generation = 0;
  let acceptedNames = namesIn(firstFile);
  let inVain = textsByName(first.overridden);
  let reasons = new Set<string>();
  let running: Promise<unknown> = Promise.resolve();
  let queued: Promise<ReloadResult> | undefined;

  const readAndInterpret = async (): Promise<Interpreted<T>> => {
    if (path === undefined) return await interpret(undefined);
    const looksCutShort = (text: ConfigText): boolean => couldBeCutShort(text, acceptedNames);
    const { stamp, result } = await readSettled(path, { clock, times, lastStamp, looksCutShort, signal });
    lastStamp = stamp;
    if (result instanceof ConfigError) throw result;
    const interpreted = await interpret(result);
    acceptedNames = namesIn(result);
    return interpreted;
  };

  const apply = (interpreted: Interpreted<T>, reason: string): AcceptedReload => {
    const { config, warnings, needsRestart = [], overridden = [] } = interpreted;
    const edited = overridden.filter(({ name, text }) => inVain.get(name) !== text);
    inVain = textsByName(overridden);
    const changed = (Object.keys(sections) as (keyof T & string)[]).filter(
      (name) => !isDeepStrictEqual(sections[name].current, config[name]),
    );
    // All of them before anyone who waits can run, so that no part ever sees half of a change.
    for (const name of changed) sections[name].set(config[name]);
    if (changed.length > 0) {
      generation += 1;
      current = Object.freeze(Object.fromEntries(Object.keys(sections).map(currentOf))) as T;
    }
    health.set({ state: 'ok' });
    return {
      outcome: changed.length > 0 ? 'applied' : 'unchanged',
      reason,
      generation,
      warnings,
      problems: [],
      changed,
      needsRestart,
      overridden: edited.map(({ name, origin, by }) => `${name} (${describeOrigin(origin)}) by ${describeOrigin(by)}`),
    };
  };
  const currentOf = (name: string): [string, unknown] => [name, sections[name as keyof T].current];

  const reject = (error: ConfigError, reason: string): RejectedReload => {
    const [problem] = error.problems;
    health.set({ state: 'rejected', error: problem === undefined ? error.message : describeProblem(problem) });
    return { outcome: 'rejected', reason, generation, warnings: [], problems: error.problems, error };
  };

  const reloadOnce = async (): Promise<ReloadResult> => {
    const reason = [...reasons].join(', ');
    reasons = new Set();
    try {
      const result = apply(await readAndInterpret(), reason);
      if (result.outcome === 'applied') options.onApplied?.(result);
      else options.onUnchanged?.(result);
      return result;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const result = reject(error, reason);
      options.onRejected?.(result);
      return result;
    }
  };

  const reloadAfterRunning = async (): Promise<ReloadResult> => {
    await running.catch(() => undefined);
    queued = undefined;
    const work = reloadOnce();
    running = work;
    return await work;
  };

  const live: LiveConfig<T> = {
    get current() {
      return current;
    },
    section: (name) => sections[name],
    reload(reason) {
      reasons.add(reason);
      queued ??= reloadAfterRunning();
      return queued;
    },
    health,
    state: () => health.current,
    async watch(watchSignal) {
      if (path === undefined) for (;;) await clock.sleep(DAY_MS, watchSignal);
      const files = createFileHints(path);
      try {
        for (;;) {
          // Counted before looking: what happens from here on wakes the wait below.
          const seen = files.hints.version;
          const armed = await files.arm();
          while ((await fileStamp(path)) !== lastStamp) {
            watchSignal.throwIfAborted();
            await live.reload('the file changed');
          }
          await waitAny(watchSignal, [
            (waitSignal) => clock.sleep(armed ? POLL_MS : BLIND_POLL_MS, waitSignal),
            (waitSignal) => files.hints.changed(seen, waitSignal),
          ]);
          await clock.sleep(HINT_PAUSE_MS, watchSignal);
        }
      } finally {
        files.close();
      }
    },
  };
  return live;
}

function textsByName(overridden: readonly Overridden[] = []): ReadonlyMap<string, string> {
  return new Map(overridden.map(({ name, text }) => [name, text]));
}

function mapSections<T extends object>(config: T): Sections<T> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, createLiveValue(value)]),
  ) as Sections<T>;
}

/**
 * Content that ends in the middle of a line, or has lost a section or key of the file that is in force, may be the beginning
 * of a file that is still being written; taken for the whole, the lost keys would fall back to their defaults.
 */
function couldBeCutShort(text: ConfigText, acceptedNames: ReadonlySet<string>): boolean {
  if (readConfigText(text).endsInMidLine) return true;
  const names = namesIn(text);
  return [...acceptedNames].some((name) => !names.has(name));
}

function namesIn(text: ConfigText | undefined): ReadonlySet<string> {
  if (text === undefined) return new Set();
  const { sections, entries } = readConfigText(text);
  return new Set([
    ...sections.map(({ name }) => `[${name}]`),
    ...entries.map(({ section, key }) => `${section}.${key}`),
  ]);
}
