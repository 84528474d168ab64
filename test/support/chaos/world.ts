import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Emulator, startEmulator } from '../emulator.ts';
import { type PipedChild, startUnderEmulator } from '../emulator-child.ts';
import { fakeClockEnv } from '../faketime.ts';
import { Mosquitto } from '../mosquitto.ts';
import { type CommandEnd, ServerProcess } from '../server-process.ts';
import { Tap } from './tap.ts';

export const UID = 'aht20-f49c53';
const AGENT = resolve(import.meta.dirname, '../children/compressed-agent.ts');
/** A second of the agent is 125 ms here. */
const SPEED = 8;
/** Each row is another value with two decimals, from 5 to 55 °C; a run takes some hundred. */
const ROWS = 5_000;
const LOWEST_CENTI = 500;
const SECONDS_PER_DAY = 86_400;
const LONGEST_STOP_MS = 60_000;

/** Which conversion a stored temperature is. */
export function sampleOf(temperatureCelsius: number): number {
  return Math.round(temperatureCelsius * 100) - LOWEST_CENTI;
}

/** Sensor, agent, broker and server as real programs in folders of their own, and what was done to them. */
export class ChaosWorld {
  readonly folder: string;
  readonly emulator: Emulator;
  readonly broker: Mosquitto;
  readonly server: ServerProcess;
  readonly tap: Tap;
  readonly timeline: string[] = [];
  /** What the oracle found. */
  readonly violations: string[] = [];
  /** Of agents that were killed. */
  readonly killed = new Set<number>();
  /** Where the record's files were moved to. */
  movedRecord: string | undefined;
  /** Files of the journal were removed, so that what was receipted cannot be given again. */
  hasCutJournal = false;
  /** When a remedy gave up readings of the record: an older state, or a new record. */
  readonly givenUp: bigint[] = [];
  /** When the log was cut under a server that was killed before it could notice: the log looks as after a power cut then. */
  readonly cutUnseen: bigint[] = [];
  /** How often the record got another identity. */
  recordsMade = 0;
  /** Databases that a command has set aside by name. */
  readonly setAside: string[] = [];
  isServerUp = false;
  isAgentUp = false;
  isBrokerUp = true;
  serverStarts = 0;
  serverLog = '';
  agentLog = '';
  readonly #beganMs = performance.now();
  /** All agents of a run agree on the time. */
  readonly #anchorMs = Date.now();
  #agent: PipedChild | undefined;
  #agentClock = 0;
  #serverClockSteps = 0;

  private constructor(parts: {
    folder: string;
    emulator: Emulator;
    broker: Mosquitto;
    server: ServerProcess;
    tap: Tap;
  }) {
    this.folder = parts.folder;
    this.emulator = parts.emulator;
    this.broker = parts.broker;
    this.server = parts.server;
    this.tap = parts.tap;
  }

