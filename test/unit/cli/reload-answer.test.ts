import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createReloadAnswers } from '../../../src/cli/reload.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'techtemp-answer-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('answers the question that was there when the config was about to be read', async () => {
  const answers = createReloadAnswers(directory);
  writeFileSync(join(directory, 'reload-request'), 'word-1\n');
  const question = await answers.question();
  writeFileSync(join(directory, 'reload-request'), 'word-2\n');
  await answers.answer(question, { result: 'rejected', generation: 3, message: 'line 4: no\nline 9: no\n' });
  expect(readFileSync(join(directory, 'reload-answer'), 'utf8')).toBe(
    'request word-1\ngeneration 3\nresult rejected\nline 4: no\nline 9: no\n',
  );
});

test.each([
  ['there is none', undefined],
  ['it is empty', ''],
  ['it would add lines of its own', 'word\nresult applied'],
  ['it is too long', 'x'.repeat(65)],
])('a question is not repeated where %s', async (_title, content) => {
  if (content !== undefined) writeFileSync(join(directory, 'reload-request'), content);
  expect(await createReloadAnswers(directory).question()).toEqual({ request: 'none' });
});

test.each([undefined, ''])('without a runtime directory nothing is written', async (runtimeDirectory) => {
  const answers = createReloadAnswers(runtimeDirectory);
  await answers.answer(await answers.question(), { result: 'applied', generation: 1, message: 'x' });
  expect(readdirSync(directory)).toEqual([]);
});
