import type { Database } from 'better-sqlite3';
import { type NewToken, StoreError, type Token, type TokenStore } from '../store.ts';
import type { Sync } from './calls.ts';

/** On the writing connection; each call is one transaction. */
export interface TokenWriter extends Sync<Pick<TokenStore, 'addToken' | 'revokeToken'>> {
  /** Sets `last_used_ms` unless it is as late already; an unknown id changes nothing. */
  noteTokenUse(id: string, usedMs: number): void;
}

/** A Token, without its hash. */
export const TOKEN_COLUMNS = `id, name, scope, created_ms AS createdMs, expires_ms AS expiresMs, last_used_ms AS lastUsedMs,
  revoked_ms AS revokedMs`;

export function createTokenReader(db: Database): Sync<Pick<TokenStore, 'tokens' | 'tokenByHash'>> {
  const all = db.prepare<[], Token>(`SELECT ${TOKEN_COLUMNS} FROM tokens ORDER BY created_ms, id`);
  const inForce = db.prepare<[string, number], Token>(`
    SELECT ${TOKEN_COLUMNS} FROM tokens WHERE hash = ? AND revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?)`);
  return {
    tokens: () => all.all(),
    tokenByHash: (hash, nowMs) => inForce.get(hash, nowMs),
  };
}

const ADD = `
  INSERT INTO tokens (id, name, scope, hash, created_ms, expires_ms) VALUES (:id, :name, :scope, :hash, :createdMs, :expiresMs)
  ON CONFLICT DO NOTHING`;

export function createTokenWriter(db: Database): TokenWriter {
  const add = db.prepare(ADD);
  const byId = db.prepare<[string], Token>(`SELECT ${TOKEN_COLUMNS} FROM tokens WHERE id = ?`);
  const revoke = db.prepare<[number, string]>('UPDATE tokens SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL');
  const use = db.prepare<[number, string, number]>(
    'UPDATE tokens SET last_used_ms = ? WHERE id = ? AND (last_used_ms IS NULL OR last_used_ms < ?)',
  );
  const found = (id: string): Token => {
    const token = byId.get(id);
    if (token === undefined) throw new StoreError('NOT_FOUND', `there is no token ${id}; "token list" shows them all`);
    return token;
  };
  return {
    addToken: db.transaction(({ id, name, scope, hash, createdMs, expiresMs }: NewToken) => {
      const { changes } = add.run({ id, name, scope, hash, createdMs, expiresMs });
      if (changes === 0)
        throw new StoreError('EXISTS', `token ${id} is there already, or its secret; make another one`);
      return found(id);
    }),
    revokeToken: db.transaction((id: string, nowMs: number) => {
      revoke.run(nowMs, id);
      return found(id);
    }),
    noteTokenUse(id, usedMs) {
      use.run(usedMs, id, usedMs);
    },
  };
}
