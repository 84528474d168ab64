/** What comes first, again and again, while the first one changes its place: a binary heap. */
export interface Heap<T> {
  first(): T | undefined;
  /** The first one now comes later. */
  firstMoved(): void;
  removeFirst(): void;
}

/** Takes the array over. */
export function createHeap<T>(items: T[], comesBefore: (a: T, b: T) => boolean): Heap<T> {
  const sink = (from: number): void => {
    const item = items[from];
    if (item === undefined) return;
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const child = earlier(left, left + 1);
      const candidate = items[child];
      if (candidate === undefined || !comesBefore(candidate, item)) break;
      items[at] = candidate;
      at = child;
    }
    items[at] = item;
  };
  const earlier = (left: number, right: number): number => {
    const [a, b] = [items[left], items[right]];
    return a !== undefined && b !== undefined && comesBefore(b, a) ? right : left;
  };

  for (let index = (items.length >>> 1) - 1; index >= 0; index -= 1) sink(index);
  return {
    first: () => items[0],
    firstMoved: () => sink(0),
    removeFirst() {
      const last = items.pop();
      if (last === undefined || items.length === 0) return;
      items[0] = last;
      sink(0);
    },
  };
}
