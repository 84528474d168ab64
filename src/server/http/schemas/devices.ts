import { type Static, Type } from 'typebox';
import { IsoTime, Nullable, OneOf, Query, TimeParameter, Uid } from './common.ts';

const Text = (maxLength: number, description: string, example: string) =>
  Type.String({ maxLength, description, examples: [example] });

/** What a device is called; not blank. */
/** Null, and as in the older API a blank text: none. */
const LabelOrNone = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  maxLength: 100,
  description: '1 to 100 characters; null or blank: none',
  examples: ['Window'],
});

export const RoomNameField = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: '\\S',
  description: '1 to 100 characters, not all blank; of any alphabet',
  examples: ['Salle de réunion'],
});

export const RoomName = Type.Object({ uid: Uid, name: Type.String({ examples: ['Office'] }) });
export type RoomName = Static<typeof RoomName>;

export const DEVICE_STATES = ['active', 'pending', 'refused', 'removed'] as const;
const DeviceState = OneOf(DEVICE_STATES, {
  description:
    '`pending` waits for somebody’s yes and is kept meanwhile; `removed` is out of service, its readings are still in the record',
});

/** How it stands between the device, the broker and the servers, as the device says. */
const MqttOfDevice = Type.Object({
  protocol: Type.Optional(OneOf(['5', '3.1.1'])),
  subscribers: Type.Optional(
    OneOf(['none'], {
      description: 'The broker says that no program subscribes to the readings: they stay on the device',
    }),
  ),
  waiting_for_server: Type.Optional(
    Type.Literal(true, { description: 'No reading leaves the device yet: a server may be about to announce itself' }),
  ),
  left_out: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Steps that it leaves out because the broker closes the connection on them',
    }),
  ),
  set_aside: Type.Optional(Type.Number({ description: 'Readings that do not get through while others do' })),
  ignored: Type.Optional(Type.Number({ description: 'Messages that it did not believe' })),
  servers: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), state: Type.String(), record: Type.Optional(Type.String()) }), {
      description: 'The servers whose receipts it waits for, or has waited for',
    }),
  ),
  problems: Type.Optional(
    Type.Array(Type.Object({ code: Type.String(), message: Type.String() }), {
      description: 'All that is wrong at the moment, oldest first',
    }),
  ),
});

/** The device's own newest word. */
export const DeviceStatusSummary = Type.Object({
  version: Type.Optional(Type.String()),
  interval_s: Type.Optional(Type.Number({ description: 'It measures every so many seconds' })),
  delivery: Type.Optional(OneOf(['receipt', 'broker'])),
  sensor: Type.Optional(
    Type.Object({
      state: OneOf(['ok', 'fault', 'starting']),
      description: Type.String(),
      error: Type.Optional(Type.String()),
      failures: Type.Number(),
      crc_errors: Type.Number(),
      missed: Type.Number(),
    }),
  ),
  journal: Type.Optional(
    Type.Object({
      state: OneOf(['ok', 'memory']),
      buffered: Type.Number({ description: 'Readings that wait to be delivered' }),
      dropped: Type.Number(),
      error: Type.Optional(Type.String()),
    }),
  ),
  clock: Type.Optional(Type.Object({ state: OneOf(['synced', 'unsynced', 'waiting']) })),
  mqtt: Type.Optional(MqttOfDevice),
  config: Type.Optional(Type.Object({ state: OneOf(['ok', 'rejected']), error: Type.Optional(Type.String()) })),
  last_error: Type.Optional(Type.String()),
});
export type DeviceStatusSummary = Static<typeof DeviceStatusSummary>;

/** Whether it is silent, by when its readings came. */
export const Contact = Type.Object({
  state: OneOf(['never', 'current', 'late', 'silent'], {
    description: '`late`: two readings are missing; `silent`: six are, or it said goodbye; `never`: none has come',
  }),
  heard_at: Nullable(IsoTime),
  late_after_s: Type.Number({ description: 'Without another reading it is late so many seconds after `heard_at`' }),
  silent_after_s: Type.Number(),
});
export type Contact = Static<typeof Contact>;

export const LatestOfDevice = Type.Object({
  ts: IsoTime,
  temperature: Type.Number({ description: '°C', examples: [21.02] }),
  humidity: Type.Number({ description: '% relative', examples: [63.33] }),
});

