import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FindingCatalogue } from '../../../../src/doctor/finding.ts';
import { COMMON_FINDINGS } from '../../../../src/doctor/findings/catalogue.ts';
import { FINDINGS } from '../../../../src/server/doctor/findings/catalogue.ts';
import { commandLines, examiningCode, findingsPage } from '../../../support/findings-page.ts';

const catalogue: FindingCatalogue = FINDINGS;
const ids = Object.keys(catalogue);
const faults = ids.filter((id) => ['warn', 'fail'].includes(catalogue[id]?.verdict ?? ''));
const own = faults.filter((id) => !(id in COMMON_FINDINGS));

describe("the findings of the server's doctor", () => {
  it('have a cause and a remedy where something is wrong', () => {
    for (const id of faults) {
      expect(catalogue[id]?.cause, id).toBeTruthy();
      expect(catalogue[id]?.remedy?.length, id).toBeGreaterThan(0);
    }
  });

  it('are all reported by an examination', () => {
    const code = examiningCode('server');
    expect(ids.filter((id) => !code.includes(`'${id}'`))).toEqual([]);
  });

  it('are faults that a test causes, each of them', () => {
    const tests = readdirSync('test/integration/server')
      .filter((name) => name.startsWith('check-command'))
      .map((name) => readFileSync(join('test/integration/server', name), 'utf8'))
      .concat(readFileSync('test/integration/check-command-ordinary-user.test.ts', 'utf8'))
      .join('\n');
    expect(own.filter((id) => !tests.includes(id))).toEqual([]);
  });

  it('take no shell special for granted: a command line is one that a person can paste', () => {
    const commands = commandLines(catalogue);
    for (const command of commands) expect(command).not.toMatch(/[“”‘’…]/);
  });

  // `npx vitest run test/unit/server/doctor/findings.test.ts -u` writes the page anew.
  it('stand in FINDINGS.md, as they are', async () => {
    await expect(findingsPage('techtemp-server', INTRODUCTION, catalogue)).toMatchFileSnapshot(
      '../../../../src/server/doctor/FINDINGS.md',
    );
  });
});

const INTRODUCTION = [
  'Made from the catalogue in `findings/` and the one that both programs share (`src/doctor/findings/`);',
  '`test/unit/server/doctor/findings.test.ts` keeps both equal and makes sure that each fault is caused by a test. `{name}` is filled',
  'in with what was found. Exit code: 0 when nothing failed (warnings do not count), 1 when something did, 78 when the config cannot',
  'be used.',
  '',
  'The doctor connects with the client id of the server and `-check` behind it, and a session that ends with the look, so a running',
  'server keeps its connection. The rights to publish are tested with `{"state":"check"}` on the server\'s own topic, not retained',
  '(agents find no state in it that they know, and change nothing), and with an empty receipt for a device that there is not.',
];
