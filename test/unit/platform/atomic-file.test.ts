import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { syncDirectory, writeFileAtomic } from '../../../src/platform/files.ts';
import { cases } from '../../support/cases.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'techtemp-atomic-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test.each(['yes', 'no'] as const)(
  'replaces the content and leaves nothing else behind (durable: %s)',
  async (durable) => {
    const path = join(directory, 'state');
    await writeFileAtomic(path, 'one', { durable });
    await writeFileAtomic(path, Buffer.from('two'), { durable });
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(directory)).toEqual(['state']);
  },
);

test('only the owner may read it, unless another mode is asked for', async () => {
  await writeFileAtomic(join(directory, 'private'), 'x');
  await writeFileAtomic(join(directory, 'public'), 'x', { mode: 0o644 });
  expect(statSync(join(directory, 'private')).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, 'public')).mode & 0o777).toBe(0o644);
});

test('a failure leaves the old content and no temporary file', async () => {
  const path = join(directory, 'state');
  // Renaming a file over a directory that is not empty fails, after the temporary file has been written.
  const taken = join(directory, 'taken');
  await writeFileAtomic(path, 'old');
  mkdirSync(join(taken, 'inside'), { recursive: true });
  await expect(writeFileAtomic(taken, 'new')).rejects.toMatchObject({ syscall: 'rename' });
  await expect(writeFileAtomic(join(directory, 'absent', 'state'), 'new')).rejects.toMatchObject({ code: 'ENOENT' });
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(directory).sort()).toEqual(['state', 'taken']);
});

test('a reader at any moment finds a whole content, old or new', async () => {
  const path = join(directory, 'state');
  const contents = ['a'.repeat(200_000), 'b'.repeat(100_000)];
  await writeFileAtomic(path, contents[0] ?? '', { durable: 'no' });
  const reader = spawn(process.execPath, ['-e', READER, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = new Promise<string>((resolve) => {
    let text = '';
    reader.stdout.on('data', (part: Buffer) => {
      text += part.toString();
    });
    reader.once('close', () => resolve(text));
  });
  await new Promise((resolve) => reader.stdout.once('data', resolve));
  for (let i = 0; i < cases(60, 300); i += 1) await writeFileAtomic(path, contents[i % 2] ?? '', { durable: 'no' });
  reader.stdin.end();
  expect(await said).toMatch(/^reading\ntorn 0 of \d+\n$/);
});

test('the content is flushed before it gets its name, and the name after it', async () => {
  const path = join(directory, 'state');
  const handle = await open(directory, 'r');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const flushed: string[] = [];
  const sync = vi.spyOn(prototype, 'sync').mockImplementation(function (this: FileHandle) {
    flushed.push(`${readlinkSync(`/proc/self/fd/${this.fd}`)} beside ${readdirSync(directory).join()}`);
    return Promise.resolve();
  });
  try {
    await writeFileAtomic(path, 'x');
    await writeFileAtomic(join(directory, 'scratch'), 'x', { durable: 'no' });
  } finally {
    sync.mockRestore();
  }
  const temporary = `${path}.${process.pid}.tmp`;
  expect(flushed).toEqual([`${temporary} beside ${basename(temporary)}`, `${directory} beside state`]);
});

test('a directory that is not there cannot be synced', async () => {
  await expect(syncDirectory(join(directory, 'absent'))).rejects.toMatchObject({ code: 'ENOENT' });
});

/** Reads the file over and over until standard input ends, and counts contents that are neither of the two. */
const READER = `
  const { readFileSync } = require('node:fs');
  let torn = 0, reads = 0, on = true;
  process.stdin.on('end', () => { on = false; }).resume();
  console.log('reading');
  const read = () => {
    const text = readFileSync(process.argv[1], 'utf8');
    reads += 1;
    if (!/^(a{200000}|b{100000})$/.test(text)) torn += 1;
    if (on) setImmediate(read); else console.log('torn ' + torn + ' of ' + reads);
  };
  read();
`;