  static async start(): Promise<ChaosWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'techtemp-chaos-'));
    for (const name of ['record', 'agent']) mkdirSync(join(folder, name));
    const rows = Array.from({ length: ROWS }, (_, row) => `${((row + LOWEST_CENTI) / 100).toFixed(2)},50`);
    writeFileSync(join(folder, 'rows.csv'), `temperature_c,humidity_pct\n${rows.join('\n')}\n`);
    const [emulator, broker] = await Promise.all([
      startEmulator({ settings: { conversionMs: 1 }, source: { kind: 'csv', path: join(folder, 'rows.csv') } }),
      Mosquitto.start(),
    ]);
    const server = await ServerProcess.prepare({
      brokerPort: broker.port,
      config: { store: [`path = ${join(folder, 'record', 'techtemp.db')}`] },
      env: fakeClockEnv(join(folder, 'server-clock')),
    });
    const settings = [
      `[device]\ndevice_uid = ${UID}\nhome_id = h\nroom = Office\n[sensor]\ntype = aht20\nread_interval_seconds = 0.1\n`,
      `[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = ${broker.port}\nreceipt_timeout_seconds = 20\nreconnect_min_seconds = 0.2\nreconnect_max_seconds = 0.6\n`,
    ];
    writeFileSync(join(folder, 'device.conf'), settings.join(''));
    const world = new ChaosWorld({ folder, emulator, broker, server, tap: await Tap.connect(broker.port) });
    world.setServerClock(0);
    world.setAgentClock(0);
    return world;
  }

  get recordFolder(): string {
    return join(this.folder, 'record');
  }

  get recordPath(): string {
    return join(this.recordFolder, 'techtemp.db');
  }

  get journalFolder(): string {
    return join(this.folder, 'agent', 'journal');
  }

  get agentPid(): number | undefined {
    return this.#agent?.pid;
  }

  /** How often the server's clock was set. */
  get serverClockSteps(): number {
    return this.#serverClockSteps;
  }

  note(what: string): void {
    this.timeline.push(`${((performance.now() - this.#beganMs) / 1000).toFixed(2).padStart(6)} s  ${what}`);
  }

  violation(what: string): void {
    this.note(`VIOLATION: ${what}`);
    this.violations.push(what);
  }

  setServerClock(days: number): void {
    this.#serverClockSteps += 1;
    writeFileSync(join(this.folder, 'server-clock'), offsetLine(days));
  }

  setAgentClock(days: number): void {
    this.#agentClock = days;
    // Its time passes faster, and so does a step.
    writeFileSync(join(this.folder, 'agent-clock'), offsetLine(days / SPEED));
  }

  async startAgent(): Promise<void> {
    if (this.isAgentUp) return;
    this.note(`agent starts${this.#agentClock === 0 ? '' : `, its clock ${this.#agentClock} days off`}`);
    const env = fakeClockEnv(join(this.folder, 'agent-clock'));
    const agent = await startUnderEmulator(this.emulator, AGENT, {
      args: [join(this.folder, 'device.conf')],
      env: {
        ...env,
        LD_PRELOAD: `${this.emulator.env['LD_PRELOAD'] ?? ''} ${env['LD_PRELOAD'] ?? ''}`,
        STATE_DIRECTORY: join(this.folder, 'agent'),
        TECHTEMP_TEST_SPEED: String(SPEED),
        TECHTEMP_TEST_WALL_ANCHOR: String(this.#anchorMs),
      },
    });
    agent.stderr.on('data', (chunk: Buffer) => (this.agentLog += chunk.toString()));
    agent.stdout.resume();
    this.#agent = agent;
    this.isAgentUp = true;
  }

  async endAgent(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    this.isAgentUp = false;
    if (agent === undefined) return;
    this.note(`agent gets ${signal}`);
    if (agent.exitCode !== null || agent.signalCode !== null) {
      this.violation(`the agent ended by itself: exit ${agent.exitCode ?? agent.signalCode}`);
      return;
    }
    if (signal === 'SIGKILL' && agent.pid !== undefined) this.killed.add(agent.pid);
    const ended = once(agent, 'exit');
    agent.kill(signal);
    const left = await Promise.race([ended.then(() => false), sleep(LONGEST_STOP_MS, true, { ref: false })]);
    if (!left) return;
    this.violation(`the agent did not end within ${LONGEST_STOP_MS / 1000} s of SIGTERM`);
    if (agent.pid !== undefined) this.killed.add(agent.pid);
    agent.kill('SIGKILL');
    await ended;
  }

  /** Starts the server. @returns what it says when it refuses */
  async startServer(): Promise<string | undefined> {
    this.note('server starts');
    this.serverLog += this.server.log;
    this.server.log = '';
    this.serverStarts += 1;
    try {
      await this.server.start();
      this.isServerUp = true;
      return undefined;
    } catch (error) {
      const said = String(error);
      if (!said.includes('the server ended with')) throw error;
      this.note(`server refuses: ${lastLine(this.server.log)}`);
      return this.server.log;
    }
  }

  async endServer(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.note(`server gets ${signal}`);
    this.isServerUp = false;
    if (signal === 'SIGKILL') await this.server.kill();
    else await this.server.stop();
  }

  /** A command of the server beside it. */
  async command(...args: readonly string[]): Promise<CommandEnd> {
    const end = await this.server.command(...args);
    this.note(`techtemp-server ${args.join(' ')}: exit ${end.code ?? 'none'}; ${lastLine(end.stdout + end.stderr)}`);
    if (end.code === 0 && (/new identity/.test(end.stdout) || args.includes('--new-record'))) this.recordsMade += 1;
    for (const [, to = ''] of end.stdout.matchAll(/^Set aside: \S+ is (\S+) now\.$/gm)) {
      if (!/-(wal|shm|journal)$|\.identity$/.test(to)) this.setAside.push(to);
    }
    return end;
  }

  /** Moves the record's files back to where they were. */
  putRecordBack(): void {
    if (this.movedRecord === undefined) return;
    this.note('the files of the record are moved back');
    mkdirSync(this.recordFolder, { recursive: true });
    for (const name of readdirSync(this.movedRecord))
      renameSync(join(this.movedRecord, name), join(this.recordFolder, name));
    rmSync(this.movedRecord, { recursive: true });
    this.movedRecord = undefined;
  }

  async dispose(): Promise<void> {
    await this.endAgent('SIGKILL');
    await this.tap.end();
    await this.server.dispose();
    await this.broker.dispose();
    await this.emulator.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  report(): string {
    const logs = `agent:\n${this.agentLog.slice(-6_000)}\nserver:\n${(this.serverLog + this.server.log).slice(-8_000)}`;
    return `${this.timeline.join('\n')}\n${logs}`;
  }
}

function offsetLine(days: number): string {
  const seconds = Math.round(days * SECONDS_PER_DAY);
  return `${seconds < 0 ? '' : '+'}${seconds}\n`;
}

function lastLine(text: string): string {
  const lines = text.trim().split('\n');
  return (lines.findLast((line) => /"level":"(error|fatal)"/.test(line)) ?? lines.at(-1) ?? '').slice(0, 500);
}
