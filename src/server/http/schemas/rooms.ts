import { type Static, Type } from 'typebox';
import { Nullable, Uid } from './common.ts';
import { RoomNameField } from './devices.ts';

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
