import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { until } from './until.ts';

const BINARY = ['/usr/sbin/mosquitto', '/usr/bin/mosquitto', '/usr/local/sbin/mosquitto'].find((path) =>
  existsSync(path),
);

/** Whether a real broker can be started here; where not, `describe.skipIf(!mosquittoInstalled)` skips what needs one. */
export const mosquittoInstalled = BINARY !== undefined;

export interface MosquittoOptions {
  /** Lines of mosquitto.conf after the listener. Default: anonymous clients, nothing else (Mosquitto's own defaults). */
  readonly config?: readonly string[];
  /** `name:password` lines; given, anonymous clients are refused. */
  readonly users?: Readonly<Record<string, string>>;
  /** Lines of an ACL file. */
  readonly acl?: readonly string[];
}

/** A real Mosquitto on a free port of 127.0.0.1, in a folder of its own. */
export class Mosquitto {
  readonly port: number;
  readonly folder: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.folder = folder;
  }

  static async start(options: MosquittoOptions = {}): Promise<Mosquitto> {
    const broker = await Mosquitto.prepare(options);
    await broker.start();
    return broker;
  }

  /** Writes the configuration without starting, for brokers that are to come up later. */
  static async prepare(options: MosquittoOptions = {}): Promise<Mosquitto> {
    const broker = new Mosquitto(await freePort(), mkdtempSync(join(tmpdir(), 'techtemp-mosquitto-')));
    broker.configure(options);
    return broker;
  }

  /** New configuration for the next start. */
  configure(options: MosquittoOptions): void {
    const lines = [
      `listener ${this.port} 127.0.0.1`,
      // As root it would change to a user that may not read the folder.
      `user ${userInfo().username}`,
      `allow_anonymous ${options.users === undefined ? 'true' : 'false'}`,
      ...(options.config ?? []),
    ];
    if (options.users !== undefined) {
      const file = join(this.folder, 'passwords');
      writeFileSync(
        file,
        Object.entries(options.users)
          .map(([name, password]) => `${name}:${password}\n`)
          .join(''),
      );
      execFileSync('mosquitto_passwd', ['-U', file]);
      lines.push(`password_file ${file}`);
    }
    if (options.acl !== undefined) {
      writeFileSync(join(this.folder, 'acl'), `${options.acl.join('\n')}\n`);
      lines.push(`acl_file ${join(this.folder, 'acl')}`);
    }
    writeFileSync(join(this.folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
  }

  async start(): Promise<void> {
    if (BINARY === undefined) throw new Error('Mosquitto is not installed');
    const child = spawn(BINARY, ['-c', join(this.folder, 'mosquitto.conf')], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    this.#process = child;
    await until(`Mosquitto listens on ${this.port}`, () => {
      if (child.exitCode !== null) throw new Error(`Mosquitto ended with ${child.exitCode}: ${output}`);
      return accepts(this.port);
    });
  }

  /** SIGKILL: it forgets everything that it had not saved. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM: it saves its state where persistence is on. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Stops it and removes its folder. */
  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** SIGSTOP and SIGCONT: it is silent, without closing anything. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await ended;
  }
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
