import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/contract/reading.ts';
import type { Verdict } from '../../../src/server/http/schemas/record.ts';
import { ApiRig } from '../../support/api-rig.ts';

const NOW_MS = Date.UTC(2026, 5, 15, 12);
const HOUR_MS = 3_600_000;
const STEP_MS = 60_000;

let rig: ApiRig;
beforeEach(async () => {
  rig = await ApiRig.open({ nowMs: NOW_MS });
});
afterEach(() => rig.close());

/** Readings of a minute each, the number 1 an hour before now. */
async function numbered(uid: string, seqs: readonly number[], startMs = NOW_MS - HOUR_MS): Promise<void> {
  await rig.readings(
    uid,
    seqs.map((seq) => ({ at: startMs + seq * STEP_MS, epoch: 'e1', seq })),
  );
}

async function gapRecord(uid: string, seq: number, gap: Partial<Gap>): Promise<void> {
  const record = { ofEpoch: 'e1', from: 1, reason: 'dropped', ...gap } as const;
  await rig.commit([rig.items(uid, [{ gap: record, tsMs: NOW_MS, epoch: 'e1', seq }])]);
}

async function verdict(query = ''): Promise<Verdict> {
  // Older than any verdict that is given again.
  await rig.clock.advance(60_000);
  return await rig.data<Verdict>(`/api/v1/verdict${query}`);
}

const upTo = (last: number, ...without: readonly number[]): readonly number[] =>
  Array.from({ length: last }, (_, index) => index + 1).filter((seq) => !without.includes(seq));

describe('GET /api/v1/verdict', () => {
  it('says that all is there, and since when the record is', async () => {
    await numbered('attic', upTo(30));
    const found = await verdict();
    expect(found).toMatchObject({
      outcome: 'whole',
      missing: 0,
      age_s: 0,
      record_began_at: '2026-06-15T12:00:00.000Z',
    });
    expect(found.devices).toMatchObject([{ device_id: 'attic', outcome: 'whole', holes: [] }]);
  });

  it('B4: names what is missing without a word, with the times around it', async () => {
    await numbered('attic', upTo(30, 4, 5, 6));
    await numbered('cellar', upTo(3));
    const found = await verdict();
    expect(found).toMatchObject({ outcome: 'faulty', missing: 3 });
    expect(found.devices).toMatchObject([
      {
        device_id: 'attic',
        holes: [
          {
            epoch: 'e1',
            from_seq: 4,
            to_seq: 6,
            count: 3,
            after: '2026-06-15T11:03:00.000Z',
            before: '2026-06-15T11:07:00.000Z',
          },
        ],
      },
      { device_id: 'cellar', outcome: 'whole' },
    ]);
    expect((await verdict('?device=cellar')).outcome).toBe('whole');
  });

  it('keeps to the time that is asked for', async () => {
    await numbered('attic', upTo(30, 4, 5, 6));
    const from = '2026-06-15T11:10:00Z';
    expect(await verdict(`?from=${from}`)).toMatchObject({ outcome: 'whole', missing: 0 });
    expect(await verdict(`?to=${from}`)).toMatchObject({ outcome: 'faulty', missing: 3 });
    expect(await verdict('?from=2026-06-15T11:04:00Z&to=2026-06-15T11:05:00Z')).toMatchObject({ missing: 3 });
  });

  it('B5: says of readings without numbers that it cannot know, in their time alone', async () => {
    await rig.readings('older', [{ at: NOW_MS - HOUR_MS }, { at: NOW_MS - HOUR_MS / 2 }]);
    expect(await verdict()).toMatchObject({ outcome: 'unknown', unnumbered: 2, missing: 0 });
    expect(await verdict('?to=2026-06-15T10:00:00Z')).toMatchObject({ outcome: 'whole' });
  });

  it('B1: calls the lost beginning of an epoch that began after the record a hole', async () => {
    await numbered('attic', upTo(10));
    await rig.clock.advance(HOUR_MS);
    await rig.readings('late', [
      { at: NOW_MS + HOUR_MS - STEP_MS, epoch: 'x', seq: 15 },
      { at: NOW_MS + HOUR_MS, epoch: 'x', seq: 16 },
    ]);
    expect(await verdict('?device=late')).toMatchObject({ outcome: 'faulty', missing: 14, before_record: 0 });
  });

  it('B1: says of a beginning from before the record that it cannot know', async () => {
    await numbered('attic', [31, 32, 33], NOW_MS - 31 * STEP_MS);
    expect(await verdict()).toMatchObject({ outcome: 'unknown', before_record: 30, missing: 0 });
  });

  it('sees what came since, in days that it had read before too', async () => {
    const startMs = NOW_MS - 5 * 24 * HOUR_MS;
    await numbered('attic', upTo(3000, 5), startMs);
    expect(await verdict()).toMatchObject({ missing: 1 });
    await numbered('attic', [5], startMs);
    expect(await verdict()).toMatchObject({ outcome: 'whole', missing: 0 });
    await rig.readings('attic', [{ at: NOW_MS, epoch: 'e1', seq: 7 }]);
    expect(await verdict()).toMatchObject({ outcome: 'faulty', doubled: 1 });
  });

  it('tells its age while a newer one is being made', async () => {
    await numbered('attic', upTo(3));
    await verdict();
    await rig.clock.advance(10_000);
    expect((await rig.data<Verdict>('/api/v1/verdict')).age_s).toBe(10);
  });

  it('is told by /ready and /metrics, which make none themselves', async () => {
    await numbered('attic', upTo(30, 4));
    expect((await rig.ask('/ready')).body).toMatchObject({ status: 'ready', record: { outcome: 'not-checked' } });
    await verdict();
    expect((await rig.ask('/ready')).body).toMatchObject({
      status: 'ready',
      record: { outcome: 'faulty', missing: 1 },
    });
    const { text } = await rig.ask('/metrics');
    expect(text).toContain('techtemp_record_missing_numbers 1');
    expect(text).toContain('techtemp_record_whole 0');
  });
});

