import { createHash } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The 16 bytes, written as a UUID, under which a boot id lies on disk. Linux names its boots by UUIDs, which stand for
 * themselves; any other name (a developer's machine without boot ids) stands there by its hash.
 */
export function bootKeyOf(bootId: string): string {
  if (UUID.test(bootId)) return bootId;
  const hex = createHash('sha256').update(bootId).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Gives the boots that were named in this process their names back; boots of earlier runs keep their keys as names. */
export class BootNames {
  readonly #names = new Map<string, string>();

  keyOf(bootId: string): string {
    const key = bootKeyOf(bootId);
    if (key !== bootId) this.#names.set(key, bootId);
    return key;
  }

  nameOf(key: string): string {
    return this.#names.get(key) ?? key;
  }
}
