import { useState } from 'preact/hooks';
import { usePage } from '../view/context.ts';
import { errorText } from '../view/load-problem.tsx';

export interface Action {
  readonly isBusy: boolean;
  /** What went wrong, in words; undefined while nothing has. */
  readonly problem: string | undefined;
  /** Does it, shows the result and says so. @returns whether it was done */
  readonly run: (work: () => Promise<void>, done: string) => Promise<boolean>;
}

/** Writing: one thing at a time, and its failure stays where it was asked for. */
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
