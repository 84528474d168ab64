-- Takes an export of the server (CSV on standard input) into the table. A reading that is there already is not doubled; one whose
-- room has changed since gets the new one. All or nothing.
\set ON_ERROR_STOP on
BEGIN;
CREATE TEMPORARY TABLE arriving (
  ts timestamptz, device_id text, room_id text, temperature real, humidity real, epoch text, seq bigint, clock text, trigger text
) ON COMMIT DROP;
\copy arriving FROM pstdin WITH (FORMAT csv, HEADER)
INSERT INTO readings
SELECT ts, device_id, room_id, temperature, humidity, coalesce(epoch, ''), coalesce(seq, 0), clock, trigger FROM arriving
ON CONFLICT (device_id, ts, epoch, seq) DO UPDATE
  SET room_id = excluded.room_id, temperature = excluded.temperature, humidity = excluded.humidity
  WHERE (readings.room_id, readings.temperature, readings.humidity)
    IS DISTINCT FROM (excluded.room_id, excluded.temperature, excluded.humidity);
COMMIT;
