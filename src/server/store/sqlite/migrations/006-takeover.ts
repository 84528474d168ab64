/** Version 6: what is not known after an older state of the record was taken over. */
export const TAKEOVER_SQL = `
-- Where the newest epoch of each device ended when a person made an older state of the record the record. What was stored after
-- that state is lost: until more of the epoch comes, it is not known whether there was any.
CREATE TABLE takeovers (
  epoch_id INTEGER PRIMARY KEY REFERENCES epochs (id),
  last_seq INTEGER NOT NULL,
  taken_ms INTEGER NOT NULL
) STRICT;
`;
