/** Version 5: what the verdict about the record needs to know. */
export const VERDICT_SQL = `
-- When this server first heard of the epoch, by its own clock; null for those that it knew before it took notes.
ALTER TABLE epochs ADD COLUMN heard_ms INTEGER;

-- Gap records that a person called wrong, and why. The record itself stays in gaps.
CREATE TABLE gap_dismissals (
  epoch_id INTEGER NOT NULL REFERENCES epochs (id),
  seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  dismissed_ms INTEGER NOT NULL,
  PRIMARY KEY (epoch_id, seq)
) STRICT, WITHOUT ROWID;
`;
