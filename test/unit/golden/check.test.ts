import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCheck as runDeviceCheck } from '../../../src/device/commands/check.ts';
import { FINDINGS as DEVICE_FINDINGS } from '../../../src/device/doctor/findings/catalogue.ts';
import type { Machine } from '../../../src/doctor/machine.ts';
import { runCheck as runServerCheck } from '../../../src/server/commands/check.ts';
import { FINDINGS as SERVER_FINDINGS } from '../../../src/server/doctor/findings/catalogue.ts';
import { recordedIo } from '../../support/command-io.ts';
import { expectGoldenJson } from '../../support/golden.ts';

interface Report {
  readonly config: string;
  readonly findings: readonly (Readonly<Record<string, unknown>> & {
    readonly examination: string;
    readonly id: string;
  })[];
  readonly summary: Readonly<Record<string, number>>;
  readonly exit_code: number;
}

let folder = '';
let machine: Machine;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-golden-'));
  // A machine without buses, programs and services, so that the same is found everywhere.
  machine = {
    root: folder,
    nodeVersion: '20.19.0',
    uid: 1000,
    runProgram: () => Promise.resolve({ state: 'missing' }),
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Nothing listens on these ports: 1 has not been used for decades, and 49151 is reserved. A server that does not run as root may listen
 * only above 1023.
 */
const CONFIGS = {
  device: '[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = 1\n[sensor]\ni2c_bus = 211\n',
  server: '[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = 1\n[http]\nport = 49151\n',
  broken: '[mqtt]\nbroker_port = high\n',
} as const;
const FLAGS = {
  device: { 'mqtt.broker_host': '127.0.0.1', 'mqtt.broker_port': '1', 'sensor.i2c_bus': '211' },
  server: { 'mqtt.broker_host': '127.0.0.1', 'mqtt.broker_port': '1', 'http.port': '49151' },
} as const;
/** What these find depends on the machine: the time service, the packages that could be installed. */
const OF_THE_MACHINE = ['clock', 'notify-package'];

describe('check --json', () => {
  it.each([
    ['device', runDeviceCheck, DEVICE_FINDINGS, 'check-device.json'],
    ['server', runServerCheck, SERVER_FINDINGS, 'check-server.json'],
  ] as const)('of the %s has the same form', async (side, runCheck, catalogue, file) => {
    const examine = async (state: 'usable' | 'unusable' | 'missing'): Promise<object> => {
      const configPath = join(folder, `${side}-${state}.conf`);
      if (state !== 'missing') writeFileSync(configPath, CONFIGS[state === 'usable' ? side : 'broken']);
      const { io, stdout, stderr } = recordedIo({ env: { STATE_DIRECTORY: join(folder, `${side}-${state}`) } });
      // Without a file the defaults count, and on their ports something may listen here.
      const flags = state === 'missing' ? FLAGS[side] : {};
      const exitCode = await runCheck({ configPath, flags, json: true }, io, machine);
      const report = JSON.parse(stdout()) as Report;
      expect([stderr(), report.exit_code, report.config]).toEqual(['', exitCode, configPath]);
      for (const { id } of report.findings) expect(Object.keys(catalogue)).toContain(id);
      return formOf(report);
    };
    const [usable, unusable, missing] = await Promise.all([examine('usable'), examine('unusable'), examine('missing')]);
    const forms = { 'config usable': usable, 'config unusable': unusable, 'config missing': missing };
    expectGoldenJson(file, forms);
  });
});

/** What a script may rely on: keys, examinations in their order, ids. Words and figures are left out. */
function formOf({ findings, summary, ...rest }: Report): object {
  return {
    keys: Object.keys({ ...rest, findings, summary }).sort(),
    'keys of summary': Object.keys(summary),
    exit_code: rest.exit_code,
    findings: findings.map(({ examination, id, ...finding }) =>
      OF_THE_MACHINE.includes(examination)
        ? `${examination}: (as the machine is)`
        : `${examination}: ${id} {${Object.keys(finding).join(', ')}}`,
    ),
  };
}
