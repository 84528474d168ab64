import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type Device, healthOf, type Room } from '../state/model.ts';
import { useNow, usePage, useWatched } from '../view/context.ts';
import { LoadProblem } from '../view/status-marks.tsx';
import { DeviceCard } from './device-card.tsx';
import { EditDialog, nameOf } from './dialogs.tsx';
import { useAction } from './hooks.ts';
import { GapsSection, QuarantineSection, RejectedSection } from './record-sections.tsx';

/** Devices that wait for approval. */
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
        {/* Actions show their own errors. */}
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

const TICK_MS = 5_000;

/** All devices with their state, missing readings and rejected messages. */
export function DevicesPage(): JSX.Element {
  const { session, navigation, t } = usePage();
  const state = useWatched(session.site);
  const connection = useWatched(session.connection);
  const { search } = useWatched(navigation.place);
  const nowMs = useNow(TICK_MS);
  if (state.loadedMs === null) {
    return connection.kind === 'lost' ? (
      <LoadProblem error={connection.error} />
    ) : (
      <p class="loading" aria-busy="true">
        {t('loading')}
      </p>
    );
  }
  const opened = new URLSearchParams(search).get('uid');
  const pending = state.devices.filter((device) => device.state === 'pending');
  const others = state.devices.filter((device) => device.state === 'active' || device.state === 'refused');
  const sorted = [...others].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  const named = (uid: string): string => {
    const device = state.devices.find((one) => one.uid === uid);
    return device === undefined ? uid : nameOf(device);
  };
  return (
    <div class="devices">
      <h1 class="visually-hidden">{t('devices')}</h1>
      {pending.length > 0 && <PendingDevices devices={pending} rooms={state.rooms} />}
      <section>
        <h2>{t('allDevices')}</h2>
        {sorted.length === 0 && <p class="subtitle">{t('emptyText')}</p>}
        <div class="device-list">
          {sorted.map((device) => (
            <DeviceCard
              key={device.uid}
              device={device}
              rooms={state.rooms}
              reading={state.latest[device.uid] ?? null}
              heardMs={state.heard[device.uid] ?? null}
              health={healthOf(device, state.heard[device.uid] ?? null, nowMs)}
              nowMs={nowMs}
              isOpen={device.uid === opened}
            />
          ))}
        </div>
      </section>
      <QuarantineSection nameOf={named} />
      <GapsSection nameOf={named} />
      <RejectedSection nameOf={named} />
    </div>
  );
}
