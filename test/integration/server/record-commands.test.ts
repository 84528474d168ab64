import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandIo } from '../../../src/cli/command-io.ts';
import {
  runDeviceAdd,
  runDeviceApprove,
  runDeviceMove,
  runDeviceRefuse,
  runDeviceRemove,
  runDeviceRename,
  runDevices,
} from '../../../src/server/commands/devices.ts';
import { runExport } from '../../../src/server/commands/export.ts';
import { runGaps } from '../../../src/server/commands/gaps.ts';
import { runRejected } from '../../../src/server/commands/rejected.ts';
import { runTokenCreate, runTokenList, runTokenRevoke } from '../../../src/server/commands/token.ts';
import { hashToken } from '../../../src/server/tokens.ts';
import { recordedIo } from '../../support/command-io.ts';
import { itemsMessage, numbers, readingsOf, ServerStore, TEST_DEVICE } from '../../support/server-store.ts';

const START_MS = Date.UTC(2026, 0, 1);
let bench: ServerStore;

beforeEach(() => {
  bench = new ServerStore();
});
afterEach(() => bench.dispose());

interface Said {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function say<T extends object>(
  command: (options: T & typeof bench.options, io: CommandIo) => Promise<number>,
  options: T,
): Promise<Said> {
  const recorded = recordedIo();
  const exitCode = await command({ ...bench.options, ...options }, recorded.io);
  return { exitCode, stdout: recorded.stdout(), stderr: recorded.stderr() };
}

describe('techtemp-server token', () => {
  it('shows the secret once, keeps its hash only, and a running server honours it at once', async () => {
    const server = await bench.open();
    const { stdout, stderr } = await say(runTokenCreate, {
      name: 'tablet',
      scope: 'read',
      expires: '90d',
      json: false,
    } as const);
    const secret = stdout.trim();
    expect(stdout).toBe(`${secret}\n`);
    expect(stderr).toContain('may read until');
    const token = await server.tokenByHash(hashToken(secret), Date.now());
    expect(token).toMatchObject({ name: 'tablet', scope: 'read' });
    for (const name of readdirSync(bench.folder)) {
      expect(readFileSync(join(bench.folder, name)).includes(secret), name).toBe(false);
    }
    expect((await say(runTokenList, { json: false })).stdout).not.toContain(secret);
    expect((await say(runTokenRevoke, { id: token!.id })).stdout).toContain('is revoked');
    expect(await server.tokenByHash(hashToken(secret), Date.now())).toBeUndefined();
    expect((await say(runTokenList, { json: false })).stdout).toMatch(/tablet +read +revoked/);
  });

  it('says what is wrong with an id that no token has, and with a length of time', async () => {
    await bench.open();
    expect(await say(runTokenRevoke, { id: 'nobody' })).toMatchObject({ exitCode: 1, stdout: '' });
    const odd = await say(runTokenCreate, { name: 'n', scope: 'write', expires: 'soon', json: false } as const);
    expect(odd.stderr).toContain('--expires must be a length such as 90d');
  });
});

describe('techtemp-server devices', () => {
  it('adds, moves, renames, approves, refuses and removes, and lists what came of it', async () => {
    await bench.open();
    expect((await say(runDeviceAdd, { uid: TEST_DEVICE, room: 'Salon', label: 'Window' })).stdout).toBe(
      `${TEST_DEVICE} is added: "Window", in Salon\n`,
    );
    expect((await say(runDeviceAdd, { uid: TEST_DEVICE })).exitCode).toBe(1);
    expect((await say(runDeviceRename, { uid: TEST_DEVICE, label: 'Door' })).stdout).toContain('"Door"');
    expect((await say(runDeviceMove, { uid: TEST_DEVICE, room: 'Kitchen' })).stdout).toContain('in Kitchen');
    expect((await say(runDeviceRefuse, { uid: TEST_DEVICE })).exitCode).toBe(0);
    expect((await say(runDeviceApprove, { uid: TEST_DEVICE })).stdout).toContain('is approved');
    expect((await say(runDevices, { all: false, json: false })).stdout).toMatch(/aht20-0a1b2c +Door +Kitchen +active/);
    const [device] = (JSON.parse((await say(runDevices, { all: false, json: true })).stdout) as { devices: object[] })
      .devices;
    expect(device).toMatchObject({ device_id: TEST_DEVICE, state: 'active', buffered: null });
  });

  it('keeps the readings of a removed device, and deletes them only after a yes', async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', [1, 2, 3], START_MS))]);
    const remove = (deleteReadings: boolean, answer: boolean): Promise<Said> =>
      say(runDeviceRemove, { uid: TEST_DEVICE, deleteReadings, confirm: () => Promise.resolve(answer) });
    expect(await remove(true, false)).toMatchObject({ exitCode: 1, stdout: '' });
    expect((await remove(false, false)).stdout).toContain('its 3 readings stay');
    expect((await say(runDevices, { all: true, json: false })).stdout).toContain('removed');
    expect((await remove(true, true)).stdout).toContain('3 readings');
  });
});

