import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Emulator, type EmulatorOptions, startEmulator } from '../support/emulator.ts';
import { startUnderEmulator } from '../support/emulator-child.ts';
import { Mosquitto } from '../support/mosquitto.ts';

export const root = resolve(import.meta.dirname, '../..');
export const AGENT = join(root, 'dist/techtemp-device.js');
export const UID = 'aht20-bench';

export interface Running {
  readonly pid: number;
  /** What it has written to standard error so far. */
  readonly log: () => string;
  stop(): Promise<void>;
}

/** A sensor, a broker, a folder: what an agent needs. */
export class Rig {
  readonly emulator: Emulator;
  readonly broker: Mosquitto;
  readonly folder: string;

  private constructor(emulator: Emulator, broker: Mosquitto) {
    this.emulator = emulator;
    this.broker = broker;
    this.folder = mkdtempSync(join(tmpdir(), 'techtemp-bench-'));
  }

  static async open(options: EmulatorOptions = {}): Promise<Rig> {
    return new Rig(await startEmulator(options), await Mosquitto.start());
  }

  /** Writes a device.conf with these lines behind the broker's (or those of nobody, on another port). */
  configure(lines: readonly string[], brokerPort = this.broker.port): string {
    const path = join(this.folder, 'device.conf');
    const mqtt = `[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = ${brokerPort}`;
    writeFileSync(path, [`[device]\ndevice_uid = ${UID}`, mqtt, ...lines, ''].join('\n'));
    return path;
  }

  async agent(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Running> {
    const child = await startUnderEmulator(this.emulator, program, {
      args,
      env: { STATE_DIRECTORY: this.folder, ...env },
    });
    let log = '';
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    child.stdout.resume();
    return {
      pid: child.pid!,
      log: () => log,
      async stop() {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      },
    };
  }

  async close(): Promise<void> {
    await this.broker.stop();
    await this.emulator.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A piece of JavaScript in a Node.js of its own, as something to compare with. */
export function bareNode(code: string): Running {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return {
    pid: child.pid!,
    log: () => '',
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Runs a program to its end; how long it took, in ms. */
export async function timed(args: readonly string[]): Promise<number> {
  const began = process.hrtime.bigint();
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'ignore' });
  await once(child, 'exit');
  return Number(process.hrtime.bigint() - began) / 1e6;
}
