import { createHash, randomBytes } from 'node:crypto';

/** Secrets begin with this, so that a person (and a scanner of leaked secrets) sees what they are. */
const SECRET_PREFIX = 'ttk_';
/** 256 bits: nothing shorter than the hash can be guessed sooner, and no slow hash is needed. */
const SECRET_BYTES = 32;
const ID_BYTES = 6;
/** 32 bytes in base64url. */
const SECRET_PATTERN = /^ttk_[A-Za-z0-9_-]{43}$/;

/** Where the bytes come from; tests give their own. Must be fit for secrets. */
export type SecretBytes = (length: number) => Uint8Array;

/** A new secret of a token. It is shown to a person once and kept nowhere; the store has its hash. */
export function createTokenSecret(bytes: SecretBytes = randomBytes): string {
  return SECRET_PREFIX + Buffer.from(bytes(SECRET_BYTES)).toString('base64url');
}

/** A new public name of a token, for listing and revoking. */
export function createTokenId(bytes: SecretBytes = randomBytes): string {
  return Buffer.from(bytes(ID_BYTES)).toString('hex');
}

/** What the store keeps: lower-case hex of SHA-256. */
export function hashToken(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex');
}

/** Whether a text can be a secret of ours at all; others need not be looked up. */
export function isTokenSecret(text: string): boolean {
  return SECRET_PATTERN.test(text);
}
