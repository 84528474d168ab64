import { afterEach, describe, expect, it } from 'vitest';
import type { BackupReport } from '../../../../src/server/backup/backup-schedule.ts';
import { ApiRig } from '../../../support/api-rig.ts';

const NOW_MS = Date.UTC(2026, 5, 15, 12);
let rig: ApiRig;
afterEach(async () => rig.close());

async function told(report: BackupReport | undefined): Promise<{ readonly ready: unknown; readonly metrics: string }> {
  rig = await ApiRig.open({ nowMs: NOW_MS, backups: () => report });
  const { body } = await rig.ask('/ready');
  const { text } = await rig.ask('/metrics');
  return { ready: body, metrics: text };
}

describe('the backups in /ready and /metrics', () => {
  it('are told with age and size', async () => {
    const { ready, metrics } = await told({ newestMs: NOW_MS - 3_600_000, bytes: 2_000_000 });
    expect(ready).toMatchObject({ status: 'ready', backup: { age_s: 3600, bytes: 2_000_000 } });
    expect(metrics).toContain('techtemp_backup_age_seconds 3600');
    expect(metrics).toContain('techtemp_backup_size_bytes 2000000');
    expect(metrics).toContain('techtemp_backup_failed 0');
  });

  it('are a warning when something is wrong, and the server stays ready', async () => {
    const { ready, metrics } = await told({ newestMs: null, bytes: null, problem: 'the last backup failed: no room' });
    expect(ready).toMatchObject({
      status: 'ready',
      backup: { age_s: null, warning: 'the last backup failed: no room' },
    });
    expect(metrics).toContain('techtemp_backup_failed 1');
    expect(metrics).not.toMatch(/^techtemp_backup_age_seconds /m);
  });

  it('are not mentioned before the first look', async () => {
    const { ready, metrics } = await told(undefined);
    expect(ready).not.toHaveProperty('backup');
    expect(metrics).not.toMatch(/^techtemp_backup_failed /m);
  });
});
