import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIni, quoteIni } from '../../../src/config/ini.ts';

/** The value of `key` in section [s], or the complaint. */
function valueOf(line: string): string {
  const { entries, problems } = parseIni(`[s]\n${line}\n`);
  return problems[0] === undefined ? (entries[0]?.value ?? 'no entry') : `complaint: ${problems[0].complaint}`;
}

describe('parseIni', () => {
  it('knows the section and the line of each key', () => {
    const text = '# head\n[a]\none = 1\n\n; note\n[b]  # second\ntwo=2\n';
    expect(parseIni(text)).toEqual({
      sections: [
        { name: 'a', line: 2 },
        { name: 'b', line: 6 },
      ],
      entries: [
        { section: 'a', key: 'one', value: '1', line: 3, comment: 'none' },
        { section: 'b', key: 'two', value: '2', line: 7, comment: 'none' },
      ],
      problems: [],
      endsInMidLine: false,
    });
  });

  it('takes white space, then # or ;, for the beginning of a comment', () => {
    expect(valueOf('key = info  # DEBUG, INFO')).toBe('info');
    expect(valueOf('key = info\t; DEBUG')).toBe('info');
    expect(valueOf('key =      # nothing set')).toBe('');
    expect(valueOf('key = a#b;c')).toBe('a#b;c');
    expect(valueOf('key =#b')).toBe('#b');
    expect(valueOf('key = a=b = c')).toBe('a=b = c');
  });

  it('does not guess whether a value that begins with # is a comment', () => {
    expect(valueOf('key = #secret')).toContain('Quote the value');
    expect(valueOf('key = "#secret"')).toBe('#secret');
  });

  it('tells a comment that is glued to its sign, which may have been part of the value', () => {
    const comments = parseIni('[s]\na = Room #2\nb = Room # two\nc = Room\nd = "Room" #2\n').entries;
    expect(comments.map(({ comment }) => comment)).toEqual(['glued', 'spaced', 'none', 'none']);
  });

  it('removes quotes and keeps what is inside them', () => {
    expect(valueOf('key = "Living room"')).toBe('Living room');
    expect(valueOf("key = ' a # b '  # comment")).toBe(' a # b ');
    expect(valueOf('key = "say ""hello"""')).toBe('say "hello"');
    expect(valueOf("key = 'it''s'")).toBe("it's");
    expect(valueOf('key = ""')).toBe('');
    expect(valueOf("key = O'Brien")).toBe("O'Brien");
    expect(valueOf('key = "C:\\new"')).toBe('C:\\new');
  });

  it('complains about quotes that are not closed or closed too early', () => {
    expect(valueOf('key = "Living room')).toContain('never closed');
    expect(valueOf('key = "Living" room')).toContain('after the closing "');
    expect(valueOf('key = "Living"#room')).toContain('after the closing "');
    expect(valueOf("key = '")).toContain('never closed');
  });

  it('reads files of Windows and files with a byte order mark', () => {
    const { entries, problems } = parseIni('\uFEFF[s]\r\nkey = value\r\n');
    expect(problems).toEqual([]);
    expect(entries).toMatchObject([{ section: 's', key: 'key', value: 'value', line: 2 }]);
  });

  it('names both lines of a key or section that is there twice, and goes on reading', () => {
    const { problems, entries } = parseIni('[a]\nx = 1\nx = 2\n[b]\nx = 3\n[a]\nx = 4\ny = 5\n');
    expect(problems).toEqual([
      { line: 3, key: 'a.x', complaint: 'is already set on line 2; keep one of the two' },
      { line: 6, key: '[a]', complaint: 'is already on line 1; put the keys of both into one' },
      { line: 7, key: 'a.x', complaint: 'is already set on line 2; keep one of the two' },
    ]);
    expect(entries.map(({ section, key, value }) => `${section}.${key}=${value}`)).toEqual(['a.x=1', 'b.x=3', 'a.y=5']);
  });

  it('never repeats the text of a line that it does not understand, for it could be a password', () => {
    const { problems } = parseIni('early = hunter2\n[s]\nhunter2\n[hunter2\n[]\n= hunter2\nkey = "hunter2\n');
    expect(problems.map(({ line }) => line)).toEqual([1, 3, 4, 5, 6, 7]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  it('finds damage: the zeros that a power cut leaves, a lone carriage return, other control characters', () => {
    for (const damage of ['\0\0\0\0', 'key = a\0b', 'key = a\rb', 'key = \u001b[31m']) {
      expect(parseIni(`[s]\n${damage}\n`).problems).toMatchObject([{ line: 2 }]);
    }
  });

  it('sees whether the last line was ended', () => {
    expect(parseIni('[s]\nkey = va').endsInMidLine).toBe(true);
    expect(parseIni('[s]\nkey = value\n').endsInMidLine).toBe(false);
    expect(parseIni('').endsInMidLine).toBe(false);
  });

  it('reads names of a prototype like any other', () => {
    const { entries } = parseIni('[__proto__]\nconstructor = 1\n[constructor]\n__proto__ = 2\n');
    expect(entries.map(({ section, key }) => [section, key])).toEqual([
      ['__proto__', 'constructor'],
      ['constructor', '__proto__'],
    ]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('parseIni and quoteIni, with any text', () => {
  const lineOfText = fc
    .string({ unit: 'binary' })
    .filter((text) => !/\p{Cc}/u.test(text) && !/^[\uFEFF]|[\uFEFF]$/.test(text) && !/\p{Cs}/u.test(text));

  it('never throws', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('\n', '\r\n', '[', ']', '[a]', '=', ' #', '"', "'", 'a = b', '\0'),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        parseIni(pieces.join(''));
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });

  it('reads back every value that it has quoted, also with a comment behind it', () => {
    fc.assert(
      fc.property(lineOfText, (value) => {
        const text = `[s]\nkey = ${quoteIni(value)}\nother = ${quoteIni(value)}  # where it comes from\n`;
        const { entries, problems } = parseIni(text);
        expect(problems).toEqual([]);
        expect(entries.map((entry) => entry.value)).toEqual([value, value]);
      }),
      { seed: 2, numRuns: 2_000 },
    );
  });

  it('gives every complete line of a file that was cut off its right meaning', () => {
    const whole = '[a]\none = 1\ntwo = "2 # 2"\n[b]\nthree = 3 # comment\n';
    const all = parseIni(whole).entries;
    for (let length = 0; length < whole.length; length += 1) {
      const { entries, endsInMidLine } = parseIni(whole.slice(0, length));
      const complete = endsInMidLine ? entries.slice(0, -1) : entries;
      expect(complete).toEqual(all.slice(0, complete.length));
    }
  });
});
