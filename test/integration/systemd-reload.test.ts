import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bundleForChild } from '../support/bundle.ts';

const PROGRAM = fileURLToPath(new URL('../support/children/reloading-service.ts', import.meta.url));
const RELOAD = fileURLToPath(new URL('../../systemd/techtemp-reload', import.meta.url));

interface Outcome {
  readonly code: number;
  readonly words: string;
}

describe.skipIf(process.platform !== 'linux')('systemctl reload', () => {
  let script = '';
  let directory = '';
  let config = '';
  let service: ChildProcess;

  beforeAll(async () => {
    script = await bundleForChild(PROGRAM);
  });
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'techtemp-reload-'));
    config = join(directory, 'device.conf');
    writeFileSync(config, 'first');
    service = spawn(process.execPath, [script, config], {
      env: { ...process.env, RUNTIME_DIRECTORY: directory },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(service.stdout as NodeJS.ReadableStream, 'data');
  });
  afterEach(async () => {
    if (service.exitCode === null && service.signalCode === null) {
      service.kill('SIGKILL');
      await once(service, 'close');
    }
    rmSync(directory, { recursive: true, force: true });
  });

  async function reload({
    seconds = 20,
    env = {},
  }: {
    seconds?: number;
    env?: NodeJS.ProcessEnv;
  } = {}): Promise<Outcome> {
    const environment = {
      PATH: process.env['PATH'],
      MAINPID: String(service.pid),
      RUNTIME_DIRECTORY: directory,
      ...env,
    };
    return await new Promise((resolve) => {
      execFile(RELOAD, [String(seconds)], { env: environment }, (error, _stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), words: stderr }),
      );
    });
  }

  test('succeeds with the agent’s words when the file is in force, and when nothing has changed', async () => {
    expect(await reload()).toEqual({ code: 0, words: 'nothing has changed\n' });
    writeFileSync(config, 'second');
    expect(await reload()).toEqual({ code: 0, words: 'in force: second\n' });
  });

  test('fails with every fault that the agent has found, and goes on to fail while the file is bad', async () => {
    writeFileSync(config, 'bad: "soon" is no number');
    const refused = {
      code: 1,
      words:
        'The new configuration was refused, the running one stays in force:\n' +
        `${config}:1: bad: "soon" is no number\n${config}:2: and more\n`,
    };
    expect(await reload()).toEqual(refused);
    expect(await reload()).toEqual(refused);
    expect(service.exitCode).toBeNull();
  });

  test('waits for the answer to its own question, not for an older one', async () => {
    expect((await reload()).code).toBe(0);
    writeFileSync(config, 'slow to judge');
    expect(await reload()).toEqual({ code: 0, words: 'in force: slow to judge\n' });
  });

  test('several at once all learn the outcome', async () => {
    writeFileSync(config, 'bad, for all');
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => reload()));
    expect(outcomes.map((outcome) => outcome.code)).toEqual([1, 1, 1, 1, 1]);
  });

  test('says that there was no answer rather than guess', async () => {
    writeFileSync(config, 'mute');
    const { code, words } = await reload({ seconds: 1 });
    expect(code).toBe(2);
    expect(words).toContain('gave no answer within 1 s');
  });

  test('does not wait for an agent that has ended', async () => {
    writeFileSync(config, 'dies');
    const { code, words } = await reload({ seconds: 600 });
    expect(code).toBe(2);
    expect(words).toContain('ended before it had read its configuration again');
    expect((await reload()).words).toContain('could not be asked to reload');
  });

  test('under systemd its words have a priority', async () => {
    writeFileSync(config, 'bad');
    const { words } = await reload({ env: { JOURNAL_STREAM: '9:1' } });
    expect(
      words
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(0, 3)),
    ).toEqual(['<3>', '<3>', '<3>']);
  });

  test.each(['MAINPID', 'RUNTIME_DIRECTORY'])('outside systemd it says that %s is missing', async (name) => {
    const { code, words } = await reload({ env: { [name]: '' } });
    expect(code).toBe(2);
    expect(words).toContain(name);
  });

  test('leaves its question and the answer behind, nothing else', async () => {
    await reload();
    expect(readdirSync(directory).sort()).toEqual(['device.conf', 'reload-answer', 'reload-request']);
  });
});
