/**
 * Characters that make a value look right and be wrong: those that cannot be seen, and those that word processors, web pages and
 * telephones put in place of others. Messages name them by code point.
 */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x85, 'next line'],
  [0xa0, 'no-break space'],
  [0xab, 'typographic quote'],
  [0xad, 'soft hyphen'],
  [0xbb, 'typographic quote'],
  [0x200b, 'zero-width space'],
  [0x200c, 'zero-width non-joiner'],
  [0x200d, 'zero-width joiner'],
  [0x200e, 'left-to-right mark'],
  [0x200f, 'right-to-left mark'],
  [0x2010, 'hyphen, not the -'],
  [0x2011, 'no-break hyphen, not the -'],
  [0x2012, 'figure dash, not the -'],
  [0x2013, 'en dash, not the -'],
  [0x2014, 'em dash, not the -'],
  [0x2018, 'typographic quote'],
  [0x2019, 'typographic quote'],
  [0x201a, 'typographic quote'],
  [0x201c, 'typographic quote'],
  [0x201d, 'typographic quote'],
  [0x201e, 'typographic quote'],
  [0x2028, 'line separator'],
  [0x2029, 'paragraph separator'],
  [0x2060, 'word joiner'],
  [0x2212, 'minus sign, not the -'],
  [0xfeff, 'byte order mark'],
]);
/** Format characters, separators of lines, and the controls above ASCII (those of ASCII have complaints of their own). */
const INVISIBLE = /^[\p{Cf}\p{Zl}\p{Zp}\u0080-\u009f]$/u;
/** Letters of a script, flags and families among the emoji are written with these. */
const WRITTEN_WITH = /^[\u200c\u200d\u{e0020}-\u{e007f}]$/u;
const OPENING = /^[“”„«»‘’‚]/u;
const CLOSING = /[“”«»‘’]$/u;
/** Beyond the Latin ones: ．１ and the like, which look as wide as they are. */
const FULL_WIDTH = /^[\uff01-\uff5e]$/u;
const MOST_NAMED = 3;

/** `U+200B (zero-width space)`, several divided by commas; undefined where there is nothing odd in the text. */
export function oddCharacters(text: string): string | undefined {
  return named(Array.from(text).filter((character) => isInvisible(character) || isLookalike(character)));
}

/** Those that cannot be seen and that no language needs. */
export function invisibleCharacters(text: string): string | undefined {
  return named(Array.from(text).filter((character) => isInvisible(character) && !WRITTEN_WITH.test(character)));
}

/** What is wrong with a text that may hold any letter; undefined where nothing is. */
export function oddTextComplaint(text: string): string | undefined {
  const invisible = invisibleCharacters(text);
  if (invisible !== undefined) return `holds ${invisible}, which cannot be seen; write the value again`;
  if (text.length < 2 || !OPENING.test(text) || !CLOSING.test(text)) return undefined;
  const quotes = named([text.charAt(0), text.charAt(text.length - 1)]) ?? '';
  return `stands in ${quotes}: they would become part of it; write "..." or no quotes`;
}

/** To be added to a complaint about a text: what in it cannot be told by looking. */
export function oddNote(text: string): string {
  const odd = oddCharacters(text);
  return odd === undefined ? '' : `; it holds ${odd}`;
}

function isInvisible(character: string): boolean {
  return INVISIBLE.test(character);
}

function isLookalike(character: string): boolean {
  return NAMES.has(character.codePointAt(0) ?? 0) || FULL_WIDTH.test(character);
}

function named(characters: readonly string[]): string | undefined {
  const points = [...new Set(characters.map((character) => character.codePointAt(0) ?? 0))];
  if (points.length === 0) return undefined;
  const words = points.slice(0, MOST_NAMED).map((point) => {
    const kind = NAMES.get(point) ?? (point >= 0xff01 && point <= 0xff5e ? 'full-width character' : 'invisible');
    return `U+${point.toString(16).toUpperCase().padStart(4, '0')} (${kind})`;
  });
  return words.join(', ') + (points.length > MOST_NAMED ? ` and ${points.length - MOST_NAMED} more` : '');
}
