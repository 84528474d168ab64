import type { Clock } from './clock.ts';

/** A word from the program to the service manager. Every call is cheap, never waits, never throws. */
export interface Notifier {
  /**
   * `connected`: systemd listens. `silent`: nobody asked (no NOTIFY_SOCKET). `missing`: systemd listens, but the optional
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