export const Device = Type.Object({
  uid: Uid,
  room: Nullable(RoomName),
  label: Nullable(Text(200, 'What people called it, else what it calls itself', 'Window')),
  created_at: IsoTime,
  last_seen_at: Nullable(IsoTime),
  home_id: Nullable(Uid),
  model: Nullable(Type.String({ examples: ['AHT20'] })),
  state: DeviceState,
  presence: OneOf(['online', 'offline', 'unknown'], { description: '`unknown`: an older agent, which does not say' }),
  presence_at: Nullable(IsoTime),
  contact: Contact,
  latest: Nullable(LatestOfDevice),
  status: Nullable(DeviceStatusSummary),
  status_at: Nullable(IsoTime),
});
export type Device = Static<typeof Device>;

export const DeviceParams = Type.Object({
  uid: Type.String({ description: 'Uid of the device', examples: ['aht20-a1b2c3'] }),
});

export const DeviceListQuery = Query({
  removed: Type.Optional(Type.Boolean({ description: 'Also those that were taken out of service' })),
});

export const NewDevice = Type.Object(
  {
    device_uid: Uid,
    room_name: Type.Optional(RoomNameField),
    room_uid: Type.Optional(Uid),
    label: Type.Optional(LabelOrNone),
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 50, examples: ['AHT20'] })),
  },
  {
    additionalProperties: false,
    description:
      'A room that does not exist is made; `room_uid` names it then. One of `room_name` and `room_uid` is needed.',
  },
);
export type NewDevice = Static<typeof NewDevice>;

/** A school's worth; larger fleets come in several requests. */
export const MAX_BATCH_DEVICES = 500;

export const DeviceBatch = Type.Object(
  { devices: Type.Array(NewDevice, { minItems: 1, maxItems: MAX_BATCH_DEVICES }) },
  { additionalProperties: false },
);

export const DeviceChange = Type.Object(
  {
    label: Type.Optional(LabelOrNone),
    room_name: Type.Optional(Nullable(RoomNameField)),
    room_uid: Type.Optional(Uid),
    moved_at: Type.Optional(TimeParameter),
    state: Type.Optional(OneOf(['active', 'refused'], { description: 'Yes or no to a device that is pending' })),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    description:
      'What is absent stays. `label: null`: what it calls itself. `room_name: null`: it stands nowhere. `moved_at` says since when it stands in the room, and relabels what was measured since.',
  },
);
export type DeviceChange = Static<typeof DeviceChange>;

export const DeviceRemoval = Query({
  readings: Type.Optional(
    OneOf(['keep', 'delete'], {
      default: 'keep',
      description: '`keep`: out of service, the record stays. `delete`: everything it ever said goes, for good.',
    }),
  ),
});

export const DeviceAndRoom = Type.Object({ device: Device, room: Nullable(RoomName) });

export const DeviceSaved = Type.Object({ data: DeviceAndRoom, message: Type.String() });
export const DevicesSaved = Type.Object({ data: Type.Array(DeviceAndRoom), message: Type.String() });

export const DeviceRemoved = Type.Object({
  message: Type.String(),
  uid: Uid,
  readings: OneOf(['kept', 'deleted'], { description: 'What happened to its readings' }),
  reading_count: Type.Integer({ description: 'How many those were' }),
});

export const Placement = Type.Object({
  room: RoomName,
  from: Nullable(IsoTime),
  to: Nullable(IsoTime),
});
export type Placement = Static<typeof Placement>;

const Place = (description: string, example: string) =>
  Type.String({ minLength: 1, maxLength: 50, description, examples: [example] });

export const Room = Type.Object({
  uid: Uid,
  name: Type.String({ examples: ['Salle de réunion'] }),
  floor: Nullable(Place('Storey, in the house’s own words', '1')),
  side: Nullable(Place('Side of the house, in its own words', 'south')),
  home_id: Nullable(Uid),
  is_outdoors: Type.Boolean({ description: 'Its values are the weather’s, not the house’s' }),
});
export type Room = Static<typeof Room>;

export const RoomParams = Type.Object({ uid: Type.String({ description: 'Uid of the room', examples: ['office'] }) });

const roomFields = {
  floor: Type.Optional(Room.properties.floor),
  side: Type.Optional(Room.properties.side),
  is_outdoors: Type.Optional(Room.properties.is_outdoors),
};

export const NewRoom = Type.Object(
  { name: RoomNameField, uid: Type.Optional(Uid), home_id: Type.Optional(Uid), ...roomFields },
  { additionalProperties: false, description: 'Without `uid` it is made of the name.' },
);
export type NewRoom = Static<typeof NewRoom>;

export const RoomChange = Type.Object(
  { name: Type.Optional(RoomNameField), ...roomFields },
  { additionalProperties: false, minProperties: 1, description: 'What is absent stays.' },
);
export type RoomChange = Static<typeof RoomChange>;

export const RoomSaved = Type.Object({ data: Room, message: Type.String() });
export const RoomRemoved = Type.Object({ message: Type.String(), uid: Uid });