describe('POST /api/v1/gaps/dismissals', () => {
  it('B3: a record far beyond what was heard of makes no hole, and a person can set it aside', async () => {
    await numbered('attic', upTo(10));
    await gapRecord('attic', 11, { from: 1, to: 281_474_976_710_655, count: 5 });
    const before = await verdict();
    expect(before).toMatchObject({ outcome: 'whole', missing: 0, explained: 0 });
    const record = { epoch: 'e1', seq: 11 };
    expect(before.devices[0]?.gaps_not_believed).toMatchObject([{ record, why: 'not-given-yet' }]);
    const dismissed = await rig.ask('/api/v1/gaps/dismissals', 'POST', {
      device_id: 'attic',
      ...record,
      reason: 'forged',
    });
    expect(dismissed.status).toBe(200);
    const gaps = await rig.data<readonly object[]>('/api/v1/gaps');
    expect(gaps).toMatchObject([{ record, dismissal: { reason: 'forged' } }]);
    expect((await verdict()).devices[0]?.gaps_not_believed).toMatchObject([{ record, why: 'dismissed' }]);
  });

  it('takes the word of a dismissed record from what it explained', async () => {
    await numbered('attic', upTo(10, 5));
    await gapRecord('attic', 11, { from: 5, to: 5, count: 1 });
    expect(await verdict()).toMatchObject({ outcome: 'whole', explained: 1 });
    await rig.ask('/api/v1/gaps/dismissals', 'POST', { device_id: 'attic', epoch: 'e1', seq: 11, reason: 'wrong' });
    expect(await verdict()).toMatchObject({ outcome: 'faulty', missing: 1, explained: 0 });
  });

  it.each([
    [{ device_id: 'attic', epoch: 'e1', seq: 99, reason: 'x' }, 404, 'GAP_NOT_FOUND'],
    [{ device_id: 'nobody', epoch: 'e1', seq: 11, reason: 'x' }, 404, 'DEVICE_NOT_FOUND'],
    [{ device_id: 'attic', epoch: 'e1', seq: 11, reason: ' ' }, 400, 'VALIDATION'],
    [{ device_id: 'attic', epoch: 'e1', seq: 11 }, 400, 'VALIDATION'],
  ])('refuses %j', async (body, status, code) => {
    await numbered('attic', upTo(3));
    expect(await rig.ask('/api/v1/gaps/dismissals', 'POST', body)).toMatchObject({ status, body: { code } });
  });
});
