import { describe, expect, it } from 'vitest';
import { verdictAnswer } from '../../../../src/server/http/verdict-answer.ts';
import { emptySum, withVerdict } from '../../../../src/server/verify/sum.ts';
import { verdictOf } from '../../../../src/server/verify/verdict.ts';
import { storedDevice } from '../../../support/stored-device.ts';

const BEGAN_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const NOW_MS = BEGAN_MS + 10 * HOUR_MS;

describe('the verdict in the API', () => {
  it('counts an end that is not known in the time between the newest reading and the takeover', () => {
    const device = storedDevice({ createdMs: BEGAN_MS });
    const epoch = {
      epoch: 'e1',
      readings: [[1, 60] as const],
      gapRecords: [],
      rejected: [],
      quarantined: [],
      doubled: [],
      fromMs: BEGAN_MS,
      toMs: BEGAN_MS + HOUR_MS,
      gaps: [],
      takeover: { lastSeq: 60, takenMs: BEGAN_MS + 3 * HOUR_MS },
    };
    const verdict = verdictOf(device, { epochs: [epoch], unnumbered: 0 }, { strict: false, recordBeganMs: BEGAN_MS });
    const record = {
      checkedMs: NOW_MS,
      recordBeganMs: BEGAN_MS,
      devices: [{ deviceUid: device.uid, verdict, unnumberedTimes: [] }],
      sum: withVerdict(emptySum(NOW_MS), verdict),
    };
    const hours = (fromHour: number, toHour: number) =>
      verdictAnswer(
        record,
        { range: { fromMs: BEGAN_MS + fromHour * HOUR_MS, toMs: BEGAN_MS + toHour * HOUR_MS } },
        NOW_MS,
      );
    expect(record.sum).toMatchObject({ outcome: 'unknown', unknownEnds: 1 });
    expect(verdictAnswer(record, {}, NOW_MS)).toMatchObject({ outcome: 'unknown', unknown_ends: 1 });
    expect(hours(2, 2.5)).toMatchObject({ outcome: 'unknown', unknown_ends: 1 });
    expect(hours(0, 0.5)).toMatchObject({ outcome: 'whole', unknown_ends: 0 });
    expect(hours(4, 5)).toMatchObject({ outcome: 'whole', unknown_ends: 0 });
  });
});
