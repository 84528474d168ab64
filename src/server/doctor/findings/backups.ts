import type { FindingCatalogue } from '../../../doctor/finding.ts';

/** The copies of the record. */
export const BACKUP_FINDINGS = {
  'backup.ok': {
    verdict: 'ok',
    found: 'the newest backup is from {made} ({count} in {folder}); it holds {readings} readings',
  },
  'backup.never': {
    verdict: 'warn',
    found: 'no backup of the record is made: [backup] at = never',
    cause: 'the schedule is switched off in {configFile}',
    remedy: ['set a time for `at` in section [backup] of {configFile}', '$ sudo techtemp-server backup'],
  },
  'backup.none': {
    verdict: 'ok',
    found: 'there is no backup in {folder} yet; the server makes the first one a few minutes after its start',
  },
  'backup.problem': {
    verdict: 'warn',
    found: '{problem}',
    cause:
      'the folder {folder} is missing, full or not writable, the record is damaged, or the command of [backup] after fails',
    remedy: ['$ sudo techtemp-server backup', '$ sudo techtemp-server backups verify'],
  },
  'backup.unusable': {
    verdict: 'warn',
    found: '{count} file(s) in {folder} are no whole backups, such as {name}: {why}',
    cause: 'a backup was interrupted, or a file was changed or removed afterwards',
    remedy: ['$ sudo techtemp-server backups', 'remove what you do not need'],
  },
} as const satisfies FindingCatalogue;
