/** Who may use the HTTP API. Only hashes are kept. */
export interface TokenStore {
  addToken(token: NewToken): Promise<Token>;
  /** Also those that are revoked or have expired; oldest first. */
  tokens(): Promise<readonly Token[]>;
  /** In force: neither revoked nor expired at `nowMs`. Notes the use, to the hour. */
  tokenByHash(hash: string, nowMs: number): Promise<Token | undefined>;
  /** By id. Revoking twice changes nothing. @throws StoreError NOT_FOUND */
  revokeToken(id: string, nowMs: number): Promise<Token>;
}

/** `write` includes reading. */
export type TokenScope = 'read' | 'write';

export interface NewToken {
  /** Public, short, random. */
  readonly id: string;
  readonly name: string;
  readonly scope: TokenScope;
  /** Lower-case hex of SHA-256 of the secret, which has 256 random bits (so a slow hash would add nothing). */
  readonly hash: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
}

export interface Token extends Omit<NewToken, 'hash'> {
  readonly lastUsedMs: number | null;
  readonly revokedMs: number | null;
}
