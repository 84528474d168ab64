import type { Database } from 'better-sqlite3';
import type { Token } from '../../token-store.ts';
import type { SqliteReader } from '../sync.ts';

/** A Token, without its hash. */
export const TOKEN_COLUMNS = `id, name, scope, created_ms AS createdMs, expires_ms AS expiresMs, last_used_ms AS lastUsedMs,
  revoked_ms AS revokedMs`;

export function createTokenReader(db: Database): Pick<SqliteReader, 'tokens' | 'tokenByHash'> {
  const all = db.prepare<[], Token>(`SELECT ${TOKEN_COLUMNS} FROM tokens ORDER BY created_ms, id`);
  const inForce = db.prepare<[string, number], Token>(`
    SELECT ${TOKEN_COLUMNS} FROM tokens WHERE hash = ? AND revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?)`);
  return {
    tokens: () => all.all(),
    tokenByHash: (hash, nowMs) => inForce.get(hash, nowMs),
  };
}
