PRAGMA application_id = 1414819184;

PRAGMA user_version = 6;

-- index gaps_device on gaps
CREATE INDEX gaps_device ON gaps (device_id, of_epoch);

-- index placements_open on placements
CREATE UNIQUE INDEX placements_open ON placements (device_id) WHERE to_ms IS NULL;

-- index placements_room on placements
CREATE INDEX placements_room ON placements (room_id, from_ms);

-- index quarantine_device on quarantine
CREATE INDEX quarantine_device ON quarantine (device_id, reason, received_ms, ts_ms);

-- index rejected_device on rejected
CREATE INDEX rejected_device ON rejected (device_uid, id);

-- index sqlite_autoindex_devices_1 on devices, made by SQLite

-- index sqlite_autoindex_epochs_1 on epochs, made by SQLite

-- index sqlite_autoindex_gaps_1 on gaps, made by SQLite

-- index sqlite_autoindex_homes_1 on homes, made by SQLite

-- index sqlite_autoindex_quarantine_1 on quarantine, made by SQLite

-- index sqlite_autoindex_rejected_1 on rejected, made by SQLite

-- index sqlite_autoindex_rooms_1 on rooms, made by SQLite

-- index sqlite_autoindex_tokens_2 on tokens, made by SQLite

-- table devices on devices
CREATE TABLE devices (
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  home_id INTEGER REFERENCES homes (id),
  state TEXT NOT NULL CHECK (state IN ('active', 'pending', 'refused', 'removed')),
  -- What people called it; the reported ones are its own words.
  label TEXT,
  reported_label TEXT,
  reported_room TEXT,
  model TEXT,
  created_ms INTEGER NOT NULL,
  -- Of a pending one: its readings from then on were kept on approval, and go when somebody refuses it.
  pending_from_ms INTEGER,
  presence TEXT NOT NULL DEFAULT 'unknown' CHECK (presence IN ('online', 'offline', 'unknown')),
  presence_ms INTEGER,
  status_json TEXT,
  status_ms INTEGER
) STRICT;

-- table epochs on epochs
CREATE TABLE epochs (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES devices (id),
  epoch TEXT NOT NULL, heard_ms INTEGER,
  UNIQUE (device_id, epoch)
) STRICT;

-- table gap_dismissals on gap_dismissals
CREATE TABLE gap_dismissals (
  epoch_id INTEGER NOT NULL REFERENCES epochs (id),
  seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  dismissed_ms INTEGER NOT NULL,
  PRIMARY KEY (epoch_id, seq)
) STRICT, WITHOUT ROWID;

-- table gaps on gaps
CREATE TABLE gaps (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES devices (id),
  epoch_id INTEGER NOT NULL REFERENCES epochs (id),
  seq INTEGER NOT NULL,
  ts_ms INTEGER NOT NULL,
  of_epoch TEXT NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER,
  count INTEGER,
  reason TEXT NOT NULL,
  from_ts_ms INTEGER,
  to_ts_ms INTEGER,
  UNIQUE (epoch_id, seq)
) STRICT;

-- table homes on homes
CREATE TABLE homes (
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE
) STRICT;

-- table intervals on intervals
CREATE TABLE intervals (
  device_id INTEGER NOT NULL REFERENCES devices (id),
  from_ms INTEGER NOT NULL,
  interval_ms INTEGER NOT NULL,
  PRIMARY KEY (device_id, from_ms)
) STRICT, WITHOUT ROWID;

-- table latest on latest
CREATE TABLE latest (
  device_id INTEGER PRIMARY KEY REFERENCES devices (id),
  ts_ms INTEGER NOT NULL,
  epoch_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  temperature REAL NOT NULL,
  humidity REAL NOT NULL,
  flags INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL
, heard_ms INTEGER) STRICT;

-- table placements on placements
CREATE TABLE placements (
  device_id INTEGER NOT NULL REFERENCES devices (id),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER,
  room_id INTEGER NOT NULL REFERENCES rooms (id),
  PRIMARY KEY (device_id, from_ms)
) STRICT, WITHOUT ROWID;

