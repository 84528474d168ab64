-- Run once by the image, when its volume is new: a table with the columns of `techtemp-server export`.
CREATE TABLE readings (
  ts          timestamptz NOT NULL,
  device_id   text        NOT NULL,
  room_id     text,
  temperature real        NOT NULL,
  humidity    real        NOT NULL,
  -- Empty for devices that do not number their readings.
  epoch       text        NOT NULL DEFAULT '',
  seq         bigint      NOT NULL DEFAULT 0,
  clock       text,
  trigger     text,
  PRIMARY KEY (device_id, ts, epoch, seq)
);
CREATE INDEX readings_by_room ON readings (room_id, ts);
