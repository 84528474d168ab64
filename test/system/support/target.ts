import { setTimeout as sleep } from 'node:timers/promises';
import { type Hooks, readSettings, type Settings } from './settings.ts';
import { type CommandResult, type RunOptions, runHere, Ssh } from './ssh.ts';

export const DEVICE = 'techtemp-device';
export const SERVER = 'techtemp-server';
export const DEVICE_CONF = '/etc/techtemp/device.conf';

const POLL_MS = 500;
const HOOK_LIMIT_MS = 600_000;

/** The machine under test. */
export class Target {
  readonly settings: Settings;
  readonly ssh: Ssh;

  constructor(settings: Settings = readSettings()) {
    this.settings = settings;
    this.ssh = new Ssh(settings);
  }

  /** What a bash script there prints, without the last line break. @throws where it fails */
  async sh(script: string, options: RunOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.try(script, options);
    if (status !== 0) throw new Error(`exit ${String(status)} of: ${script}\n${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  async try(script: string, { limitMs, ...rest }: RunOptions = {}): Promise<CommandResult> {
    return await this.ssh.run(script, { ...rest, limitMs: this.#patient(limitMs ?? 120_000) });
  }

  /** Waits until something holds, looking again and again; says what it was about, and what was last seen, when it never does. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>, limitMs = 60_000): Promise<T> {
    const end = Date.now() + this.#patient(limitMs);
    let last = '';
    for (;;) {
      try {
        const seen = await look();
        if (seen !== undefined && seen !== false) return seen;
        last = String(seen);
      } catch (error) {
        last = error instanceof Error ? error.message : String(error);
      }
      if (Date.now() > end) throw new Error(`waited ${this.#patient(limitMs)} ms in vain: ${what}; last: ${last}`);
      await sleep(POLL_MS);
    }
  }

  /** A property of a unit, as `systemctl show` has it. */
  async property(unit: string, name: string): Promise<string> {
    return await this.sh(`systemctl show ${unit} -p ${name} --value`);
  }

  async isActive(unit: string): Promise<boolean> {
    return (await this.property(unit, 'ActiveState')) === 'active';
  }

  /** A place in the system's journal; `journalSince` prints what a unit wrote after it. */
  async journalMark(): Promise<string> {
    return (await this.sh('journalctl -n 1 -q --show-cursor -o cat | tail -n 1')).replace(/^-- cursor: /, '');
  }

  async journalSince(mark: string, unit: string): Promise<string> {
    return await this.sh(`journalctl -q -u ${unit} -o cat --after-cursor='${mark}'`);
  }

  /** Runs a hook, if it is given. @throws where it fails */
  async hook(name: keyof Hooks, words = ''): Promise<void> {
    const command = this.settings.hooks[name];
    if (command === undefined) throw new Error(`no command is given for ${name}`);
    const { status, stdout, stderr } = await runHere(`${command} ${words}`, { limitMs: this.#patient(HOOK_LIMIT_MS) });
    if (status !== 0) throw new Error(`${command} ${words}: exit ${String(status)}\n${stdout}${stderr}`);
  }

  /** A word to the sensor, such as `fault nack on`; nothing where the machine has a sensor that takes none. */
  async sensor(words: string): Promise<void> {
    if (this.settings.hooks.fault !== undefined) await this.hook('fault', words);
  }

  async powerCut(): Promise<void> {
    await this.hook('powerCut');
    await this.ssh.forget();
  }

  /** Brings it up again and waits until it answers. Returns how long that took, as seen from here. */
  async boot(name: 'boot' | 'bootInThePast' | 'bootOffline' | 'fresh' = 'boot'): Promise<number> {
    const startedMs = Date.now();
    await this.ssh.forget();
    await this.hook(name);
    await this.until('an answer over ssh', async () => (await this.try('true')).status === 0, 180_000);
    return Date.now() - startedMs;
  }

  /** Shut down as one should, where it can be switched on again from here. */
  async shutDown(): Promise<void> {
    await this.try('systemctl poweroff').catch(() => undefined);
    await this.ssh.forget();
    const silent = async (): Promise<boolean> => (await this.try('true', { limitMs: 15_000 })).status !== 0;
    await this.until('silence after a shutdown', silent, 120_000);
  }

  #patient(limitMs: number): number {
    return limitMs * this.settings.patience;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ssh[Symbol.asyncDispose]();
  }
}
