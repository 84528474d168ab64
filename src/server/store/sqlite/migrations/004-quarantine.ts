/** Version 4: quarantine; numbers that are not among the readings as ranges; when something last arrived. */
export const QUARANTINE_SQL = `
-- What came, is receipted, and is not among the readings yet, because the judgement on it may be wrong tomorrow: its time cannot
-- be right by this server's clock, or this version does not understand it. Never trimmed. Readings without numbers: epoch_id 0.
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
CREATE INDEX quarantine_device ON quarantine (device_id, reason, received_ms, ts_ms);

-- What a person took out of quarantine for good, with the reason that was given.
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

-- Numbers that came and were receipted, but are not among the readings, by reason, and when they came (null: before version 4).
-- They stay when the rejected message itself has gone.
CREATE TABLE rejected_ranges (
  epoch_id INTEGER NOT NULL REFERENCES epochs (id),
  reason TEXT NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  first_ms INTEGER,
  last_ms INTEGER,
  PRIMARY KEY (epoch_id, reason, from_seq)
) STRICT, WITHOUT ROWID;
INSERT INTO rejected_ranges (epoch_id, reason, from_seq, to_seq)
SELECT epoch_id, reason, min(seq), max(seq)
FROM (SELECT epoch_id, reason, seq, seq - row_number() OVER (PARTITION BY epoch_id, reason ORDER BY seq) AS island FROM rejected_numbers)
GROUP BY epoch_id, reason, island;
DROP TABLE rejected_numbers;

-- What was trimmed of the rejected messages: how many, of whom, why and when.
CREATE TABLE rejected_trimmed (
  device_uid TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (device_uid, reason)
) STRICT, WITHOUT ROWID;

-- When a reading of the device last came, whatever its own time said, by this server's clock; null: before version 4.
ALTER TABLE latest ADD COLUMN heard_ms INTEGER;
`;
