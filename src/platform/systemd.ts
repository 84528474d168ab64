import type { Clock } from './clock.ts';

/** A word from the program to the service manager. Every call is cheap, never waits, never throws. */
export interface Notifier {
  /**
   * `connected`: systemd listens. `silent`: no program asked for it (no NOTIFY_SOCKET). `missing`: systemd listens, but the optional
   * package sd-notify is not installed, so a Type=notify service would be ended at TimeoutStartSec.
   */
  readonly state: 'connected' | 'silent' | 'missing';
  /** What is wrong and its remedy, one sentence for the log; only when `missing`. */
  readonly problem?: string;
  /** WatchdogSec= of the unit in ms; undefined without a watchdog. */
  readonly watchdogMs: number | undefined;
  /** Started, or the reload has ended (also when it was refused). */
  ready(): void;
  /** A reload begins; `ready()` must follow. */
  reloading(): void;
  stopping(): void;
  /** One line for `systemctl status`. Sent only when it differs from the last one. */
  status(text: string): void;
  watchdog(): void;
  /** Asks for that much more time to start, reload or stop, counted from now. */
  extendTimeout(ms: number): void;
}

export interface NotifierOptions {
  /** NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. libsystemd itself reads the process's own environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Loads the native package; for tests of its absence. */
  readonly load?: () => Promise<SendState>;
}

export type SendState = (state: string) => void;

const USEC_PER_MS = 1000;
/** systemd reads datagrams of at most 4 KiB (NOTIFY_BUFFER_MAX); a status is one line on a screen. */
const STATUS_MAX_CHARACTERS = 400;
const MISSING =
  'systemd waits for this service to say that it is ready (Type=notify), but the package sd-notify is not installed: the start ' +
  'will time out. Remedy: apt-get install libsystemd-dev g++ make, then npm rebuild sd-notify; or Type=exec without WatchdogSec=.';

/** Connects to systemd when it listens (NOTIFY_SOCKET); otherwise every call of the result does nothing. */
export async function createNotifier(options: NotifierOptions): Promise<Notifier> {
  const { env, pid, clock, load = loadSendState } = options;
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return connect('silent', () => undefined, clock, undefined);
  let send: SendState;
  try {
    send = await load();
  } catch {
    return { ...connect('missing', () => undefined, clock, undefined), problem: MISSING };
  }
  return connect('connected', send, clock, watchdogMs(env, pid));
}

