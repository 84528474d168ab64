import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { bundleForChild } from '../support/bundle.ts';

const PROGRAM = fileURLToPath(new URL('../support/children/talkative-program.ts', import.meta.url));

let script = '';
beforeAll(async () => {
  script = await bundleForChild(PROGRAM);
});

test('the lines before a SIGKILL are all written, into a pipe', () => {
  const { signal, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  expect(signal).toBe('SIGKILL');
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(lines).toMatchObject([{ number: 1 }, { number: 2 }, { number: 3, level: 'error', msg: 'last words' }]);
});

test('a program that finds its output in JOURNAL_STREAM writes priorities, and no secret', () => {
  const directory = mkdtempSync(join(tmpdir(), 'techtemp-journal-'));
  const path = join(directory, 'journal');
  const fd = openSync(path, 'w');
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    const env = { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` };
    spawnSync(process.execPath, [script], { stdio: ['ignore', 'inherit', fd], env });
    expect(readFileSync(path, 'utf8')).toBe(
      [1, 2, 3].map((number) => `<3>last words number=${number} password=[secret]\n`).join(''),
    );
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
});
