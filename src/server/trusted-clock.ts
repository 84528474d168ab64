import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Progress } from '../platform/systemd.ts';
import { isBelievable, type ProbeTimeSync } from '../platform/time-sync.ts';
import { type ClockOpinion, createDeviceClocks } from './device-clocks.ts';
import type { IngestMessage } from './store/ingest-store.ts';
import type { ServerTime } from './store/stored.ts';

export interface TrustedClockParts {
  readonly clock: Clock;
  readonly probe: ProbeTimeSync;
  readonly log: Log;
  readonly progress: Progress;
  /** Longest time for which it may idle without a beat. */
  readonly maxIdleMs: number;
}

/** For ingest. */
export interface IngestClock {
  /**
   * By what times in the future are judged: while a step of the clock is in doubt, the lower of what it says and what it said before.
   * Infinite while the clock was never set.
   */
  judgedByMs(): number;
  /** This server's time now, for what has to be noted. */
  time(): ServerTime;
  /** A device spoke; its clock is a second opinion. */
  heard(message: IngestMessage): void;
}

/** Knows whether this machine's wall clock can be believed. */
export interface TrustedClock extends IngestClock {
  /** Whether it was set, and no jump of it is in doubt. */
  isTrusted(): boolean;
  state(): ClockState;
  /** Changes when what was judged by this clock has to be judged again: it was set, or became trustworthy. */
  revision(): number;
  /** Asks once; to be awaited before anything depends on the answer. */
  begin(): Promise<void>;
  /** Loop: asks again and again. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * `ok`: nothing speaks against it. `unset`: the time service says that it is not set yet. `doubted`: it jumped, and nothing has
 * confirmed it since. `contradicted`: several devices, and more than agree with it, say that it is another time.
 */
export interface ClockState {
  readonly kind: 'ok' | 'unset' | 'doubted' | 'contradicted';
  /** For people; absent when `ok`. */
  readonly problem?: string;
}

/** While the clock is not set yet: the first good answer should be noticed soon. */
const ASK_MS = 2_000;
/** Once it is set it stays so until the machine is started again; asked only to be told of a time service that lost its way. */
const ASK_AGAIN_MS = 60_000;
/** A probe asks two programs at most, for five seconds each. */
const PROBE_LIMIT_MS = 15_000;
/** A jump within this is noticed; it costs two readings of a clock. */
const LOOK_MS = 2_000;
/** More than any time service slews between two looks. */
const STEP_MS = 30_000;
/** Where no device says anything about it, a clock that was set is believed when it has stood so long. */
const STEADY_MS = 300_000;
const MS_PER_HOUR = 3_600_000;

/**
 * Asks the machine's time service, watches for jumps, and hears what the clocks of devices say. Where there is nothing to ask (no
 * systemd: a PC, a container), the clock is believed, as the agent does, until it jumps or devices contradict it.
 */
export function createTrustedClock({ clock, probe, log, progress, maxIdleMs }: TrustedClockParts): TrustedClock {
  const devices = createDeviceClocks();
  /** What the time service said last; believed where there is nothing to ask. */
  let isSet = false;
  let isSynced = false;
  let offsetMs = clock.nowMs() - clock.monotonicMs();
  let suspendedMs = clock.suspendedMs();
  /** The wall clock before the jump that is in doubt. */
  let doubted: { readonly offsetMs: number; readonly sinceMs: number; readonly wallMs: number } | undefined;
  let isConfirmed = false;
  let isContradicted = false;
  let revision = 0;

  const opinion = (): ClockOpinion => devices.opinion(clock.monotonicMs(), offsetMs);

  /** A look at both clocks; cheap. */
  const look = (): void => {
    const monotonicMs = clock.monotonicMs();
    const nowOffsetMs = clock.nowMs() - monotonicMs;
    // While the machine was suspended its wall clock went on, and its monotonic clock did not.
    const stepMs = nowOffsetMs - offsetMs - (clock.suspendedMs() - suspendedMs);
    suspendedMs = clock.suspendedMs();
    if (Math.abs(stepMs) >= STEP_MS) {
      log.warn(
        { stepMs: Math.round(stepMs) },
        `the clock of this server was set by ${inWords(stepMs)}; it is in doubt until something confirms it`,
      );
      isConfirmed = false;
      // Of a clock that was never set before, the jump is what was waited for.
      if (isSet) doubted = { offsetMs: doubted?.offsetMs ?? offsetMs, sinceMs: monotonicMs, wallMs: clock.nowMs() };
      revision += 1;
    }
    offsetMs = nowOffsetMs;
  };

  const weigh = (): void => {
    const { agreeing, later, earlier } = opinion();
    const against = Math.max(later, earlier);
    const isSupported = agreeing > 0 && agreeing > against;
    isContradicted = against >= 2 && against > agreeing;
    if (isSupported) isConfirmed = true;
    else if (isContradicted) isConfirmed = false;
    if (doubted === undefined) return;
    const isSteady = against === 0 && clock.monotonicMs() - doubted.sinceMs >= STEADY_MS;
    const isBack = Math.abs(offsetMs - doubted.offsetMs) < STEP_MS;
    if (isSupported || isSteady || isBack) believe();
  };

  const believe = (): void => {
    doubted = undefined;
    revision += 1;
    log.info({}, 'the clock of this machine is confirmed');
  };

  let told: ClockState['kind'] = 'ok';
  const tell = (): void => {
    const now = state();
    if (now.kind === told) return;
    if (now.kind === 'contradicted') log.warn({ ...opinion() }, now.problem ?? '');
    else if (told === 'contradicted')
      log.info({ ...opinion() }, 'devices no longer contradict the clock of this server');
    told = now.kind;
  };

  const state = (): ClockState => {
    if (isContradicted) return { kind: 'contradicted', problem: contradiction(opinion()) };
    if (!isSet) {
      return { kind: 'unset', problem: 'the clock of this machine has not been set by a time service yet' };
    }
    if (doubted !== undefined) {
      return {
        kind: 'doubted',
        problem: `the clock of this server was set by ${inWords(offsetMs - doubted.offsetMs)}, and nothing has confirmed it yet`,
      };
    }
    return { kind: 'ok' };
  };

  const ask = async (): Promise<void> => {
    const before = isSet;
    const inDoubt = doubted;
    // After a jump only a synchronisation that is newer says anything.
    const answer = await probe(inDoubt?.wallMs);
    isSynced = answer === 'synced';
    if (inDoubt !== undefined) {
      if (isSynced && doubted === inDoubt) believe();
      return;
    }
    isSet = isBelievable(answer);
    if (before && !isSet) log.warn({}, 'the clock of this machine is no longer synchronised');
    if (!before && isSet) {
      revision += 1;
      log.debug({}, 'the clock of this machine is believed');
    }
  };

  return {
    isTrusted() {
      look();
      return isSet && doubted === undefined;
    },
    judgedByMs() {
      if (!isSet) return Number.POSITIVE_INFINITY;
      look();
      return clock.monotonicMs() + Math.min(offsetMs, doubted?.offsetMs ?? offsetMs);
    },
    time() {
      look();
      return {
        nowMs: clock.nowMs(),
        bootId: clock.bootId,
        wallMinusMonotonicMs: offsetMs,
        isConfirmed: !isContradicted && doubted === undefined && (isConfirmed || isSynced),
      };
    },
    heard: (message) => devices.heard(message, clock.monotonicMs()),
    state,
    revision: () => revision,
    async begin() {
      await ask();
      if (!isSet)
        log.warn({}, 'the clock of this machine has not been set yet; times in the future are not judged by it');
    },
    async run(signal) {
      let askedMs = clock.monotonicMs();
      for (;;) {
        const waitMs = Math.min(LOOK_MS, maxIdleMs);
        progress.beat(waitMs + PROBE_LIMIT_MS);
        await clock.sleep(waitMs, signal);
        // Before the time service is asked: a jump that it made is not in doubt.
        look();
        const askEveryMs = isSet && doubted === undefined ? ASK_AGAIN_MS : ASK_MS;
        if (clock.monotonicMs() - askedMs >= askEveryMs) {
          askedMs = clock.monotonicMs();
          await ask();
        }
        weigh();
        tell();
      }
    },
  };
}

function contradiction({ agreeing, later, laterByMs, earlier, earlierByMs }: ClockOpinion): string {
  const isLater = later >= earlier;
  const against = isLater ? later : earlier;
  const byMs = isLater ? laterByMs : earlierByMs;
  return (
    `${against} of ${agreeing + later + earlier} devices say that it is ${inWords(byMs)} ${isLater ? 'later' : 'earlier'} than this server's ` +
    'clock says: the clock of this server may be the wrong one. Look at it with "date", and set it'
  );
}

/** `2.0 days`, `9.0 hours`, `45 s`. */
function inWords(ms: number): string {
  const size = Math.abs(ms);
  if (size >= 47.95 * MS_PER_HOUR) return `${(ms / (24 * MS_PER_HOUR)).toFixed(1)} days`;
  return size >= MS_PER_HOUR ? `${(ms / MS_PER_HOUR).toFixed(1)} hours` : `${Math.round(ms / 1000)} s`;
}
