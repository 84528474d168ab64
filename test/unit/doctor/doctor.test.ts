import { describe, expect, it } from 'vitest';
import { report } from '../../../src/device/doctor/findings/catalogue.ts';
import {
  type Diagnosis,
  type Examination,
  examine,
  printDiagnosis,
  printSummary,
  summarise,
} from '../../../src/doctor/doctor.ts';

const examination = (run: Examination['run']): Examination => ({ id: 'organ', title: 'Organ', run });
const neverAborted = new AbortController().signal;

async function diagnose(...examinations: readonly Examination[]): Promise<readonly Diagnosis[]> {
  const diagnoses: Diagnosis[] = [];
  for await (const diagnosis of examine(examinations, neverAborted)) diagnoses.push(diagnosis);
  return diagnoses;
}

describe('the doctor', () => {
  it('goes on when one examination stumbles, and says so', async () => {
    const diagnoses = await diagnose(
      examination(() => Promise.reject(new TypeError('unforeseen'))),
      examination(() => Promise.resolve([report('power.ok')])),
    );
    expect(diagnoses.flatMap(({ findings }) => findings).map(({ id }) => id)).toEqual(['check.stumbled', 'power.ok']);
    expect(diagnoses[0]?.findings[0]?.found).toContain('unforeseen');
  });

  it('stops at once when it is told to', async () => {
    const stop = new AbortController();
    const doctor = examine(
      [
        examination((signal) => {
          stop.abort(new Error('enough'));
          signal.throwIfAborted();
          return Promise.resolve([]);
        }),
      ],
      stop.signal,
    );
    await expect(doctor.next()).rejects.toThrow('enough');
  });

  it('counts verdicts', async () => {
    const diagnoses = await diagnose(
      examination(() => Promise.resolve([report('power.ok'), report('power.no-pi')])),
      examination(() => Promise.resolve([report('bus.off'), report('power.low-before', { flags: '0x50000' })])),
    );
    const summary = summarise(diagnoses);
    expect(summary).toEqual({ ok: 1, warn: 1, fail: 1, skipped: 1 });
    expect(printSummary(summary)).toBe('1 ok, 1 warning, 1 failure, 1 not examined');
    expect(printSummary({ ok: 0, warn: 0, fail: 2, skipped: 0 })).toBe('0 ok, 0 warnings, 2 failures, 0 not examined');
  });

  it('prints findings as an aligned list, with cause and remedy below', async () => {
    const [diagnosis] = await diagnose(examination(() => Promise.resolve([report('power.ok'), report('bus.off')])));
    expect(printDiagnosis(diagnosis!)).toBe(
      [
        '  ok    Organ             no under-voltage since start',
        '  FAIL  Organ             there is no /dev/i2c-* on this machine',
        '                          cause   I2C is switched off, as on every new Raspberry Pi OS',
        '                          remedy  $ sudo raspi-config nonint do_i2c 0',
        '                                  $ ls /dev/i2c-*',
        '                                  nothing listed? then restart the Pi:',
        '                                  $ sudo reboot',
        '',
      ].join('\n'),
    );
  });

  it('indents what takes several lines', async () => {
    const finding = report('config.invalid', { problem: 'one\ntwo', file: 'f' });
    const [diagnosis] = await diagnose(examination(() => Promise.resolve([finding])));
    expect(printDiagnosis(diagnosis!)).toContain(`\n${' '.repeat(26)}two\n`);
  });
});