describe('techtemp-server export', () => {
  beforeEach(async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', numbers(1, 2500), START_MS))]);
  });

  it('writes every reading, page after page, to a file that appears when it is whole', async () => {
    const output = join(bench.folder, 'all.csv');
    expect((await say(runExport, { format: 'csv', output } as const)).exitCode).toBe(0);
    const lines = readFileSync(output, 'utf8').trimEnd().split('\r\n');
    expect(lines).toHaveLength(2501);
    expect(lines[1]).toContain('2026-01-01T00:00:30.000Z');
    expect(readdirSync(bench.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('leaves nothing behind when it is stopped', async () => {
    const output = join(bench.folder, 'all.csv');
    const stop = new AbortController();
    const { io } = recordedIo({ signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(runExport({ ...bench.options, format: 'csv', output }, io)).rejects.toThrow('enough');
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(bench.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('takes days in the time zone of the house', async () => {
    const flags = { ...bench.options.flags, 'house.time_zone': 'America/New_York' };
    const { stdout } = await say(runExport, { format: 'jsonl', flags, from: '2026-01-01' } as const);
    const [first = ''] = stdout.split('\n');
    // Midnight in New York.
    expect(JSON.parse(first)).toMatchObject({ ts: '2026-01-01T05:00:00.000Z' });
  });

  it('says what is wrong with a device, a room or a time', async () => {
    expect((await say(runExport, { format: 'csv', device: 'nobody' } as const)).stderr).toContain(
      'There is no device nobody',
    );
    expect((await say(runExport, { format: 'csv', room: 'nowhere' } as const)).stderr).toContain(
      'There is no room nowhere',
    );
    expect((await say(runExport, { format: 'csv', from: '2026-02-30' } as const)).stderr).toContain(
      '--from must be a day',
    );
    expect((await say(runExport, { format: 'csv', from: '2026-02-02', to: '2026-01-01' } as const)).exitCode).toBe(1);
  });
});

describe('techtemp-server gaps and rejected', () => {
  it('lists what devices say is missing', async () => {
    const gap = { ofEpoch: 'k3v9x2', from: 10, to: 19, count: 5, reason: 'thinned' } as const;
    await bench.commit([itemsMessage([{ gap, tsMs: START_MS, epoch: 'k3v9x2', seq: 20 }])]);
    expect((await say(runGaps, { limit: 20, json: false })).stdout).toMatch(/k3v9x2 +10 to 19 +5 +thinned/);
    const { gaps } = JSON.parse((await say(runGaps, { limit: 20, json: true })).stdout) as { gaps: object[] };
    expect(gaps[0]).toMatchObject({ from_seq: 10, to_seq: 19, count: 5, reason: 'thinned' });
  });

  it('lists what was rejected, with control characters made visible', async () => {
    const base = {
      kind: 'rejected',
      topic: 'home/h/sensors/x/reading',
      receivedMs: START_MS,
      payloadBytes: 9,
    } as const;
    await bench.commit([
      { ...base, reason: 'not-json', detail: 'not JSON', payload: '\u001b[31mred\n' },
      { ...base, reason: 'bad-shape', detail: 'temperature_c must be a number', payload: '{}' },
    ]);
    const { stdout } = await say(runRejected, { limit: 20, json: false });
    expect(stdout).toContain('9 bytes: \\u{1b}[31mred\\n');
    expect(stdout).not.toContain('\u001b');
    const one = await say(runRejected, { limit: 20, json: false, reason: 'bad-shape' });
    expect(one.stdout).not.toContain('not-json');
    expect((await say(runRejected, { limit: 20, json: false, reason: 'odd' })).stderr).toContain(
      '--reason must be one of',
    );
    expect((await say(runRejected, { limit: 1, json: false })).stdout).toContain('there are more');
  });
});