function connect(
  state: Notifier['state'],
  send: SendState,
  clock: Pick<Clock, 'monotonicMs'>,
  watchdogLimitMs: number | undefined,
): Notifier {
  let lastStatus = '';
  return {
    state,
    watchdogMs: watchdogLimitMs,
    ready: () => send('READY=1'),
    // Without the time systemd 253 and later cannot tell this reload from an older one: `systemctl reload` then hangs.
    reloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${Math.floor(clock.monotonicMs() * USEC_PER_MS)}`),
    stopping: () => send('STOPPING=1'),
    status: (text) => {
      const line = statusLine(text);
      if (line === lastStatus) return;
      lastStatus = line;
      send(`STATUS=${line}`);
    },
    watchdog: () => send('WATCHDOG=1'),
    extendTimeout: (ms) => send(`EXTEND_TIMEOUT_USEC=${Math.ceil(ms * USEC_PER_MS)}`),
  };
}

/** A line break would start another assignment, such as READY=1. */
function statusLine(text: string): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= STATUS_MAX_CHARACTERS
    ? line
    : `${characters.slice(0, STATUS_MAX_CHARACTERS - 1).join('')}…`;
}

/** As sd_watchdog_enabled(3): only for the process that systemd meant. */
function watchdogMs(env: NotifierOptions['env'], pid: number): number | undefined {
  const wanted = env['WATCHDOG_PID'] ?? '';
  if (wanted !== '' && wanted !== String(pid)) return undefined;
  const usec = env['WATCHDOG_USEC'] ?? '';
  if (!/^[0-9]{1,15}$/.test(usec)) return undefined;
  return Number(usec) > 0 ? Number(usec) / USEC_PER_MS : undefined;
}

/**
 * Of the package only `sendState` is used: its `log` passes the message to printf as the format and crashes on `%`, and its
 * watchdog mode is a bare timer, which would vouch for a program that hangs.
 */
async function loadSendState(): Promise<SendState> {
  const { default: native } = await import('sd-notify');
  return (state) => native.sendState(state);
}

/**
 * How loops prove that they move: each names the time by which it will have moved on, and says so again after finished work.
 * src/platform/systemd.ts feeds systemd only from these words, never from a timer.
 */
export interface Progress {
  /**
   * "I have just finished work, and will say so again within `withinMs`." Feeds the watchdog unless another loop is overdue.
   * An offline broker or an absent sensor is finished work too: a restart cures neither.
   * `nowMs`: the monotonic time, from a caller that has just asked for it.
   */
  beat(withinMs: number, nowMs?: number): void;
  /** The loop ended normally and is no longer waited for. */
  end(): void;
}

export interface WatchdogFeeder {
  /** Longest time for which a loop may idle without a beat (WATCHDOG_USEC / 3), or Infinity without a watchdog. */
  readonly maxIdleMs: number;
  /** Registers a loop by its name; it is waited for from its first beat on. */
  loop(name: string): Progress;
}

/**
 * Says for all lanes of a part that they move. Waiting for a broker or for a reading is no fault, so an idle one
 * beats too; but each piece of work names the longest time it may take, and nothing is said while one has outstayed it.
 */
export class LoopHeartbeat {
  readonly #clock: Clock;
  readonly #progress: Progress;
  readonly #maxIdleMs: number;
  /** Pieces of work that are under way, with the monotonic time by which each is over. */
  readonly #under = new Map<object, number>();

  constructor(clock: Clock, progress: Progress, maxIdleMs: number) {
    this.#clock = clock;
    this.#progress = progress;
    this.#maxIdleMs = maxIdleMs;
  }

  /** Does a piece of work that is over within `limitMs` if all is well. The limit is only watched, not enforced. */
  async during<T>(limitMs: number, work: Promise<T>): Promise<T> {
    const piece = {};
    this.#under.set(piece, this.#clock.monotonicMs() + limitMs);
    try {
      return await work;
    } finally {
      this.#under.delete(piece);
      this.beat();
    }
  }

  /** Something was finished. */
  beat(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const dueMs of this.#under.values()) if (nowMs > dueMs) return;
    this.#progress.beat(this.#maxIdleMs, nowMs);
  }

  /** Runs a loop, and says between its pieces of work that it is idle as intended. */
  async accompany(loop: Promise<void>): Promise<void> {
    const over = new AbortController();
    const idling = this.#idle(over.signal);
    try {
      await loop;
    } finally {
      over.abort();
      await idling;
      this.#progress.end();
    }
  }

  async #idle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.beat();
      await this.#clock.sleep(this.#maxIdleMs, signal).catch(() => undefined);
    }
  }
}

export interface WatchdogParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** WatchdogSec= in ms; undefined without a watchdog: nothing is fed then, but a loop that hangs is still noticed. */
  readonly watchdogMs: number | undefined;
  /** Sends WATCHDOG=1. */
  readonly feed: () => void;
  /** A loop that has outstayed its word holds back the feeding; told once, until it moves again. For the log. */
  readonly onOverdue?: (name: string, overdueMs: number) => void;
  /** It has moved again. */
  readonly onRecovered?: (name: string, overdueMs: number) => void;
}

interface LoopState {
  readonly name: string;
  /** When the loop will have beaten again at the latest; Infinity before its first beat and after its end. */
  dueMs: number;
  reported: boolean;
}

/** Idle loops wake up this often within the watchdog's time: two beats may get lost in a busy machine. */
const IDLE_FRACTION = 1 / 3;
/** Ten beats a second need no ten datagrams. A feed and the next beat are at most 1/4 + 1/3 of the watchdog's time apart. */
const FEED_FRACTION = 1 / 4;
/** A loop sleeps for exactly the time that it has named; so much of the watchdog's time is left to a machine that is busy. */
const GRACE_FRACTION = 1 / 10;
/** The same where there is no watchdog, and only the log is told. */
const GRACE_MS = 10_000;

/**
 * Feeds systemd's watchdog only from finished work. There is no timer here: when every loop hangs, or the event loop itself,
 * no loop beats, and when one of them hangs the beats of the others do not count. A loop counts from its first beat on;
 * until READY it is TimeoutStartSec= that watches over the start.
 */
export function createWatchdogFeeder(parts: WatchdogParts): WatchdogFeeder {
  const { clock, watchdogMs } = parts;
  const graceMs = watchdogMs === undefined ? GRACE_MS : watchdogMs * GRACE_FRACTION;
  const loops: LoopState[] = [];
  let lastFedMs = Number.NEGATIVE_INFINITY;

  const feedUnlessOverdue = (nowMs: number, mayTell: boolean): void => {
    let healthy = true;
    for (const loop of loops) {
      if (nowMs - loop.dueMs <= graceMs) continue;
      healthy = false;
      if (loop.reported || !mayTell) continue;
      parts.onOverdue?.(loop.name, nowMs - loop.dueMs);
      loop.reported = true;
    }
    if (!healthy || watchdogMs === undefined || nowMs - lastFedMs < watchdogMs * FEED_FRACTION) return;
    lastFedMs = nowMs;
    parts.feed();
  };

  return {
    maxIdleMs: watchdogMs === undefined ? Number.POSITIVE_INFINITY : watchdogMs * IDLE_FRACTION,
    loop(name) {
      const loop: LoopState = { name, dueMs: Number.POSITIVE_INFINITY, reported: false };
      loops.push(loop);
      return {
        beat(withinMs, nowMs = clock.monotonicMs()) {
          if (loop.reported) parts.onRecovered?.(name, nowMs - loop.dueMs);
          // A loop that is late itself speaks after the whole process was kept from running: the others come next.
          const isPunctual = nowMs - loop.dueMs <= graceMs;
          loop.reported = false;
          loop.dueMs = nowMs + withinMs;
          feedUnlessOverdue(nowMs, isPunctual);
        },
        end() {
          loop.dueMs = Number.POSITIVE_INFINITY;
          loop.reported = false;
        },
      };
    },
  };
}
