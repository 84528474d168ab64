import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvCell } from '../../../../src/contract/csv.ts';
import { csvHeader, csvRow, exportFileName, toReadingRecord } from '../../../../src/server/export.ts';
import type { StoredReading } from '../../../../src/server/store/stored.ts';

const READING: StoredReading = {
  deviceUid: 'aht20-f49c53',
  roomUid: 'salon',
  tsMs: Date.UTC(2026, 0, 31, 12, 0, 0, 7),
  temperatureCelsius: 21.02,
  humidityPercent: 63.33,
  epoch: 'k3v9x2',
  seq: 1042,
  isUnsynced: false,
  isOnDemand: false,
};

describe('CSV', () => {
  it('begins with the names of the columns', () => {
    expect(csvHeader()).toBe('ts,device_id,room_id,temperature,humidity,epoch,seq,clock,trigger\r\n');
  });

  it('writes a reading as one line, its time ISO 8601 in UTC with milliseconds', () => {
    expect(csvRow(toReadingRecord(READING))).toBe(
      '2026-01-31T12:00:00.007Z,aht20-f49c53,salon,21.02,63.33,k3v9x2,1042,,\r\n',
    );
  });

  it('leaves cells empty where nothing is known, and says what is special', () => {
    const old = { ...READING, roomUid: null, epoch: null, seq: null, isUnsynced: true, isOnDemand: true };
    expect(csvRow(toReadingRecord(old))).toBe(
      '2026-01-31T12:00:00.007Z,aht20-f49c53,,21.02,63.33,,,unsynced,command\r\n',
    );
  });

  it('S1: 0 °C and 0 % are values, and a frost stays a number', () => {
    const zero = csvRow(toReadingRecord({ ...READING, temperatureCelsius: 0, humidityPercent: 0 }));
    expect(zero).toContain(',salon,0,0,k3v9x2,');
    expect(csvRow(toReadingRecord({ ...READING, temperatureCelsius: -12.5 }))).toContain(',salon,-12.5,63.33,');
  });

  it.each(['=1+1', '+1', '-x', '@SUM(A1)', '\tx', '\rx'])('takes the harm out of the text %j', (text) => {
    expect(csvCell(text).replaceAll('"', '')).toBe(`'${text}`);
  });

  it('gives every other text back to a reader of RFC 4180', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!/^[=+\-@\t\r]/.test(text));
        const cell = csvCell(text);
        const isQuoted = cell.startsWith('"') && cell.endsWith('"') && cell.length > 1;
        const read = isQuoted ? cell.slice(1, -1).replaceAll('""', '"') : cell;
        expect(read).toBe(text);
        if (!isQuoted) expect(cell).not.toMatch(/[",\r\n]/);
      }),
    );
  });
});

describe('name of an exported file', () => {
  const days = { fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2026, 1, 1) };

  it('says what it holds and from when to when', () => {
    expect(exportFileName({ scope: { deviceUid: 'aht20-f49c53' }, ...days }, 'csv')).toBe(
      'techtemp-aht20-f49c53-2026-01-01-2026-02-01.csv',
    );
    expect(exportFileName({ scope: { roomUid: 'salon' }, ...days }, 'jsonl')).toBe(
      'techtemp-salon-2026-01-01-2026-02-01.jsonl',
    );
    expect(exportFileName({ scope: 'all', ...days, fromMs: 0 }, 'csv')).toBe('techtemp-all-until-2026-02-01.csv');
  });
});
