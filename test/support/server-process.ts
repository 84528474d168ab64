import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from './ports.ts';
import { until } from './until.ts';

/** The program as it is installed; `npm test` has built it. */
const PROGRAM = resolve(import.meta.dirname, '../../dist/techtemp-server.js');

const DAY_MS = 86_400_000;

/** Why tests of the whole server can't run here; undefined when they can. */
export const serverMissing = existsSync(PROGRAM) ? undefined : 'dist/ has not been built';

export interface ServerProcessOptions {
  readonly brokerPort: number;
  /** More lines by section, such as `{ ingest: ['registration = approve'] }`. */
  readonly config?: Readonly<Record<string, readonly string[]>>;
  /** More of the environment, of the server and of the commands. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface CommandEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A reading as the API tells it. */
export interface ApiReading {
  readonly ts: string;
  readonly temperature: number;
  readonly humidity: number;
  readonly epoch: string | null;
  readonly seq: number | null;
}

/** techtemp-server as a process of its own, with a folder of its own that outlives each process. */
export class ServerProcess {
  readonly folder: string;
  readonly httpPort: number;
  log = '';
  /** More of the environment, from the next start on. */
  env: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;

  private constructor(folder: string, httpPort: number, env: Readonly<Record<string, string>> = {}) {
    this.folder = folder;
    this.env = env;
    this.httpPort = httpPort;
  }

  /** Writes the configuration; nothing runs yet. */
  static async prepare(options: ServerProcessOptions): Promise<ServerProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'techtemp-server-'));
    const server = new ServerProcess(folder, await freePort(), options.env);
    const sections: Record<string, readonly string[]> = {
      mqtt: [
        'broker_host = 127.0.0.1',
        `broker_port = ${options.brokerPort}`,
        'reconnect_min_seconds = 0.1',
        'reconnect_max_seconds = 0.5',
      ],
      http: [`port = ${server.httpPort}`, 'rate_per_minute = 0'],
    };
    for (const [section, lines] of Object.entries(options.config ?? {})) {
      sections[section] = [...(sections[section] ?? []), ...lines];
    }
    const lines = Object.entries(sections).map(([section, keys]) => `[${section}]\n${keys.join('\n')}\n`);
    await writeFile(server.configPath, lines.join(''));
    return server;
  }

  /** Of the process that runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get configPath(): string {
    return join(this.folder, 'server.conf');
  }

  /** Starts the process; does not wait for it. */
  spawn(): void {
    const child = spawn(process.execPath, [PROGRAM, 'run', '--config', this.configPath], {
      env: this.#env(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-100_000)));
    this.#process = child;
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    this.spawn();
    const child = this.#process;
    await until('the server answers', async () => {
      if (child?.exitCode !== null) throw new Error(`the server ended with ${child?.exitCode}\n${this.log}`);
      return (await this.get('/health').catch(() => undefined))?.ok === true;
    });
  }

  /** Resolves with the exit code of a process that ends by itself. */
  async ended(): Promise<number | null> {
    const child = this.#process;
    await until(
      'the server has ended',
      () => child === undefined || child.exitCode !== null || child.signalCode !== null,
    );
    return await this.stop();
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** @returns its exit code */
  async stop(): Promise<number | null> {
    return await this.#end('SIGTERM');
  }

  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async get(path: string): Promise<Response> {
    return await fetch(`http://127.0.0.1:${this.httpPort}${path}`);
  }

  /** The `data` of an answer. @throws when the answer is an error */
  async data<T>(path: string): Promise<T> {
    const answer = await this.get(path);
    const body = (await answer.json()) as { data: T };
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(body)}`);
    return body.data;
  }

  /** How many readings of the last month a device has; cheaper than to fetch them. */
  async count(deviceUid: string): Promise<number> {
    const iso = (ms: number): string => new Date(ms).toISOString();
    const range = `from=${iso(Date.now() - 30 * DAY_MS)}&to=${iso(Date.now() + DAY_MS)}`;
    const answer = await this.get(`/api/v1/series?device=${deviceUid}&bucket=1d&${range}`);
    if (answer.status === 404) return 0;
    const { data } = (await answer.json()) as {
      data: { sources: readonly { buckets: readonly { count: number }[] }[] };
    };
    const buckets = data.sources.flatMap((source) => source.buckets);
    return buckets.reduce((sum, { count }) => sum + count, 0);
  }

  /** Every reading of a device, oldest first, page by page as a client would; none where there is no such device yet. */
  async readings(deviceUid: string): Promise<readonly ApiReading[]> {
    const readings: ApiReading[] = [];
    // Readings of a clock that runs fast in a test lie ahead of this machine's time.
    const to = new Date(Date.now() + DAY_MS).toISOString();
    let after = '';
    do {
      const answer = await this.get(
        `/api/v1/readings?device=${deviceUid}&from=2000-01-01T00:00:00Z&to=${to}&order=asc&limit=5000${after}`,
      );
      if (answer.status === 404) return [];
      const page = (await answer.json()) as { data: readonly ApiReading[]; next?: string };
      if (!answer.ok) throw new Error(`the readings were answered with ${answer.status}: ${JSON.stringify(page)}`);
      readings.push(...page.data);
      after = page.next === undefined ? '' : `&after=${encodeURIComponent(page.next)}`;
    } while (after !== '');
    return readings;
  }

  /** Runs a command of the program beside the process, to its end. */
  async command(...args: readonly string[]): Promise<CommandEnd> {
    const [name = '', ...rest] = args;
    const child = spawn(process.execPath, [PROGRAM, name, '--config', this.configPath, ...rest], {
      env: this.#env(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'close') as Promise<[number | null]>;
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { code, stdout, stderr };
  }

  #env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      STATE_DIRECTORY: this.folder,
      RUNTIME_DIRECTORY: undefined,
      NOTIFY_SOCKET: undefined,
      ...this.env,
    };
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await ended)[0];
  }
}
