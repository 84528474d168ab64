import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FINDINGS, report } from '../../../src/device/doctor/findings/catalogue.ts';
import type { FindingCatalogue } from '../../../src/doctor/finding.ts';
import { commandLines, examiningCode, findingsPage } from '../../support/findings-page.ts';

const catalogue: FindingCatalogue = FINDINGS;
const ids = Object.keys(catalogue);
const faults = ids.filter((id) => ['warn', 'fail'].includes(catalogue[id]?.verdict ?? ''));

describe('the findings of the doctor', () => {
  it('each have words of their own, and every fault has a cause and a remedy', () => {
    const found = ids.map((id) => catalogue[id]?.found);
    expect(new Set(found.filter((text) => text !== '{problem}')).size).toBe(
      found.filter((text) => text !== '{problem}').length,
    );
    for (const id of faults) {
      expect(catalogue[id]?.cause, id).toBeTruthy();
      expect(catalogue[id]?.remedy?.length, id).toBeGreaterThan(0);
    }
  });

  it('are all reported by an examination', () => {
    const code = examiningCode('device');
    expect(ids.filter((id) => !code.includes(`'${id}'`))).toEqual([]);
  });

  it('are faults that a test causes, each of them, and far more than twenty', () => {
    const integration = readdirSync('test/integration').filter((name) => name.startsWith('check-command'));
    const tests =
      integration.map((name) => readFileSync(join('test/integration', name), 'utf8')).join('\n') +
      readFileSync('test/unit/doctor/machine-examinations.test.ts', 'utf8') +
      readFileSync('test/unit/doctor/doctor.test.ts', 'utf8');
    expect(faults.filter((id) => !tests.includes(id))).toEqual([]);
    expect(faults.length).toBeGreaterThan(60);
  });

  it('take no shell special for granted: a command line is one that a person can paste', () => {
    const commands = commandLines(catalogue);
    expect(commands.length).toBeGreaterThan(50);
    for (const command of commands) expect(command).not.toMatch(/[“”‘’…]/);
  });

  it('fill in every fact', () => {
    const finding = report('bus.wrong-number', {
      bus: '/dev/i2c-3',
      number: 3,
      others: '/dev/i2c-1',
      where: '0x38 answers on /dev/i2c-1',
      suggestion: 1,
      file: '/etc/techtemp/device.conf',
    });
    expect(finding).toEqual({
      id: 'bus.wrong-number',
      verdict: 'fail',
      found: '/dev/i2c-3 does not exist, but /dev/i2c-1 does; 0x38 answers on /dev/i2c-1',
      cause: expect.stringContaining('i2c_bus = 3') as string,
      remedy: ['in /etc/techtemp/device.conf: i2c_bus = 1', '$ i2cdetect -l'],
    });
  });

  // `npx vitest run test/unit/doctor/findings.test.ts -u` writes the page anew.
  it('stand in FINDINGS.md, as they are', async () => {
    await expect(findingsPage('techtemp-device', INTRODUCTION, catalogue)).toMatchFileSnapshot(
      '../../../src/device/doctor/FINDINGS.md',
    );
  });
});

const INTRODUCTION = [
  'Made from the catalogue in `findings/`; `test/unit/doctor/findings.test.ts` keeps both equal and makes sure that each fault',
  'is caused by a test. `{name}` is filled in with what was found. Exit code: 0 when nothing failed (warnings do not count), 1 when',
  'something did, 78 when the config cannot be used.',
  '',
  'The right to publish is tested with an empty batch (`[]`, QoS 1, not retained) on `backlog`: a server stores nothing for it,',
  'older servers and Home Assistant do not listen there, and nothing stays behind. The doctor connects with the client id of the',
  'agent and `-check` behind it, so a running agent keeps its connection; on the sensor both take turns.',
];
