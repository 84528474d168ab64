import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isDirectoryLocked, lockDirectory } from '../../src/device/journal/directory-lock.ts';
import { bundleForChild } from '../support/bundle.ts';
import { until } from '../support/until.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const root = mkdtempSync(join(tmpdir(), 'techtemp-journal-lock-'));
let program = '';

beforeAll(async () => {
  program = await bundleForChild(fileURLToPath(new URL('../support/children/hold-directory-lock.ts', import.meta.url)));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function newFolder(): string {
  return mkdtempSync(join(root, 'journal-'));
}

interface Outcome {
  readonly won: number;
  readonly weak?: string;
  readonly refusal?: string;
}

interface Starter {
  say(words: string): Promise<Outcome>;
  kill(): Promise<void>;
}

/** Another process, inside whatever `prefix` puts around it. */
async function start(folder: string, ...prefix: readonly string[]): Promise<Starter> {
  const words = [...prefix, process.execPath, program, folder];
  const command = words[0] ?? '';
  const child: ChildProcessWithoutNullStreams = spawn(command, words.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stderr.pipe(process.stderr);
  const gone = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = (await lines.next()) as IteratorResult<string, undefined>;
    if (line.done === true) throw new Error(`${command} has ended`);
    return line.value;
  };
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
  };
  onTestFinished(kill);
  expect(await next()).toBe('ready');
  const say = async (words: string): Promise<Outcome> => {
    child.stdin.write(`${words}\n`);
    return JSON.parse(await next()) as Outcome;
  };
  return { say, kill };
}

describe.skipIf(process.platform !== 'linux')('the lock of a journal', { timeout: 120_000 }, () => {
  it('is got by exactly one of a hundred that start at the same moment, whatever the last one left', async () => {
    const folder = newFolder();
    const starters = await Promise.all(Array.from({ length: 4 }, () => start(folder)));
    for (let round = 0; round < 15; round += 1) {
      const outcomes = await Promise.all(starters.map((starter) => starter.say('take 25')));
      expect(outcomes.reduce((sum, { won }) => sum + won, 0)).toBe(1);
      expect(outcomes.find(({ refusal }) => refusal !== undefined)?.refusal).toMatch(
        /in use by another agent; stop that/,
      );
      expect(await isDirectoryLocked(folder)).toBe(true);
      await Promise.all(starters.map((starter) => starter.say('free')));
      expect(await isDirectoryLocked(folder)).toBe(false);
    }
    expect(readdirSync(folder)).toEqual(['agent-000015.lock']);
  });

  it('takes no weaker lock because another agent has just cleared away its unfinished socket', async () => {
    const folder = newFolder();
    // Clears away all that it finds, much faster than an agent that has got the lock.
    const clearing = spawn(
      process.execPath,
      [
        '-e',
        `const fs = require('node:fs'); for (;;) for (const name of fs.readdirSync('.'))
          if (name.endsWith('.new')) try { fs.unlinkSync(name) } catch {}`,
      ],
      { cwd: folder, stdio: 'ignore' },
    );
    onTestFinished(() => void clearing.kill('SIGKILL'));
    for (let round = 0; round < 300; round += 1) {
      const lock = await lockDirectory(folder).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'JOURNAL_LOCKED' });
      });
      expect(lock?.weakness).toBeUndefined();
      await lock?.release();
    }
  });

  it('is free at once when its holder was killed, again and again', async () => {
    const folder = newFolder();
    for (let round = 0; round < 3; round += 1) {
      const starter = await start(folder);
      expect(await starter.say('take 1')).toMatchObject({ won: 1 });
      await expect(lockDirectory(folder)).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' });
      await starter.kill();
      const lock = await lockDirectory(folder);
      await lock.release();
    }
  });

  it('takes no copy, no backup and no plain file for an agent', async () => {
    const folder = newFolder();
    const lock = await lockDirectory(folder);
    const copy = `${folder}-copy`;
    cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith('.lock') });
    for (const name of readdirSync(folder)) writeFileSync(join(copy, name), '');
    const other = await lockDirectory(copy);
    expect(readdirSync(copy)).toEqual(['agent-000002.lock']);
    await other.release();
    await lock.release();
  });

  it('knows when its file is not there any more', async () => {
    const folder = newFolder();
    const lock = await lockDirectory(folder);
    expect(await lock.holds()).toBe(true);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    expect(await lock.holds()).toBe(false);
    await lock.release();
  });

  it('works in a folder whose path is longer than a socket may have', async () => {
    const folder = join(newFolder(), 'a'.repeat(120));
    mkdirSync(folder);
    const lock = await lockDirectory(folder);
    expect(lock.weakness).toBeUndefined();
    await expect(lockDirectory(folder)).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' });
    await lock.release();
  });

  // A9
  it('holds between containers that share the folder: other network, process and mount namespaces', async ({
    skip,
  }) => {
    if (!isRoot) return skip('needs root for namespaces');
    const folder = newFolder();
    const apart = ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const inside = await start(folder, ...apart);
    const inAnother = await start(folder, ...apart);
    expect(await inside.say('take 1')).toMatchObject({ won: 1 });
    expect(await inAnother.say('take 3')).toMatchObject({
      won: 0,
      refusal: expect.stringContaining('in use') as string,
    });
    await expect(lockDirectory(folder)).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' });
    expect(await isDirectoryLocked(folder)).toBe(true);
    await inside.kill();
    // The kernel ends what is inside a moment after what was killed outside.
    await until('the lock is free', async () => (await inAnother.say('take 1')).won === 1);
  });

  // A9
  it('cannot be taken by a user who may not write there, nor by a name that anybody can take', async ({ skip }) => {
    if (!isRoot) return skip('needs root to be somebody else');
    chmodSync(root, 0o755);
    const folder = newFolder();
    chmodSync(folder, 0o755);
    const stranger = await start(folder, 'setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups');
    // It gets the weak lock that stands in where no file can be made: the name that the lock had before.
    expect(await stranger.say('take 1')).toMatchObject({ won: 1, weak: expect.stringContaining('EACCES') as string });
    const lock = await lockDirectory(folder);
    expect(lock.weakness).toBeUndefined();
    expect(statSync(folder).uid).toBe(0);
    await stranger.say('free');
    expect(await stranger.say('take 1')).toMatchObject({
      won: 0,
      refusal: expect.stringContaining('in use') as string,
    });
    await lock.release();
  });

  it('left by root is no obstacle for the agent’s own user', async ({ skip }) => {
    if (!isRoot) return skip('needs root to be somebody else');
    chmodSync(root, 0o755);
    const folder = newFolder();
    chownSync(folder, NOBODY, NOBODY);
    const lock = await lockDirectory(folder);
    const own = await start(folder, 'setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups');
    expect(await own.say('take 1')).toMatchObject({ won: 0 });
    await lock.release();
    expect(await own.say('take 1')).toMatchObject({ won: 1 });
  });
});
