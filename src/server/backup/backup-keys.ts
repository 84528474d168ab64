import type { KeySpec, SectionSpec } from '../../config/schema.ts';

/** The section [backup] of server.conf. */
export const BACKUP_SECTION = {
  doc: 'Copies of the record, each with proof that it is whole. See docs/backup.md.',
  keys: {
    at: {
      format: 'time-of-day',
      default: '03:10',
      doc:
        'When to make a backup each day, such as 03:10, in the time zone of [house]. If the server did not run then, it makes the ' +
        'backup when it runs again. never: only by "techtemp-server backup".',
    },
    folder: {
      format: 'path',
      default: '',
      doc:
        'Where backups go, such as a mounted disk of another machine. Empty: the folder "backups" beside the record, which does not ' +
        'help when the card fails. A folder named here must exist, and the service must be allowed to write there (docs/backup.md).',
    },
    keep_daily: keep(7, 'days'),
    keep_weekly: keep(4, 'weeks'),
    keep_monthly: keep(12, 'months'),
    after: {
      format: 'text',
      default: '',
      doc:
        'A command to run with each finished backup, for example: rclone copy {file} {manifest} nas:techtemp. {file} and {manifest} stand for ' +
        'the paths. If it fails, the server reports it. Empty: none.',
    },
    test_days: {
      format: 'integer',
      default: 30,
      min: 0,
      max: 3_650,
      unit: 'days',
      doc: 'How often to unpack the newest backup and look through it, to prove that it can be restored. 0: never.',
    },
  },
} as const satisfies SectionSpec;

/** How many periods keep a backup. */
function keep(count: number, periods: string) {
  const doc = `How many ${periods} keep a backup, the newest of each; counted are ${periods} that have one. The newest of all always stays, and those of the last 24 hours.`;
  return { format: 'integer', default: count, min: 0, max: 10_000, doc } as const satisfies KeySpec;
}
