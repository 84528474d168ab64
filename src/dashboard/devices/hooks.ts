import { useEffect, useState } from 'preact/hooks';
import type { AskPage } from '../api/api.ts';
import { usePage, useWatched } from '../view/context.ts';
import { errorText } from '../view/status-marks.tsx';

export interface Action {
  readonly isBusy: boolean;
  /** What went wrong, in words; undefined while nothing has. */
  readonly problem: string | undefined;
  /** Runs the action, shows and announces the result. @returns whether it succeeded */
  readonly run: (work: () => Promise<void>, done: string) => Promise<boolean>;
}

/** One change at a time. An error is shown where the change was made. */
export function useAction(): Action {
  const { session, t, announce } = usePage();
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  return {
    isBusy,
    problem,
    async run(work, done) {
      setBusy(true);
      setProblem(undefined);
      try {
        await work();
        await session.refresh();
        announce(done);
        return true;
      } catch (error) {
        setProblem(t('writeFailed', { error: errorText(error, t) }));
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}

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
  /** The state of the record that `after` belongs to. */
  readonly changes: number;
  readonly attempt: number;
}

/** A list that comes in pages, newest first; again when the record has changed. */
export function usePages<T>(ask: AskPage<T>): Pages<T> {
  const { session } = usePage();
  const changes = useWatched(session.pastChanges);
  const [state, setState] = useState<{ readonly items?: readonly T[]; readonly next?: string | undefined }>({});
  const [error, setError] = useState<unknown>();
  const [wanted, setWanted] = useState<Wanted>({ after: undefined, changes: 0, attempt: 0 });
  useEffect(() => {
    const ending = new AbortController();
    // Where the page began to be counted before a change, it begins again.
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
