import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { localIso } from '../../calendar/local-time.ts';
import type { DeviceChange } from '../api/api.ts';
import type { Device, Room } from '../state/model.ts';
import { usePage } from '../view/context.ts';
import { Dialog } from '../view/controls.tsx';
import { useAction } from './hooks.ts';

/** The room and the name of a device; its uid where neither is known. */
export function nameOf({ label, room, uid }: Device): string {
  if (room !== null && label !== null && label !== room.name) return `${room.name} · ${label}`;
  return room?.name ?? label ?? uid;
}

const NONE = '';
/** No uid: those have no colon. */
const NEW_ROOM = ':new';

/** The name of a device, its room, and since when it is there. */
export function EditDialog({
  device,
  rooms,
  onClose,
}: {
  readonly device: Device;
  readonly rooms: readonly Room[];
  readonly onClose: () => void;
}): JSX.Element {
  const { api, t, zone, clock } = usePage();
  const { isBusy, problem, run } = useAction();
  const [label, setLabel] = useState(device.label ?? '');
  const [room, setRoom] = useState(device.room?.uid ?? NONE);
  const [newName, setNewName] = useState('');
  const [since, setSince] = useState('');
  const chosen = rooms.find(({ uid }) => uid === room);
  const [isOutdoors, setOutdoors] = useState(chosen?.isOutdoors ?? false);
  const hasMoved = room !== (device.room?.uid ?? NONE);

  const save = async (): Promise<void> => {
    const target = room === NONE ? null : room === NEW_ROOM ? { name: newName.trim() } : { uid: room };
    const change: DeviceChange = {
      ...(label.trim() !== (device.label ?? '') && { label: label.trim() === '' ? null : label.trim() }),
      ...(hasMoved && { room: target }),
      ...(hasMoved && since !== '' && target !== null && { movedAtMs: instant(since) }),
    };
    if (Object.keys(change).length > 0) await api.changeDevice(device.uid, change);
    if (chosen !== undefined && chosen.isOutdoors !== isOutdoors) await api.changeRoom(chosen.uid, { isOutdoors });
  };
  const instant = (text: string): number => {
    const [year = NaN, month = NaN, day = NaN, hour = NaN, minute = NaN] = text.split(/\D/).map(Number);
    return zone.instant({ year, month, day, hour, minute, second: 0 });
  };
  const submit = async (): Promise<void> => {
    if (await run(save, t('saved'))) onClose();
  };
  return (
    <Dialog title={`${t('edit')}: ${nameOf(device)}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          // It shows its own errors.
          void submit();
        }}
      >
        <label class="field">
          <span>{t('name')}</span>
          <input
            name="label"
            maxLength={100}
            placeholder={t('namePlaceholder')}
            value={label}
            onInput={({ currentTarget }) => setLabel(currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>{t('room')}</span>
          <select
            name="room"
            value={room}
            onChange={({ currentTarget }) => {
              setRoom(currentTarget.value);
              setOutdoors(rooms.find(({ uid }) => uid === currentTarget.value)?.isOutdoors ?? false);
            }}
          >
            <option value={NONE}>{t('noRoom')}</option>
            {rooms.map(({ uid, name }) => (
              <option key={uid} value={uid}>
                {name}
              </option>
            ))}
            <option value={NEW_ROOM}>{t('newRoom')}</option>
          </select>
        </label>
        {room === NEW_ROOM && (
          <label class="field">
            <span>{t('newRoomName')}</span>
            <input
              name="new-room"
              required
              maxLength={100}
              value={newName}
              onInput={({ currentTarget }) => setNewName(currentTarget.value)}
            />
          </label>
        )}
        {hasMoved && room !== NONE && (
          <label class="field">
            <span>{t('since')}</span>
            <input
              name="since"
              type="datetime-local"
              max={localIso(clock.nowMs(), zone).slice(0, 16)}
              value={since}
              onInput={({ currentTarget }) => setSince(currentTarget.value)}
            />
            <span>{t('sinceHint')}</span>
          </label>
        )}
        {chosen !== undefined && (
          <label class="check">
            <input
              name="outdoors"
              type="checkbox"
              checked={isOutdoors}
              onChange={({ currentTarget }) => setOutdoors(currentTarget.checked)}
            />
            <span>{t('outdoorsRoom')}</span>
          </label>
        )}
        {problem !== undefined && (
          <p class="warning" role="alert">
            {problem}
          </p>
        )}
        <p class="actions">
          <button type="button" onClick={onClose}>
            {t('cancel')}
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            {t('save')}
          </button>
        </p>
      </form>
    </Dialog>
  );
}

/** Takes a device out of service. Its readings are kept unless the reader chooses to delete them. */
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
          // It shows its own errors.
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
