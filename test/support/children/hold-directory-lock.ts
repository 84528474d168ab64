import { createInterface } from 'node:readline';
import { type DirectoryLock, lockDirectory } from '../../../src/device/journal/directory-lock.ts';

// Another agent, as far as the lock of a journal is concerned. `take N`: N starts at the same moment, of the directory given; says
// how many got the lock, and the message of the first that did not. `free`: lets go of what it has.
const directory = process.argv[2] ?? '';
let held: DirectoryLock[] = [];

async function take(count: number): Promise<void> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, () => lockDirectory(directory)));
  const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  held = [...held, ...won];
  const refusal = outcomes.find((outcome) => outcome.status === 'rejected')?.reason as Error | undefined;
  process.stdout.write(`${JSON.stringify({ won: won.length, weak: won[0]?.weakness, refusal: refusal?.message })}\n`);
}

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [word = '', count = '1'] = line.split(' ');
  if (word === 'take') await take(Number(count));
  else {
    for (const lock of held) await lock.release();
    held = [];
    process.stdout.write('{"won":0}\n');
  }
}