-- table quarantine on quarantine
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  device_id INTEGER NOT NULL REFERENCES devices (id),
  epoch_id INTEGER NOT NULL DEFAULT 0,
  seq INTEGER NOT NULL DEFAULT 0,
  -- Of the item: the same item is kept once.
  digest TEXT NOT NULL,
  -- The time that it says; null where that could not be read.
  ts_ms INTEGER,
  reason TEXT NOT NULL CHECK (reason IN ('bad-time', 'bad-shape')),
  detail TEXT NOT NULL,
  topic TEXT NOT NULL,
  -- The whole item, as JSON.
  item TEXT NOT NULL,
  -- When it came, by the wall clock of then, and by the monotonic clock of that boot: the second can be corrected.
  received_ms INTEGER NOT NULL,
  boot TEXT NOT NULL,
  monotonic_ms REAL NOT NULL,
  -- Whether the wall clock was confirmed then, by a time service or by devices.
  was_confirmed INTEGER NOT NULL,
  UNIQUE (device_id, epoch_id, seq, digest)
) STRICT;

-- table quarantine_drops on quarantine_drops
CREATE TABLE quarantine_drops (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  device_uid TEXT NOT NULL,
  epoch TEXT,
  from_seq INTEGER,
  to_seq INTEGER,
  count INTEGER NOT NULL,
  reason TEXT NOT NULL,
  note TEXT NOT NULL,
  from_ts_ms INTEGER,
  to_ts_ms INTEGER,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  dropped_ms INTEGER NOT NULL
) STRICT;

-- table readings on readings
CREATE TABLE readings (
  device_id INTEGER NOT NULL,
  ts_ms INTEGER NOT NULL,
  epoch_id INTEGER NOT NULL DEFAULT 0,
  seq INTEGER NOT NULL DEFAULT 0,
  temperature REAL NOT NULL,
  humidity REAL NOT NULL,
  flags INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (device_id, ts_ms, epoch_id, seq)
) STRICT, WITHOUT ROWID;

-- table record on record
CREATE TABLE record (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  -- Random; told to the devices.
  id TEXT NOT NULL CHECK (length(id) = 32),
  -- Counts up at each start of a server and every few minutes: a copy that is older has a lower one.
  generation TEXT NOT NULL CHECK (length(generation) = 12),
  created_ms INTEGER NOT NULL,
  -- Ids that it had before, when it was taken over from a copy; JSON, the oldest first.
  former_ids TEXT NOT NULL DEFAULT '[]'
) STRICT;

-- table rejected on rejected
CREATE TABLE rejected (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL,
  device_uid TEXT,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  payload TEXT NOT NULL,
  payload_bytes INTEGER NOT NULL,
  -- Tells what came before: of the payload, or of nothing where each message of a device is rejected for the same reason.
  digest TEXT NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  count INTEGER NOT NULL DEFAULT 1,
  UNIQUE (topic, reason, digest)
) STRICT;

-- table rejected_ranges on rejected_ranges
CREATE TABLE rejected_ranges (
  epoch_id INTEGER NOT NULL REFERENCES epochs (id),
  reason TEXT NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  first_ms INTEGER,
  last_ms INTEGER,
  PRIMARY KEY (epoch_id, reason, from_seq)
) STRICT, WITHOUT ROWID;

-- table rejected_trimmed on rejected_trimmed
CREATE TABLE rejected_trimmed (
  device_uid TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (device_uid, reason)
) STRICT, WITHOUT ROWID;

-- table rollups_hourly on rollups_hourly
CREATE TABLE rollups_hourly (
  device_id INTEGER NOT NULL,
  hour_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  temperature_sum REAL NOT NULL,
  temperature_min REAL NOT NULL,
  temperature_max REAL NOT NULL,
  humidity_sum REAL NOT NULL,
  humidity_min REAL NOT NULL,
  humidity_max REAL NOT NULL,
  PRIMARY KEY (device_id, hour_ms)
) STRICT, WITHOUT ROWID;

-- table rooms on rooms
CREATE TABLE rooms (
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  home_id INTEGER REFERENCES homes (id),
  floor TEXT,
  side TEXT,
  is_outdoors INTEGER NOT NULL DEFAULT 0
) STRICT;

-- table sqlite_sequence on sqlite_sequence
CREATE TABLE sqlite_sequence(name,seq);

-- table takeovers on takeovers
CREATE TABLE takeovers (
  epoch_id INTEGER PRIMARY KEY REFERENCES epochs (id),
  last_seq INTEGER NOT NULL,
  taken_ms INTEGER NOT NULL
) STRICT;

-- table tokens on tokens
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  scope TEXT NOT NULL CHECK (scope IN ('read', 'write')),
  hash TEXT NOT NULL UNIQUE,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  last_used_ms INTEGER,
  revoked_ms INTEGER
) STRICT, WITHOUT ROWID;
