/** What the environment says of the machine under test; README.md beside this folder explains each variable. */
export interface Settings {
  readonly user: string;
  readonly host: string;
  readonly port: number;
  readonly sshKey: string | undefined;
  readonly bundle: string | undefined;
  /** Whether an installation that this suite did not make may be erased. */
  readonly mayErase: boolean;
  readonly mayFillDisk: boolean;
  /** Multiplies every time limit. */
  readonly patience: number;
  readonly results: string | undefined;
  readonly hooks: Hooks;
  /** File here, on the machine that runs the tests, with a row for each conversion that the sensor made. */
  readonly truth: string | undefined;
  /** A user other than root who may use sudo, for an installation over ssh. */
  readonly sudoUser: string | undefined;
}

/** Commands for a shell here that do to the machine what cannot be done from within it. */
export interface Hooks {
  readonly fresh: string | undefined;
  readonly powerCut: string | undefined;
  readonly boot: string | undefined;
  readonly bootInThePast: string | undefined;
  readonly bootOffline: string | undefined;
  readonly fault: string | undefined;
  readonly hangBus: string | undefined;
  readonly freeBus: string | undefined;
}

const PREFIX = 'TECHTEMP_SYSTEM_';

export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const of = (name: string): string | undefined => {
    const value = env[PREFIX + name];
    return value === undefined || value === '' ? undefined : value;
  };
  const target = /^(?:(?<user>[^@]+)@)?(?<host>\[[^\]]+\]|[^:]+)(?::(?<port>\d+))?$/.exec(of('TARGET') ?? '')?.groups;
  if (target === undefined) {
    throw new Error(`${PREFIX}TARGET=[user@]host[:port] names no machine to test on; see test/system/README.md`);
  }
  return {
    user: target['user'] ?? 'root',
    host: (target['host'] ?? '').replace(/^\[|\]$/g, ''),
    port: Number(target['port'] ?? 22),
    sshKey: of('SSH_KEY'),
    bundle: of('BUNDLE'),
    mayErase: of('ERASE') === 'yes',
    mayFillDisk: of('FILL_DISK') === 'yes',
    patience: Number(of('PATIENCE') ?? 1),
    results: of('RESULTS'),
    truth: of('TRUTH'),
    sudoUser: of('SUDO_USER'),
    hooks: {
      fresh: of('FRESH'),
      powerCut: of('POWER_CUT'),
      boot: of('BOOT'),
      bootInThePast: of('BOOT_IN_THE_PAST'),
      bootOffline: of('BOOT_OFFLINE'),
      fault: of('FAULT'),
      hangBus: of('HANG_BUS'),
      freeBus: of('FREE_BUS'),
    },
  };
}

/** The title of scenarios that need something from the environment; it says what is missing when they are skipped. */
export function title(what: string, needed: Readonly<Record<string, unknown>>): string {
  const absent = Object.entries(needed).filter(([, value]) => value === undefined || value === false);
  return absent.length === 0
    ? what
    : `${what} (skipped, not given: ${absent.map(([name]) => PREFIX + name).join(', ')})`;
}
