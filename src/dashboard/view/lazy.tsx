import type { ComponentType, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { usePage } from './context.ts';
import { LoadProblem } from './status-marks.tsx';

/** A page whose code is loaded when it is first wanted: the first view doesn't wait for the chart. */
export function Lazy({ load }: { readonly load: () => Promise<ComponentType> }): JSX.Element {
  const { t } = usePage();
  const [state, setState] = useState<{ readonly Page?: ComponentType; readonly error?: unknown }>({});
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let isWanted = true;
    load().then(
      (Page) => isWanted && setState({ Page }),
      (error: unknown) => isWanted && setState({ error }),
    );
    return () => {
      isWanted = false;
    };
  }, [load, attempt]);
  if (state.Page !== undefined) return <state.Page />;
  if (state.error !== undefined) {
    return <LoadProblem error={state.error} retry={() => setAttempt(attempt + 1)} />;
  }
  return (
    <p class="loading" aria-busy="true">
      {t('loading')}
    </p>
  );
}
