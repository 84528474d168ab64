import { useEffect, useState } from 'preact/hooks';
import type { AskPage } from '../api/api.ts';
import { usePage, useWatched } from '../view/context.ts';

export interface Pages<T> {
  /** Undefined until the first page is there. */
  readonly items: readonly T[] | undefined;
  readonly error: unknown;
  /** Undefined where there is no more. */
  readonly more: (() => void) | undefined;
  readonly retry: () => void;
}

interface Wanted {
  readonly after: string | undefined;
  /** As of which state of the record `after` was given. */
  readonly changes: number;
  readonly attempt: number;
}

/** A list that comes in pages, newest first; anew when the record has changed. */
export function usePages<T>(ask: AskPage<T>): Pages<T> {
  const { session } = usePage();
  const changes = useWatched(session.pastChanges);
  const [state, setState] = useState<{ readonly items?: readonly T[]; readonly next?: string | undefined }>({});
  const [error, setError] = useState<unknown>();
  const [wanted, setWanted] = useState<Wanted>({ after: undefined, changes: 0, attempt: 0 });
  useEffect(() => {
    const ending = new AbortController();
    // Where the page began to be counted before a change, it begins anew.
    const after = wanted.changes === changes ? wanted.after : undefined;
    ask(after === undefined ? {} : { after }, ending.signal).then(
      ({ items, next }) => {
        setError(undefined);
        setState((before) => ({ items: after === undefined ? items : [...(before.items ?? []), ...items], next }));
      },
      (problem: unknown) => {
        if (!ending.signal.aborted) setError(problem);
      },
    );
    return () => ending.abort();
  }, [wanted, changes]);
  const { items, next } = state;
  return {
    items,
    error,
    more:
      next === undefined
        ? undefined
        : () => setWanted(({ attempt }) => ({ after: next, changes, attempt: attempt + 1 })),
    retry: () => setWanted((before) => ({ ...before, attempt: before.attempt + 1 })),
  };
}
