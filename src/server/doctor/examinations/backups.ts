import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import type { Clock } from '../../../platform/clock.ts';
import { listBackups } from '../../backup/backup-folder.ts';
import { backupFolder, backupProblem, lastDueMs } from '../../backup/backup-schedule.ts';
import { readBackupState } from '../../backup/backup-state.ts';
import type { ServerConfig } from '../../config.ts';
import { report } from '../findings/catalogue.ts';

/** What lies in the folder of the backups, and what became of the last try. */
export function backupExamination(parts: {
  readonly config: Pick<ServerConfig, 'backup' | 'house'>;
  readonly configFile: string;
  readonly recordPath: string;
  readonly clock: Pick<Clock, 'nowMs'>;
}): Examination {
  const { config, configFile, recordPath, clock } = parts;
  return {
    id: 'backup',
    title: 'Backups',
    run: async () => {
      const folder = backupFolder(config.backup, recordPath);
      const { backups, unusable } = await listBackups(folder).catch(() => ({ backups: [], unusable: [] }));
      const [newest] = backups;
      const nowMs = clock.nowMs();
      const dueMs = lastDueMs(config.backup.at, nowMs, config.house.timeZone);
      const state = await readBackupState(recordPath);
      const problem = backupProblem({ newestMs: newest?.madeMs ?? null, state, dueMs }, nowMs);
      const findings: Finding[] = [];
      if (dueMs === undefined && newest === undefined) findings.push(report('backup.never', { configFile }));
      if (problem !== undefined) findings.push(report('backup.problem', { problem, folder }));
      const [bad] = unusable;
      if (bad !== undefined) findings.push(report('backup.unusable', { count: unusable.length, folder, ...bad }));
      if (findings.length > 0) return findings;
      if (newest === undefined) return [report('backup.none', { folder })];
      const made = new Date(newest.madeMs).toISOString();
      return [
        report('backup.ok', { made, count: backups.length, folder, readings: newest.manifest.tables['readings'] ?? 0 }),
      ];
    },
  };
}
