import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';

/** test/golden/README.md says what these files are for and how they are written anew. */
export const GOLDEN_DIRECTORY = join(import.meta.dirname, '../golden');

/** Every text under test/golden/ but the README and the bytes in journal/; test/unit/golden/files.test.ts holds the list against the folder. */
export const GOLDEN_FILES = [
  'check-device.json',
  'check-server.json',
  'config-device-defaults.conf',
  'config-device-environment.conf',
  'config-server-defaults.conf',
  'config-server-environment.conf',
  'database-schema.sql',
  'exit-codes.json',
  'finding-ids.json',
  'help-device.txt',
  'help-server.txt',
  'journal-export.csv',
  'journal-export.jsonl',
  'journal-list.json',
  'journal-read.json',
  'journal-written.json',
  'live-events.txt',
  'metrics.txt',
  'openapi.json',
  'publisher-state.json',
  'status-lines.txt',
  'wire-messages.json',
] as const;
export type GoldenFile = (typeof GOLDEN_FILES)[number];

/** Whether this run writes the files instead of comparing with them. Never in CI. */
export const isGoldenUpdate = process.env['UPDATE_GOLDEN'] === '1' && (process.env['CI'] ?? '') === '';

/** Compares a text with its golden file. A file that is missing is a failure: it is never written unless that was asked for. */
export function expectGolden(name: GoldenFile, text: string): void {
  const path = join(GOLDEN_DIRECTORY, name);
  if (isGoldenUpdate) writeGolden(path, text);
  if (!existsSync(path)) throw new Error(`test/golden/${name} is missing; see test/golden/README.md`);
  expect(text, `test/golden/${name}: others rely on this output; see test/golden/README.md`).toBe(
    readFileSync(path, 'utf8'),
  );
}

/** The same for a value, as JSON with one line for each field. */
export function expectGoldenJson(name: GoldenFile, value: unknown): void {
  expectGolden(name, `${JSON.stringify(value, undefined, 2)}\n`);
}

export function writeGolden(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
