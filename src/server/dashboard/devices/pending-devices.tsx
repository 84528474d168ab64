import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Device, Room } from '../state/model.ts';
import { usePage } from '../view/context.ts';
import { nameOf } from './device-name.ts';
import { EditDialog } from './edit-dialog.tsx';
import { useAction } from './use-action.ts';

/** Devices that wait for somebody's yes. */
export function PendingDevices({
  devices,
  rooms,
}: {
  readonly devices: readonly Device[];
  readonly rooms: readonly Room[];
}): JSX.Element {
  const { t } = usePage();
  return (
    <section class="card pending">
      <h2>{t('newDevices')}</h2>
      <p class="subtitle">{t('newDevicesWhy')}</p>
      <ul>
        {devices.map((device) => (
          <PendingDevice key={device.uid} device={device} rooms={rooms} />
        ))}
      </ul>
    </section>
  );
}

function PendingDevice({ device, rooms }: { readonly device: Device; readonly rooms: readonly Room[] }): JSX.Element {
  const { api, t, format, clock } = usePage();
  const { isBusy, problem, run } = useAction();
  const [isEditing, setEditing] = useState(false);
  const decide = (state: 'active' | 'refused'): Promise<boolean> =>
    run(() => api.changeDevice(device.uid, { state }), t('saved'));
  return (
    <li data-pending={device.uid}>
      <span class="pending-name">
        <strong>{nameOf(device)}</strong> <span class="subtitle">{device.uid}</span>
        {device.lastSeenMs !== null && (
          <span class="subtitle"> · {format.age(Math.max(0, clock.nowMs() - device.lastSeenMs))}</span>
        )}
      </span>
      <span class="actions">
        {/* Actions report by themselves. */}
        <button type="button" class="primary" disabled={isBusy} onClick={() => void decide('active')}>
          {t('approve')}
        </button>
        <button type="button" disabled={isBusy} onClick={() => setEditing(true)}>
          {t('edit')}
        </button>
        <button type="button" class="danger" disabled={isBusy} onClick={() => void decide('refused')}>
          {t('refuse')}
        </button>
      </span>
      {problem !== undefined && (
        <p class="warning" role="alert">
          {problem}
        </p>
      )}
      {isEditing && <EditDialog device={device} rooms={rooms} onClose={() => setEditing(false)} />}
    </li>
  );
}
