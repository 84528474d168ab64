import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Device } from '../state/model.ts';
import { usePage } from '../view/context.ts';
import { Dialog } from '../view/dialog.tsx';
import { nameOf } from './device-name.ts';
import { useAction } from './use-action.ts';

/** Out of service, with its readings kept unless somebody says otherwise. */
export function RemoveDialog({
  device,
  onClose,
}: {
  readonly device: Device;
  readonly onClose: () => void;
}): JSX.Element {
  const { api, t } = usePage();
  const { isBusy, problem, run } = useAction();
  const [fate, setFate] = useState<'keep' | 'delete'>('keep');
  const name = nameOf(device);
  const submit = async (): Promise<void> => {
    if (await run(() => api.removeDevice(device.uid, fate), t('removed', { name }))) onClose();
  };
  return (
    <Dialog title={t('removeTitle', { name })} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          // Reports by itself.
          void submit();
        }}
      >
        <p class="subtitle">{t('removeWhy')}</p>
        {(['keep', 'delete'] as const).map((choice) => (
          <label key={choice} class="check">
            <input type="radio" name="fate" checked={fate === choice} onChange={() => setFate(choice)} />
            <span>{t(choice === 'keep' ? 'removeKeep' : 'removeDelete')}</span>
          </label>
        ))}
        {problem !== undefined && (
          <p class="warning" role="alert">
            {problem}
          </p>
        )}
        <p class="actions">
          <button type="button" onClick={onClose}>
            {t('cancel')}
          </button>
          <button type="submit" class="danger" disabled={isBusy}>
            {t('remove')}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
