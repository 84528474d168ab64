import { type CommandIo, type ConfigOptions, EXIT_OK, type ExitCode } from '../../cli/command-io.ts';
import { printListing, tableOf } from '../../cli/listing.ts';
import type { Token, TokenScope } from '../store/store.ts';
import { createTokenId, createTokenSecret, hashToken } from '../tokens.ts';
import { isoOrNull, parseDurationOption, shownTime, withStore } from './command-store.ts';

export interface TokenCreateOptions extends ConfigOptions {
  /** For people: what or who holds it. */
  readonly name: string;
  readonly scope: TokenScope;
  /** `90d`; absent: until it is revoked. */
  readonly expires?: string;
  readonly json: boolean;
}

/**
 * Makes a token. Its secret goes to standard output, alone and once (the store keeps a hash), the rest to stderr, so that
 * `techtemp-server token create NAME > file` does what is meant. A running server honours it at once.
 */
export async function runTokenCreate(options: TokenCreateOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const { name, scope, expires, json } = options;
    const nowMs = io.clock.nowMs();
    const expiresMs = expires === undefined ? null : nowMs + parseDurationOption('--expires', expires);
    const secret = createTokenSecret();
    const hash = hashToken(secret);
    const token = await store.addToken({ id: createTokenId(), name, scope, hash, createdMs: nowMs, expiresMs });
    if (json) {
      io.stdout.write(`${JSON.stringify({ ...tokenRecord(token, nowMs), secret }, undefined, 2)}\n`);
      return EXIT_OK;
    }
    io.stdout.write(`${secret}\n`);
    const until =
      expiresMs === null ? `until "techtemp-server token revoke ${token.id}"` : `until ${shownTime(expiresMs)}`;
    io.stderr.write(
      `token ${token.id} (${name}) may ${scope === 'write' ? 'read and write' : 'read'} ${until}.\n` +
        'This is the only time that its secret is shown; use it as "Authorization: Bearer SECRET".\n',
    );
    return EXIT_OK;
  });
}

export interface TokenListOptions extends ConfigOptions {
  readonly json: boolean;
}

/** Lists tokens, those that are no longer in force too; never a secret. */
export async function runTokenList(options: TokenListOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const nowMs = io.clock.nowMs();
    const tokens = await store.tokens();
    const rows = tokens.map((token) => [
      token.id,
      token.name,
      token.scope,
      stateOf(token, nowMs),
      shownTime(token.createdMs),
      shownTime(token.expiresMs),
      shownTime(token.lastUsedMs),
    ]);
    printListing(io, options, {
      record: { tokens: tokens.map((token) => tokenRecord(token, nowMs)) },
      lines: tableOf(['id', 'name', 'scope', 'state', 'created', 'expires', 'last used'], rows),
      empty: 'no token yet; techtemp-server token create NAME makes one',
    });
    return EXIT_OK;
  });
}

export interface TokenRevokeOptions extends ConfigOptions {
  readonly id: string;
}

/** Ends a token; a running server refuses it at once. */
export async function runTokenRevoke(options: TokenRevokeOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store }) => {
    const { id, name, revokedMs } = await store.revokeToken(options.id, io.clock.nowMs());
    io.stdout.write(`token ${id} (${name}) is revoked since ${shownTime(revokedMs)}\n`);
    return EXIT_OK;
  });
}

function stateOf({ revokedMs, expiresMs }: Token, nowMs: number): 'in force' | 'revoked' | 'expired' {
  if (revokedMs !== null) return 'revoked';
  return expiresMs !== null && expiresMs <= nowMs ? 'expired' : 'in force';
}

function tokenRecord(token: Token, nowMs: number): object {
  const { id, name, scope, createdMs, expiresMs, lastUsedMs, revokedMs } = token;
  return {
    id,
    name,
    scope,
    state: stateOf(token, nowMs),
    created: isoOrNull(createdMs),
    expires: isoOrNull(expiresMs),
    last_used: isoOrNull(lastUsedMs),
    revoked: isoOrNull(revokedMs),
  };
}
