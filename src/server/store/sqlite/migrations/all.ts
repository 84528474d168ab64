import { RECORD_SQL } from './001-record.ts';
import { TOKENS_SQL } from './002-tokens.ts';
import { IDENTITY_SQL } from './003-identity.ts';
import { QUARANTINE_SQL } from './004-quarantine.ts';
import { VERDICT_SQL } from './005-verdict.ts';

/**
 * The way from an empty file to the present schema; the n-th brings it to version n. Only ever added to: a database of each
 * version is kept in test/fixtures/store and opened by a test.
 */
export const MIGRATIONS: readonly string[] = [RECORD_SQL, TOKENS_SQL, IDENTITY_SQL, QUARANTINE_SQL, VERDICT_SQL];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** `TTmp` in `PRAGMA application_id`: tells our files from those of other programs. */
export const APPLICATION_ID = 0x5454_6d70;
