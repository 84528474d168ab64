/** Letters that do not come apart into an ASCII letter and a mark. */
const ASCII_OF: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
};
const MAX_LENGTH = 50;

/** A room's uid of its name: lower case, accents stripped, hyphens; empty where no ASCII letter or digit is left (`書斎`). */
export function slugOf(name: string): string {
  return name
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]/gu, (letter) => ASCII_OF[letter] ?? ' ')
    .trim()
    .replace(/ +/gu, '-')
    .slice(0, MAX_LENGTH)
    .replace(/-+$/u, '');
}

/** The first of `slug`, `slug-2`, …; or `room-1`, `room-2`, … where the slug is empty. */
export function freeUid(slug: string, isTaken: (uid: string) => boolean): string {
  if (slug !== '' && !isTaken(slug)) return slug;
  const [stem, first] = slug === '' ? ['room', 1] : [slug.slice(0, MAX_LENGTH - 8), 2];
  for (let number = first; ; number += 1) {
    const uid = `${stem}-${number}`;
    if (!isTaken(uid)) return uid;
  }
}
