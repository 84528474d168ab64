import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface HostileMessage {
  readonly name: string;
  readonly topic: string;
  readonly payload: Buffer;
  /** What must become of it: a reason of rejection, of one of its items, or the kind of what is stored. */
  readonly fate: string;
}

const folder = join(import.meta.dirname, '../fixtures/hostile-messages');

/** The corpus: one file a message; its first line is the topic, its second the fate, then the payload byte for byte. */
export function hostileMessages(): readonly HostileMessage[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.msg'))
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(folder, name));
      const first = bytes.indexOf('\n');
      const second = bytes.indexOf('\n', first + 1);
      return {
        name: name.replace('.msg', ''),
        topic: bytes.toString('utf8', 0, first),
        fate: bytes.toString('utf8', first + 1, second),
        payload: bytes.subarray(second + 1),
      };
    });
}
