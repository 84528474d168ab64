import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { JournalError } from '../../../src/device/journal/journal.ts';
import { installLastWords, lastWords } from '../../../src/platform/signals.ts';
import { StoreError } from '../../../src/server/store/store.ts';

const read = (path: string): unknown => {
  try {
    return readFileSync(path);
  } catch (error) {
    return error;
  }
};

describe('an error that nobody has handled (D11)', () => {
  it('is told in one line: our own as they are, for they say what to do', () => {
    expect(
      lastWords(new JournalError('JOURNAL_LOCKED', 'Another agent uses it. Stop that one.'), 'techtemp-device'),
    ).toBe('techtemp-device ends: Another agent uses it. Stop that one.');
    expect(lastWords(new StoreError('STORE_MISSING', 'There is none.\nPut it back.'), 'techtemp-server')).toBe(
      'techtemp-server ends: There is none. Put it back.',
    );
  });

  it("names the file in the system's own", () => {
    expect(lastWords(read('/nowhere/at/all'), 'techtemp-server')).toMatch(
      /ENOENT.*\/nowhere\/at\/all.*who may use it\.$/,
    );
  });

  it('says of any other one that it is a bug, and where, without a stack and without secrets', () => {
    const words = lastWords(new TypeError('cannot read mqtt://u:hush@host\n    at somewhere'), 'techtemp-server');
    expect(words).toMatch(
      /^techtemp-server ends: cannot read mqtt:\/\/u:\[secret\]@host at somewhere \(in [^ ]+:\d+\)\. This is a bug/,
    );
    expect(words).not.toContain('\n');
    expect(lastWords('no error at all', 'npm start')).toContain('This is a bug');
  });

  it('ends the program', () => {
    const said: string[] = [];
    const handlers: ((error: unknown) => void)[] = [];
    installLastWords(
      {
        stderr: { write: (text) => said.push(text) },
        on: (_, handler) => handlers.push(handler),
        exit: (code) => said.push(`exit ${code}`),
      },
      'techtemp-server',
    );
    handlers[0]?.(new StoreError('STORE_FULL', 'Full. Make room.'));
    expect(said).toEqual(['techtemp-server ends: Full. Make room.\n', 'exit 1']);
  });
});
