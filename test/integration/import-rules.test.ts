import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const depcruise = join(root, 'node_modules/.bin/depcruise');

const target = 'export const value = 1;\n';
const using = (from: string, to: string): string =>
  `import { value } from '${'../'.repeat(from.split('/').length - 1)}${to}';\nexport const copy = value;\n`;

const upwards = [
  ['drivers/contract.ts', 'src/contract/target.ts', 'drivers-imports-downwards-only'],
  ['src/contract/driver.ts', 'drivers/target.ts', 'src-contract-imports-downwards-only'],
  ['src/platform/config.ts', 'src/config/target.ts', 'src-platform-imports-downwards-only'],
  ['src/calendar/config.ts', 'src/config/target.ts', 'src-calendar-imports-downwards-only'],
  ['src/config/device.ts', 'src/device/target.ts', 'src-config-imports-downwards-only'],
  ['src/mqtt/doctor.ts', 'src/doctor/target.ts', 'src-mqtt-imports-downwards-only'],
  ['src/cli/doctor.ts', 'src/doctor/target.ts', 'src-cli-imports-downwards-only'],
  ['src/doctor/device.ts', 'src/device/target.ts', 'src-doctor-imports-downwards-only'],
  ['src/dashboard/store.ts', 'src/server/target.ts', 'src-dashboard-imports-downwards-only'],
  ['src/device/server.ts', 'src/server/target.ts', 'src-device-imports-downwards-only'],
  ['src/server/driver.ts', 'drivers/target.ts', 'src-server-imports-downwards-only'],
  ['src/device/test.ts', 'test/target.ts', 'programs-do-not-import-tests'],
] as const;
const packages = [
  ['src/device/pipe.ts', 'mqtt', 'only-the-link-imports-mqtt'],
  ['src/device/settings.ts', 'convict', 'only-the-config-loader-imports-convict'],
  ['src/device/wire.ts', 'i2c-bus', 'only-the-bus-imports-i2c-bus'],
  ['src/device/daemon.ts', 'sd-notify', 'only-notify-imports-sd-notify'],
  ['src/server/http/file.ts', 'better-sqlite3', 'only-the-sqlite-store-imports-better-sqlite3'],
  ['src/server/ingest/web.ts', 'fastify', 'only-http-imports-fastify'],
  ['src/server/ingest/files.ts', '@fastify/static', 'only-http-imports-fastify'],
  ['src/server/ingest/frames.ts', 'mqtt-packet', 'only-the-session-imports-mqtt-packet'],
  ['src/contract/file.ts', 'node:fs', 'contract-does-no-io'],
] as const;
const allowed = [
  ['src/device/settings-reader.ts', 'src/config/target.ts'],
  ['src/dashboard/answers.ts', 'src/server/http/schemas/target.ts'],
  ['src/device/driver.ts', 'drivers/target.ts'],
  ['src/server/contract.ts', 'src/contract/target.ts'],
] as const;

describe('the layers', () => {
  let folder = '';
  let broken: readonly string[] = [];

  beforeAll(() => {
    // A project of nothing but these files, under our rules.
    folder = mkdtempSync(join(tmpdir(), 'techtemp-rules-'));
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
      copyFileSync(join(root, file), join(folder, file));
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const to of [...upwards, ...allowed].map((planted) => planted[1])) plant(to, target);
    for (const [from, to] of [...upwards, ...allowed]) plant(from, using(from, to));
    for (const [from, name] of packages) plant(from, `import * as it from '${name}';\nexport const copy = it;\n`);
    plant('src/device/a.ts', `import { b } from './b.ts';\nexport const a = (): number => b();\n`);
    plant('src/device/b.ts', `import { a } from './a.ts';\nexport const b = (): number => a();\n`);
    const arguments_ = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'drivers', 'src', 'test'];
    const { stdout } = spawnSync(depcruise, arguments_, { cwd: folder, encoding: 'utf8' });
    const report = JSON.parse(stdout) as { summary: { violations: { from: string; rule: { name: string } }[] } };
    broken = report.summary.violations.map(({ from, rule }) => `${from} ${rule.name}`);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function plant(path: string, text: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }

  it('hold in the project as it is, and the check really looks at it', () => {
    const arguments_ = ['--config', '.dependency-cruiser.cjs', 'drivers', 'src', 'test'];
    const output = execFileSync(depcruise, arguments_, { cwd: root, encoding: 'utf8' });
    expect(output).toContain('no dependency violations found');
    // A cruiser that understands nothing of the sources is content with everything.
    expect(Number(/\((\d+) modules/.exec(output)?.[1] ?? 0)).toBeGreaterThan(60);
  });

  it.each(upwards)('catch %s that imports %s', (from, _to, rule) => {
    expect(broken).toContain(`${from} ${rule}`);
  });

  it.each(packages)('catch %s that imports %s', (from, _name, rule) => {
    expect(broken).toContain(`${from} ${rule}`);
  });

  it('catch a cycle', () => {
    expect(broken.filter((line) => line.endsWith('no-cycles'))).not.toEqual([]);
  });

  it.each(allowed)('let %s import %s', (from) => {
    expect(broken.filter((line) => line.startsWith(`${from} `))).toEqual([]);
  });
});
