import { describe, expect, it } from 'vitest';
import { createJournalLog } from '../../../src/device/journal-log.ts';
import type { Log } from '../../../src/platform/log.ts';

describe('what the log says of a journal that is full', () => {
  const full = {
    level: 'warn',
    what: 'full',
    message: 'the journal is full: 90 readings had to go',
    path: '/j',
  } as const;

  function logged() {
    const lines: (readonly [level: string, words: string])[] = [];
    const line = (level: string) => (fields: object, words: string) => {
      expect(fields).toEqual({ path: '/j' });
      lines.push([level, words]);
    };
    const log: Log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
    let isWithoutServer = false;
    const say = createJournalLog(log, () => isWithoutServer);
    return {
      lines,
      say,
      withoutServer: (is: boolean) => {
        isWithoutServer = is;
      },
    };
  }

  it('is a warning each time while a server should have taken the readings', () => {
    const { lines, say } = logged();
    say(full);
    say(full);
    expect(lines).toEqual([
      ['warn', full.message],
      ['warn', full.message],
    ]);
  });

  it('is one line of information where no program subscribes, and a warning again once there is a server', () => {
    const { lines, say, withoutServer } = logged();
    withoutServer(true);
    say(full);
    say(full);
    expect(lines).toEqual([['info', expect.stringContaining('normal with Home Assistant only') as unknown]]);
    withoutServer(false);
    say(full);
    withoutServer(true);
    say(full);
    expect(lines.map(([level]) => level)).toEqual(['info', 'warn', 'info']);
  });

  it('changes nothing of what else the journal tells', () => {
    const { lines, say, withoutServer } = logged();
    withoutServer(true);
    say({ level: 'error', message: 'readings go to memory', path: '/j' });
    expect(lines).toEqual([['error', 'readings go to memory']]);
  });
});
