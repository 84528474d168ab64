import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countOfRanges, rangesOf, type SeqRange } from '../../../src/contract/seq-ranges.ts';
import { runDismissGap } from '../../../src/server/commands/gaps.ts';
import { runVerify } from '../../../src/server/commands/verify.ts';
import { recordedIo } from '../../support/command-io.ts';
import { MODEL_START_MS, modelTsMs, recordModels } from '../../support/record-model.ts';
import {
  itemsMessage,
  numbers,
  readingsOf,
  ServerStore,
  statusMessage,
  TEST_DEVICE,
} from '../../support/server-store.ts';

const START_MS = MODEL_START_MS;
let bench: ServerStore;

beforeEach(() => {
  bench = new ServerStore();
});
afterEach(() => bench.dispose());

async function verify(changes: Partial<Parameters<typeof runVerify>[0]> = {}): Promise<{
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}> {
  const recorded = recordedIo();
  const options = { ...bench.options, strict: false, json: false, ...changes };
  const exitCode = await runVerify(options, recorded.io);
  return { exitCode, stdout: recorded.stdout(), stderr: recorded.stderr() };
}

interface Report {
  readonly is_whole: boolean;
  readonly outcome: string;
  readonly devices: readonly {
    readonly device_id: string;
    readonly unnumbered: number;
    readonly epochs: readonly {
      readonly epoch: string;
      readonly explained: Readonly<Record<string, number>>;
      readonly before_record: readonly SeqRange[];
      readonly waiting: number;
      readonly rejected: readonly SeqRange[];
      readonly doubled: readonly SeqRange[];
      readonly holes: readonly {
        readonly ranges: readonly SeqRange[];
        readonly count: number;
        readonly after: string | null;
        readonly before: string | null;
      }[];
    }[];
  }[];
}

async function report(changes: Partial<Parameters<typeof runVerify>[0]> = {}): Promise<Report> {
  return JSON.parse((await verify({ ...changes, json: true })).stdout) as Report;
}

