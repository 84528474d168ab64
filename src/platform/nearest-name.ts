/**
 * The name that was probably meant: the one with the fewest typing errors, if they are few for its length; else one that
 * contains the word ("interval" finds "read_interval_seconds"). Undefined when nothing is near.
 */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().trim();
  const ranked = names
    .map((name) => ({ name, distance: editDistance(wanted, name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance || a.name.length - b.name.length);
  const best = ranked[0];
  if (best !== undefined && best.distance <= Math.max(1, Math.floor(best.name.length / 3))) return best.name;
  return ranked.find(({ name }) => wanted.length >= MIN_PART_LENGTH && name.toLowerCase().includes(wanted))?.name;
}

/** Shorter parts are in too many names to mean one. */
const MIN_PART_LENGTH = 3;
/** No name is longer; keeps a line of rubbish from costing its square. */
const MAX_WORD_LENGTH = 64;

/** Levenshtein's, with a swap of neighbours as one error (optimal string alignment). */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, MAX_WORD_LENGTH);
  const b = right.slice(0, MAX_WORD_LENGTH);
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(
        Math.min(
          (last[column] ?? Infinity) + 1,
          (current[column - 1] ?? Infinity) + 1,
          (last[column - 1] ?? Infinity) + (same ? 0 : 1),
          swapped ? (beforeLast[column - 2] ?? Infinity) + 1 : Infinity,
        ),
      );
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
