/**
 * Version 3: the record's identity. One row. The file beside the database holds the same, so that a database that is gone, older
 * or another one is noticed. `id` and `generation` have a fixed length and stand next to each other: they are also read from the
 * bytes of the file, before SQLite opens it (place/database-file.ts).
 */
export const IDENTITY_SQL = `
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
INSERT INTO record (one, id, generation, created_ms)
VALUES (1, lower(hex(randomblob(16))), printf('%012d', 1), CAST(round(unixepoch('subsec') * 1000) AS INTEGER));
`;
