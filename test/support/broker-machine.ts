import { type FreshSystem, freshSystem, PROJECT, type RunOptions, type RunResult } from './fresh-system.ts';

export const DEVICE = 'aht20-abc123';

/** The modules of the installer as bootstrap-pi.sh loads them, with the options of a command line, but not its steps. */
const MODULES = `source <(sed '$d' ${PROJECT}/bootstrap-pi.sh); PROJECT_DIR=${PROJECT}; load_modules; words=$1; shift
parse_options "$@"; catch_failures; open_log; read_password; DEVICE_UID=${DEVICE}; eval "$words"; echo "CHANGES=$CHANGES"`;

export interface Account {
  readonly name: string;
  readonly password: string;
}

/** A machine with a real Mosquitto, on which single steps of the installer are run. */
export class BrokerMachine {
  readonly system: FreshSystem;

  private constructor(system: FreshSystem) {
    this.system = system;
  }

  static async create(): Promise<BrokerMachine> {
    const system = await freshSystem();
    system.sh('getent group techtemp >/dev/null || groupadd --system techtemp');
    return new BrokerMachine(system);
  }

  /** Runs steps of the installer, such as `provide_broker`, with these options. */
  step(words: string, options: readonly string[] = [], run: RunOptions = {}): RunResult {
    return this.system.run('bash', ['--norc', '-c', MODULES, 'bootstrap-pi.sh', words, ...options], run);
  }

  /** As step, but throws where it fails. */
  succeed(words: string, options: readonly string[] = [], run: RunOptions = {}): RunResult {
    const result = this.step(words, options, run);
    if (result.status !== 0) throw new Error(`${words} ended with ${result.status}: ${result.stdout}${result.stderr}`);
    return result;
  }

  /** `--with-broker` for device and server, up to the files in which their passwords are kept; answers the accounts. */
  provide(options: readonly string[] = []): { device: Account; server: Account } {
    const words = 'provide_broker; write_device_config; write_server_config';
    this.succeed(words, ['--with-broker', '--role', 'all', ...options]);
    return {
      device: { name: DEVICE, password: this.credential('techtemp') },
      server: { name: 'techtemp-server', password: this.credential('techtemp-server') },
    };
  }

  credential(unit: string): string {
    return (this.system.read(`/etc/credstore/${unit}.mqtt-password`) ?? '').trim();
  }

  /** What mosquitto_pub says to a message in MQTT 5; empty where the broker takes it. */
  publish(account: Account | undefined, topic: string, port = 1883): string {
    const login = account === undefined ? [] : ['-u', account.name, '-P', account.password];
    const { stdout, stderr } = this.system.run('mosquitto_pub', [
      ...['-h', 'localhost', '-p', String(port), '-V', '5', '-q', '1', '-t', topic, '-m', '[]'],
      ...login,
    ]);
    return `${stdout}${stderr}`.trim();
  }

  /** Whether a message that `speaker` publishes on a topic reaches `listener`. */
  reaches(listener: Account, speaker: Account, topic: string): boolean {
    const say = `-h localhost -p 1883 -V 5 -q 1 -t '${topic}'`;
    const login = ({ name, password }: Account): string => `-u '${name}' -P '${password}'`;
    // A listener that is refused ends by itself; one that hears nothing is given ten seconds from the broker's PUBACK on.
    const script = `rm -f /tmp/heard
      stdbuf -oL mosquitto_sub -d ${say} ${login(listener)} -C 1 >/tmp/heard 2>&1 & listener=$!
      until grep -qs SUBACK /tmp/heard || ! kill -0 "$listener" 2>/dev/null; do sleep 0.05; done
      mosquitto_pub ${say} ${login(speaker)} -m '[]' >/dev/null 2>&1 || :
      for _ in {1..200}; do kill -0 "$listener" || break; sleep 0.05; done 2>/dev/null
      kill "$listener" 2>/dev/null || :
      grep -cx '\\[\\]' /tmp/heard || :`;
    return this.system.sh(script).trim() === '1';
  }

  /** The broker's process; changes when it is restarted. */
  process(): string {
    return this.system.sh('systemctl show -p MainPID --value mosquitto').trim();
  }

  remove(): void {
    this.system.remove();
  }
}
