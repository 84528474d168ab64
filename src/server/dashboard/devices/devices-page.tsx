import type { JSX } from 'preact';
import { healthOf } from '../state/health.ts';
import { useNow, usePage, useWatched } from '../view/context.ts';
import { LoadProblem } from '../view/load-problem.tsx';
import { DeviceCard } from './device-card.tsx';
import { nameOf } from './device-name.ts';
import { GapsSection } from './gaps-section.tsx';
import { PendingDevices } from './pending-devices.tsx';
import { QuarantineSection } from './quarantine-section.tsx';
import { RejectedSection } from './rejected-section.tsx';

const TICK_MS = 5_000;

/** Who measures, how each is doing, and what is missing or was refused. */
export function DevicesPage(): JSX.Element {
  const { session, navigation, t } = usePage();
  const state = useWatched(session.house);
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
