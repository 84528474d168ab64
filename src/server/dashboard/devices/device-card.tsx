import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type DeviceHealth } from '../state/health.ts';
import type { Device, Reading, Room } from '../state/model.ts';
import { usePage } from '../view/context.ts';
import { StatusMark } from '../view/status-mark.tsx';
import { DeviceFacts } from './device-facts.tsx';
import { nameOf } from './device-name.ts';
import { EditDialog } from './edit-dialog.tsx';
import { RemoveDialog } from './remove-dialog.tsx';
import { useAction } from './use-action.ts';

export interface DeviceCardProps {
  readonly device: Device;
  readonly rooms: readonly Room[];
  readonly reading: Reading | null;
  /** When a reading last came; null: never. */
  readonly heardMs: number | null;
  readonly health: DeviceHealth;
  readonly nowMs: number;
  readonly isOpen: boolean;
}

/** One device: a line that says how it is, and everything else behind it. */
export function DeviceCard({ device, rooms, reading, heardMs, health, nowMs, isOpen }: DeviceCardProps): JSX.Element {
  const { api, t, format } = usePage();
  const { isBusy, problem, run } = useAction();
  const [dialog, setDialog] = useState<'edit' | 'remove'>();
  const [isUnfolded, setUnfolded] = useState(isOpen);
  const isRefused = device.state === 'refused';
  return (
    <details
      class="card device"
      open={isUnfolded}
      data-device={device.uid}
      onToggle={({ currentTarget }) => setUnfolded(currentTarget.open)}
    >
      <summary>
        <span class="device-name">
          <strong>{nameOf(device)}</strong> <span class="subtitle">{device.uid}</span>
        </span>
        {isRefused ? <span class="status status-late">{t('refused')}</span> : <StatusMark health={health} />}
        <span class="subtitle age">
          {heardMs === null ? t('noReadingYet') : format.age(Math.max(0, nowMs - heardMs))}
        </span>
      </summary>
      {isUnfolded && <DeviceFacts device={device} health={health} reading={reading} nowMs={nowMs} />}
      {problem !== undefined && (
        <p class="warning" role="alert">
          {problem}
        </p>
      )}
      <p class="actions">
        {isRefused && (
          <button
            type="button"
            class="primary"
            disabled={isBusy}
            // Reports by itself.
            onClick={() => void run(() => api.changeDevice(device.uid, { state: 'active' }), t('saved'))}
          >
            {t('readmit')}
          </button>
        )}
        <button type="button" onClick={() => setDialog('edit')}>
          {t('edit')}
        </button>
        <button type="button" class="danger" onClick={() => setDialog('remove')}>
          {t('remove')}
        </button>
      </p>
      {dialog === 'edit' && <EditDialog device={device} rooms={rooms} onClose={() => setDialog(undefined)} />}
      {dialog === 'remove' && <RemoveDialog device={device} onClose={() => setDialog(undefined)} />}
    </details>
  );
}
