import { writeSync } from 'node:fs';
import { openJournalSet } from '../../../src/device/journal/journal-set.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { journalSection, testReading } from '../journal-rig.ts';
import { testLive } from '../recording.ts';

/**
 * Another process that appends readings as fast as the disk takes them, until it is killed: `path first-index max-readings
 * release-lag`. Says each one once the journal has it, and releases what is older than the lag (0: nothing).
 */
const [path = '', first = '1', maxReadings = '0', lag = '0'] = process.argv.slice(2);
const set = await openJournalSet({
  settings: testLive(journalSection({ path, maxReadings: Number(maxReadings) })),
  device: testLive({ deviceUid: 'aht20-0a1b2c' }),
  defaultPath: path,
  clock: createSystemClock(),
  onEvent: ({ level, message }) => {
    if (level === 'error') say(`error ${message}`);
  },
});
say('open');
for (let index = Number(first); ; index += 1) {
  const { journal, entry } = await set.append(testReading(index));
  say(`${journal.epoch} ${entry.seq} ${index}`);
  const releasedTo = entry.seq - Number(lag);
  if (Number(lag) > 0 && releasedTo > 0) {
    say(`released ${journal.epoch} ${releasedTo}`);
    journal.release([[1, releasedTo]]);
  }
}

/** Written before anything else happens: what the parent has not read by a kill was still said. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
