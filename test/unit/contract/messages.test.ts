import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAnnouncement,
  decodeCommand,
  decodeReceipt,
  encodeAnnouncement,
  encodeReceipt,
} from '../../../src/contract/messages.ts';
import { countOfRanges, normaliseRanges, rangesInclude, rangesOf } from '../../../src/contract/seq-ranges.ts';
import {
  parseSensorTopic,
  parseServerTopic,
  SENSOR_TOPIC_LEAVES,
  sensorTopic,
  serverTopic,
} from '../../../src/contract/topics.ts';

const seqs = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 });

describe('ranges of numbers', () => {
  it('hold exactly the numbers they were made of, sorted and without neighbours', () => {
    fc.assert(
      fc.property(seqs, (numbers) => {
        const ranges = rangesOf(numbers);
        const set = new Set(numbers);
        for (let seq = 0; seq <= 61; seq += 1) expect(rangesInclude(ranges, seq)).toBe(set.has(seq));
        expect(countOfRanges(ranges)).toBe(set.size);
        ranges.slice(1).forEach((range, index) => expect(range[0]).toBeGreaterThan(ranges[index]![1] + 1));
      }),
    );
  });

  it('do not change what they are made from', () => {
    const given = [
      [5, 6],
      [1, 5],
    ] as const;
    expect(normaliseRanges(given)).toEqual([[1, 6]]);
    expect(given).toEqual([
      [5, 6],
      [1, 5],
    ]);
  });
});

describe('a receipt', () => {
  it('comes back as it went', () => {
    const receipt = { epoch: 'k3v9x2', stored: [[1, 1042] as const, [1044, 1044] as const] };
    expect(encodeReceipt(receipt)).toBe('{"epoch":"k3v9x2","stored":[[1,1042],[1044,1044]]}');
    expect(decodeReceipt(encodeReceipt(receipt))).toEqual(receipt);
  });

  it('is not believed in part: one bad range spoils it', () => {
    for (const stored of [[[1, 2], [3]], [[2, 1]], [[0, 4]], [[1, 1.5]], [['1', 2]], 'all', [[1, Number.MAX_VALUE]]]) {
      expect(() => decodeReceipt(JSON.stringify({ epoch: 'k3v9x2', stored }))).toThrow(/stored must/);
    }
    expect(() => decodeReceipt('{"epoch":"a/b","stored":[]}')).toThrow('epoch must be 1 to 50');
    expect(() => decodeReceipt('stored')).toThrow('not JSON');
  });
});

describe('an announcement', () => {
  it('tells what the server takes, and ignores abilities that we do not know yet', () => {
    expect(decodeAnnouncement('{"state":"online","accepts":["batch","receipt","teleport"]}')).toEqual({
      state: 'online',
      accepts: ['batch', 'receipt'],
    });
    expect(decodeAnnouncement('{"state":"offline"}')).toEqual({ state: 'offline', accepts: [] });
    expect(decodeAnnouncement('{"state":"online","accepts":[],"record":"0f8c-1"}')).toEqual({
      state: 'online',
      accepts: [],
      record: '0f8c-1',
    });
    for (const record of ['""', '7', '"a b"', '["x"]', `"${'x'.repeat(200)}"`]) {
      expect(decodeAnnouncement(`{"state":"online","record":${record}}`)).toEqual({ state: 'online', accepts: [] });
    }
    expect(encodeAnnouncement({ state: 'online', accepts: [], record: '0f8c-1' })).toBe(
      '{"state":"online","accepts":[],"record":"0f8c-1"}',
    );
    expect(encodeAnnouncement({ state: 'online', accepts: ['batch', 'receipt'] })).toBe(
      '{"state":"online","accepts":["batch","receipt"]}',
    );
    expect(() => decodeAnnouncement('{"state":"on"}')).toThrow('state must be online or offline');
  });
});

describe('a command', () => {
  it('is one of ours or refused with what was found', () => {
    expect(decodeCommand('{"action":"measure","from":"phone"}')).toEqual({ action: 'measure' });
    expect(() => decodeCommand('{"action":"reboot"}')).toThrow('action must be "measure", found "reboot"');
    expect(() => decodeCommand('{}')).toThrow('found null');
  });
});

describe('topics', () => {
  it('are those of the older system, and are taken apart again', () => {
    expect(sensorTopic('Heverlee', 'aht20-f49c53', 'reading')).toBe('home/Heverlee/sensors/aht20-f49c53/reading');
    for (const leaf of SENSOR_TOPIC_LEAVES) {
      expect(parseSensorTopic(sensorTopic('home-001', 'aht20-f49c53', leaf))).toEqual({
        homeId: 'home-001',
        deviceUid: 'aht20-f49c53',
        leaf,
      });
    }
  });

  it('that are not ours are told apart', () => {
    for (const topic of [
      'home/h/sensors/d/readings',
      'home/h/sensors/d',
      'home/h/sensors/d/reading/x',
      'home/h h/sensors/d/reading',
      `home/h/sensors/${'d'.repeat(51)}/reading`,
      'home//sensors/d/reading',
      'techtemp/devices/d/reading',
    ]) {
      expect(parseSensorTopic(topic)).toBeUndefined();
    }
    expect(parseServerTopic(serverTopic('main'))).toBe('main');
    expect(parseServerTopic('techtemp/server/a/b')).toBeUndefined();
    expect(parseServerTopic('techtemp/server/a b')).toBeUndefined();
  });
});
