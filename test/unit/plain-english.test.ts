import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { proseOf } from '../support/prose.ts';

const root = resolve(import.meta.dirname, '../..');

/** Words that have crept in before and have to be read twice, and what to write in their place. */
const AVOID: readonly (readonly [words: RegExp, better: string])[] = [
  [/\bwho(so)?ever\b/i, 'anyone who, the program that'],
  [/\b(hitherto|henceforth|herewith|thereof|therein|whereof|wherein|whereby|lest|amiss)\b/i, 'a common word'],
  [/(?<![`'-])\bnobody\b(?! is subscribed\)|[`'])/i, 'no program, no person, not known'],
  [/\bthat of (a|an|the|its|our|this|others|another|older)\b/i, 'repeat the noun'],
  [/\bin good order\b/i, 'normally, without an error'],
  [
    /\b(is|are) no (device|sensor|account|address|record|server name|key\b(?! for))s?\b(?<!there (is|are) no \w+)/i,
    'is not a ...',
  ],
  [/\bnothing of (that|it|this)\b/i, 'none of this, no part of it'],
  [/\b(the house knows|its own word|meals?|organs?)\b/i, 'what happens, without a picture'],
  [/\b(is|was|be|falls?|so|too|as) ill\b|\billness\b/i, 'does not work, is damaged'],
  [/\bin vain\b/i, 'without a result'],
  [/\banew\b/i, 'again'],
  [/\bmend(s|ed|ing)?\b/i, 'correct, repair'],
  [/\b(by|of|to|for|from) whom\b/i, 'who ... by'],
  [/\bupon\b/i, 'on'],
  [/\bhimself|herself\b/i, 'itself'],
];

/** Separates the parts of access lists that are already installed, so it stays as it is. */
const KEPT = '# --- below: accounts that are no devices';

function found(...patterns: readonly string[]): readonly string[] {
  const lines = proseOf(root, ...patterns);
  return lines.flatMap(({ place, text }) =>
    AVOID.flatMap(([words, better]) => {
      const match = words.exec(text.replace(KEPT, ''));
      return match === null ? [] : [`${place}: "${match[0]}" (better: ${better})`];
    }),
  );
}

describe('plain English', () => {
  it('in what people read first', () => {
    expect(found('README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs')).toEqual([]);
  });

  it('in the installer, the units, and the settings of other programs', () => {
    const patterns = ['bootstrap-pi.sh', 'scripts', 'systemd', 'config/mosquitto', 'config/container'];
    expect(found(...patterns)).toEqual([]);
  });

  it('in comments, messages and texts of the programs', () => {
    // A migration is never changed, not even in its words. The other languages of the dashboard are not English, though some words
    // look like it.
    expect(
      found(
        'src',
        'drivers',
        ':!src/server/store/sqlite/migrations',
        ':!src/dashboard/text/fr.ts',
        ':!src/dashboard/text/nl.ts',
        ':!src/dashboard/text/de.ts',
      ),
    ).toEqual([]);
  });

  it('sees the words that it looks for', () => {
    const sentences = [
      'Whoever may read this file may read it',
      'where nobody says otherwise',
      'the port is that of the encrypted listener',
      'the agent ends in good order',
      'accounts that are no devices',
      'Nothing of that',
      'the store is ill',
      'mend the cause',
    ];
    expect(sentences.filter((sentence) => !AVOID.some(([words]) => words.test(sentence)))).toEqual([]);
  });
});
