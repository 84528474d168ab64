/** A value that can be watched: the only mutable thing that the page's parts share. */
export interface Watched<T> {
  get(): T;
  readonly set: (value: T) => void;
  update(change: (value: T) => T): void;
  /** @returns how to stop */
  watch(listener: (value: T) => void): () => void;
}

export function createWatched<T>(initial: T): Watched<T> {
  const listeners = new Set<(value: T) => void>();
  let current = initial;
  const set = (value: T): void => {
    if (Object.is(value, current)) return;
    current = value;
    for (const listener of [...listeners]) {
      listener(value);
    }
  };
  return {
    get: () => current,
    set,
    update: (change) => set(change(current)),
    watch(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