describe('techtemp-server verify', () => {
  it('is content with a whole record, beside whoever writes to it', async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', numbers(1, 1042), START_MS))]);
    // The store stays open, as the server's would.
    const { exitCode, stdout } = await verify();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('No unexplained hole: 1042 readings of 1 device.');
    expect(stdout).toMatch(/k3v9x2 +1 to 1042 +1042 /);
  });

  it('names each hole with its numbers and the times of its neighbours', async () => {
    const came = [...numbers(1, 10), ...numbers(12, 20), ...numbers(31, 40)];
    await bench.commit([itemsMessage(readingsOf('k3v9x2', came, START_MS))]);
    const { exitCode, stdout } = await verify();
    expect(exitCode).toBe(1);
    expect(stdout).toContain('k3v9x2: HOLE number 11, between 2026-01-01T00:05:00.000Z and 2026-01-01T00:06:00.000Z');
    expect(stdout).toContain('k3v9x2: HOLE numbers 21 to 30, between 2026-01-01T00:10:00.000Z and');
    expect(stdout).toContain('11 numbers missing without explanation');
  });

  it('counts readings without numbers, and says that nothing can be proved about them', async () => {
    const older = [0, 1, 2].map((index) => ({
      temperatureCelsius: 0,
      humidityPercent: 0,
      tsMs: START_MS + index * 30_000,
    }));
    await bench.commit([itemsMessage(older)]);
    const { exitCode, stdout } = await verify();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('3 without numbers, between which nothing can be proved');
  });

  it('calls a number that came twice with different times a fault', async () => {
    const readings = readingsOf('k3v9x2', [1, 2, 3], START_MS);
    await bench.commit([itemsMessage([...readings, { ...readings[1]!, tsMs: START_MS + 999_000 }])]);
    const { exitCode, stdout } = await verify();
    expect(exitCode).toBe(1);
    expect(stdout).toContain('DOUBLED number 2');
  });

  it('tells what was numbered before this record from a hole, unless it is strict', async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', numbers(500, 600), START_MS))]);
    expect((await verify()).stdout).toContain('499 from before this record');
    expect((await verify()).exitCode).toBe(0);
    expect((await verify({ strict: true })).exitCode).toBe(1);
    expect(await report()).toMatchObject({ is_whole: false, outcome: 'unknown' });
  });

  it('B1: calls a lost beginning a hole when the epoch began after the record', async () => {
    await bench.commit([
      itemsMessage(readingsOf('other', [1], START_MS), { deviceUid: 'other', receivedMs: START_MS }),
    ]);
    await bench.commit([itemsMessage(readingsOf('k3v9x2', numbers(471, 600), START_MS))]);
    const { exitCode, stdout } = await verify();
    expect(exitCode).toBe(1);
    expect(stdout).toContain('470 numbers missing without explanation');
  });

  it('B3: lists a gap record that cannot be true, and gaps dismiss sets it aside with a reason', async () => {
    const gap = { ofEpoch: 'k3v9x2', from: 1, to: 281_474_976_710_655, count: 5, reason: 'dropped' } as const;
    const record = { gap, tsMs: START_MS, epoch: 'k3v9x2', seq: 11 };
    await bench.commit([itemsMessage([...readingsOf('k3v9x2', numbers(1, 10), START_MS), record])]);
    const before = await verify();
    expect(before.exitCode).toBe(0);
    expect(before.stdout).toContain('gap record k3v9x2/11 about 1 to 281474976710655 is not believed');
    expect(before.stdout).toContain('1 gap record not believed');
    const recorded = recordedIo();
    const options = { ...bench.options, device: TEST_DEVICE, epoch: 'k3v9x2', seq: 11, reason: 'sent by a test' };
    expect(await runDismissGap(options, recorded.io)).toBe(0);
    expect(recorded.stdout()).toContain('is dismissed. It is kept with your reason.');
    expect((await verify()).stdout).toContain('is dismissed: sent by a test');
    expect(await runDismissGap({ ...options, seq: 12 }, recordedIo().io)).toBe(1);
    expect(await runDismissGap({ ...options, reason: ' ' }, recordedIo().io)).toBe(1);
  });

  it('waits for what the device says that it still holds', async () => {
    const readings = readingsOf('k3v9x2', [...numbers(1, 10), ...numbers(31, 40)], START_MS);
    const journal = { epoch: 'k3v9x2', state: 'ok', buffered: 20, dropped: 0 } as const;
    await bench.commit([itemsMessage(readings), statusMessage({ state: 'online', journal }, START_MS)]);
    const { exitCode, stdout } = await verify();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('20 may still be on the device');
    expect(stdout).toContain('verify again when it has delivered');
  });

  it('looks at one device when it is asked to, and does not know others', async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', [1, 3], START_MS), { deviceUid: 'other' })]);
    await bench.commit([itemsMessage(readingsOf('k3v9x2', [1, 2], START_MS))]);
    expect((await verify({ device: TEST_DEVICE })).exitCode).toBe(0);
    expect((await verify({ device: 'other' })).exitCode).toBe(1);
    const unknown = await verify({ device: 'nobody' });
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toContain('There is no device nobody');
  });

  it('does not take a store that is not there for a record without holes, and makes none', async () => {
    const { exitCode, stderr } = await verify();
    expect(exitCode).toBe(2);
    expect(stderr).toContain('There is no store at');
    expect((await verify()).exitCode).toBe(2);
  });

  it('ends as the service does when the config cannot be used', async () => {
    const { exitCode } = await verify({ flags: { ...bench.options.flags, 'mqtt.broker_port': 'nine' } });
    expect(exitCode).toBe(78);
  });

  it('names exactly the numbers of which nobody said a word, whatever else happened', async () => {
    let device = 0;
    // The record began long before the devices: what they gave at first had to come, too.
    await bench.commit([itemsMessage(readingsOf('k3v9x2', [1], START_MS), { receivedMs: START_MS - 86_400_000 })]);
    const property = fc.asyncProperty(recordModels('k3v9x2'), async (model) => {
      device += 1;
      const deviceUid = `device-${device}`;
      // Too large to be kept whole: no version will ever understand them.
      const bad = model.rejected.map(
        (seq) =>
          ({
            reason: 'bad-shape',
            detail: 'd',
            payload: `${seq}`,
            payloadBytes: 99_999,
            epoch: model.epoch,
            seq,
          }) as const,
      );
      const journal = { epoch: model.epoch, state: 'ok', buffered: model.buffered, dropped: 0 } as const;
      const receivedMs = modelTsMs(model.firstCame);
      await bench.commit([
        itemsMessage(model.items, { deviceUid, bad, receivedMs }),
        statusMessage({ state: 'online', journal }, receivedMs, deviceUid),
      ]);
      const [epoch] = (await report({ device: deviceUid })).devices[0]!.epochs;
      const exact = epoch!.holes.filter(({ ranges, count }) => countOfRanges(ranges) === count);
      const vague = epoch!.holes.filter(({ ranges, count }) => countOfRanges(ranges) !== count);
      expect(rangesOf(exact.flatMap(({ ranges }) => ranges.flatMap(([from, to]) => numbers(from, to))))).toEqual(
        model.silent,
      );
      expect(vague.map(({ count }) => count)).toEqual(model.silentInThinned.map(({ count }) => count));
      expect(epoch!.before_record).toEqual([]);
      expect(epoch!.waiting).toBe(model.buffered);
      expect(countOfRanges(epoch!.rejected)).toBe(model.rejected.length);
    });
    await fc.assert(property, { seed: 20_261_121, numRuns: 60 });
  });
});
