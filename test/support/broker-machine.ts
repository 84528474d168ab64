import { type FreshSystem, freshSystem, PROJECT, type RunResult } from './fresh-system.ts';

/** The modules of the installer as bootstrap-pi.sh loads them, with the options of the command line, but without its steps. */
const MODULES = `source <(sed '$d' ${PROJECT}/bootstrap-pi.sh); PROJECT_DIR=${PROJECT}; load_modules; words=$1; shift
parse_options "$@"; catch_failures; open_log; read_password; DEVICE_UID=\${DEVICE_UID:-aht20-abc123}; eval "$words"`;

/** A machine with a real Mosquitto, on which single steps of the installer are run. */
export class BrokerMachine {
  readonly system: FreshSystem;

  private constructor(system: FreshSystem) {
    this.system = system;
  }

  static async create(): Promise<BrokerMachine> {
    return new BrokerMachine(await freshSystem());
  }

  /** Runs steps of the installer, such as `provide_broker`, with these options. */
  step(words: string, ...options: readonly string[]): RunResult {
    return this.system.run('bash', ['-c', MODULES, 'bootstrap-pi.sh', words, ...options]);
  }
}
