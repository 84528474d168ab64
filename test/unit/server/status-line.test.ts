import { describe, expect, it } from 'vitest';
import type { IngestState } from '../../../src/server/ingest/ingest.ts';
import { type StatusLineParts, statusLine } from '../../../src/server/status-line.ts';

const MINUTE_MS = 60_000;

const ingest: IngestState = {
  link: 'connected',
  linkSinceMs: 0,
  broker: 'broker:1883',
  waiting: 0,
  isHeldBack: false,
  lastCommitMs: null,
  brokerDropped: null,
  leftOut: [],
};

function line(changes: Partial<StatusLineParts> = {}, state: Partial<IngestState> = {}): string {
  return statusLine({
    ingest: { ...ingest, ...state },
    soFar: { stored: 0, duplicates: 0, rejected: 0 },
    url: 'http://127.0.0.1:3000',
    monotonicMs: 0,
    ...changes,
  });
}

describe('the line of systemctl status', () => {
  it('says where it is connected, what it stored, and where it answers', () => {
    expect(
      line({ soFar: { stored: 12, duplicates: 3, rejected: 1 } }, { lastCommitMs: Date.UTC(2026, 10, 21, 6, 5, 4) }),
    ).toBe(
      'connected to broker:1883; 12 readings stored, 3 came again, 1 rejected, last at 2026-11-21T06:05:04Z; http://127.0.0.1:3000',
    );
  });

  it.each([
    [30_000, 'under a minute'],
    [5 * MINUTE_MS, '5 min'],
    [90 * MINUTE_MS, '1 h'],
    [72 * 60 * MINUTE_MS, '3 days'],
  ])('says for how long the broker is away: %i ms', (monotonicMs, words) => {
    expect(line({ monotonicMs }, { link: 'connecting', linkProblem: 'nothing listens there' })).toContain(
      `broker broker:1883 is away for ${words} (nothing listens there)`,
    );
  });

  it('begins with what is wrong', () => {
    expect(line({ storeProblem: 'only 3 MB are free' })).toMatch(/^only 3 MB are free; /);
    expect(line({ configProblem: 'x.conf:3: …' })).toMatch(/^the edited server\.conf was refused: x\.conf:3: …; /);
    expect(line({}, { storeProblem: 'the disk is full' })).toMatch(/^cannot store: the disk is full; /);
    expect(line({}, { waiting: 2_000, isHeldBack: true })).toContain('2000 waiting, the broker is held back');
  });
});
