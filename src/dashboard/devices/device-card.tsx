import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Placement } from '../api/api.ts';
import type { Device, DeviceHealth, Reading, Room } from '../state/model.ts';
import { usePage } from '../view/context.ts';
import { HEALTH_WHY, StatusMark } from '../view/status-marks.tsx';
import { EditDialog, nameOf, RemoveDialog } from './dialogs.tsx';
import { useAction } from './hooks.ts';

const CLOCK_WORDS = { synced: 'clockSynced', unsynced: 'clockUnsynced', waiting: 'clockWaiting' } as const;

/** All facts that a device reports, and the rooms where it was. */
export function DeviceFacts({
  device,
  health,
  reading,
  nowMs,
}: {
  readonly device: Device;
  readonly health: DeviceHealth;
  readonly reading: Reading | null;
  readonly nowMs: number;
}): JSX.Element {
  const { t, format } = usePage();
  const { status } = device;
  const presence =
    device.presence === 'unknown'
      ? t('unknown')
      : device.presence === 'online'
        ? t('connected')
        : t('disconnected', { time: device.presenceMs === null ? '' : format.moment(device.presenceMs, nowMs) });
  const rejected = status?.config?.state === 'rejected' ? (status.config.error ?? '') : undefined;
  const lastError =
    status?.sensor?.error ?? status?.journal?.error ?? status?.mqtt?.problems?.[0]?.message ?? status?.last_error;
  return (
    <>
      <p class="subtitle">{t(HEALTH_WHY[health])}</p>
      <dl class="device-facts">
        <Fact word={t('lastReading')}>
          {reading === null
            ? t('none')
            : `${format.temperature(reading.celsius)}, ${format.humidity(reading.percent)}, ${format.moment(reading.tsMs, nowMs)}`}
        </Fact>
        <Fact word={t('connectionToBroker')}>{presence}</Fact>
        {status !== null && (
          <>
            <Fact word={t('interval')}>
              {status.interval_s === undefined ? t('unknown') : format.duration(status.interval_s * 1000)}
            </Fact>
            <Fact word={t('buffered')}>
              {status.journal === undefined ? t('unknown') : t('readingsCount', { count: status.journal.buffered })}
            </Fact>
            {status.journal !== undefined && status.journal.dropped > 0 && (
              <Fact word={t('dropped')}>{t('readingsCount', { count: status.journal.dropped })}</Fact>
            )}
            <Fact word={t('delivery')}>
              {status.delivery === undefined
                ? t('unknown')
                : t(status.delivery === 'receipt' ? 'deliveryReceipt' : 'deliveryBroker')}
            </Fact>
            <Fact word={t('clock')}>
              {status.clock === undefined ? t('unknown') : t(CLOCK_WORDS[status.clock.state])}
            </Fact>
            <Fact word={t('sensor')}>{status.sensor?.description ?? t('unknown')}</Fact>
            <Fact word={t('configuration')}>
              {rejected === undefined ? t('configOk') : t('configRejected', { error: rejected })}
            </Fact>
            <Fact word={t('softwareVersion')}>{status.version ?? t('unknown')}</Fact>
            <Fact word={t('lastError')}>{lastError ?? t('none')}</Fact>
          </>
        )}
        <Fact word={t('firstSeen')}>{format.moment(device.createdMs, nowMs)}</Fact>
        <Fact word={t('placements')}>
          <Placements device={device} nowMs={nowMs} />
        </Fact>
      </dl>
    </>
  );
}

function Fact({ word, children }: { readonly word: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{word}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Placements({ device, nowMs }: { readonly device: Device; readonly nowMs: number }): JSX.Element {
  const { api, t, format } = usePage();
  const [placements, setPlacements] = useState<readonly Placement[]>([]);
  useEffect(() => {
    const ending = new AbortController();
    // Without the placements the card still shows the rest.
    api.placements(device.uid, ending.signal).then(setPlacements, () => undefined);
    return () => ending.abort();
  }, [api, device.uid, device.room?.uid]);
  if (placements.length === 0) return <>{device.room?.name ?? t('noRoom')}</>;
  return (
    <ul>
      {[...placements].reverse().map(({ roomName, fromMs, toMs }) => (
        <li key={`${fromMs}`}>
          {roomName}, {fromMs === null ? t('fromBeginning') : format.moment(fromMs, nowMs)} –{' '}
          {toMs === null ? t('untilNow') : format.moment(toMs, nowMs)}
        </li>
      ))}
    </ul>
  );
}

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

/** One device: a line with its state, which opens to show all facts. */
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
            // It shows its own errors.
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
