import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Faults } from '../../../src/device/publisher/faults.ts';
import { type KnownServer, SOME_SERVER } from '../../../src/device/publisher/known-servers.ts';
import {
  loadState,
  NEW_STATE,
  type RememberedState,
  rememberedByName,
  StoredState,
  saveState,
} from '../../../src/device/publisher/state-file.ts';
import { LoopHeartbeat } from '../../../src/platform/systemd.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordingLog, recordingProgress } from '../../support/recording.ts';
import { until } from '../../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'techtemp-state-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const STATE: RememberedState = {
  servers: [
    { name: 'a', accepts: ['receipt'], seenMs: 5, gaveReceipts: false },
    { name: 'b', accepts: ['batch', 'receipt'], seenMs: 6, gaveReceipts: true, record: 'r1' },
  ],
  retained: ['home/h/sensors/u/status'],
  acknowledged: { e1: [[1, 5]] },
  waitedForServer: false,
  nobodySubscribed: true,
};
const server = (name: string): KnownServer => ({ ...rememberedByName(name), seenMs: 1 });

function parts(): { clock: FakeClock; faults: Faults; heartbeat: LoopHeartbeat } {
  const clock = new FakeClock();
  return {
    clock,
    faults: new Faults(recordingLog(), clock, () => undefined),
    heartbeat: new LoopHeartbeat(clock, recordingProgress(), Infinity),
  };
}

describe('the state on disk', () => {
  it('is empty where there is no file, and makes its folder', async () => {
    const path = join(folder, 'new', 'folder', 'delivery.json');
    expect(await loadState(path)).toEqual({ state: NEW_STATE });
    await saveState(path, STATE);
    expect(await loadState(path)).toEqual({ state: STATE });
    expect(readdirSync(dirname(path))).toEqual(['delivery.json']);
  });

  it('that cannot be read stands for a server that may have been', async () => {
    const path = join(folder, 'broken.json');
    const whole = JSON.stringify({ servers: ['a', 'b'], retained: ['home/h/sensors/u/status'] });
    const cases = ['', '{', 'null', '[]', '{}', '{"servers":"a","retained":[]}', '{"servers":[1],"retained":[]}'];
    for (const content of [...cases, ...Array.from(whole, (_, length) => whole.slice(0, length))]) {
      writeFileSync(path, content);
      const { state, problem } = await loadState(path);
      expect(state.servers.map(({ name }) => name)).toEqual([SOME_SERVER]);
      expect(problem).toContain('delivery = broker');
    }
    mkdirSync(join(folder, 'directory'));
    expect((await loadState(join(folder, 'directory'))).state.servers).toMatchObject([{ name: SOME_SERVER }]);
  });

  it('of an older release knows the servers by name, and has waited for one', async () => {
    const path = join(folder, 'older.json');
    writeFileSync(path, '{"servers":["main"],"retained":["t"]}');
    expect((await loadState(path)).state).toEqual({
      servers: [{ name: 'main', accepts: ['receipt'], seenMs: 0, gaveReceipts: true }],
      retained: ['t'],
      acknowledged: {},
      waitedForServer: true,
      nobodySubscribed: false,
    });
  });

  it('believes no numbers that are none, and keeps the rest', async () => {
    const path = join(folder, 'odd.json');
    for (const odd of ['7', '[[2,1]]', '[[0,1]]', '[["1",2]]', '[[1]]', '[[1,1e300]]']) {
      writeFileSync(path, `{"servers":["main"],"retained":[],"acknowledged":{"e":${odd},"f":[[1,2]]}}`);
      expect((await loadState(path)).state.acknowledged).toEqual({ f: [[1, 2]] });
    }
  });

  // C5
  it('is written at once a few times, then once for many notes, and at the end', async () => {
    const path = join(folder, 'notes.json');
    const { clock, faults, heartbeat } = parts();
    const state = await StoredState.open(path, faults, heartbeat, clock);
    const onDisk = (): unknown => (JSON.parse(readFileSync(path, 'utf8')) as { servers: unknown }).servers;
    for (let n = 0; n < 5; n += 1) {
      state.note({ servers: [server(`s${n}`)] });
      await until('the first are written at once', () => existsSync(path) && JSON.stringify(onDisk()) === `["s${n}"]`);
    }
    for (let n = 0; n < 1_000; n += 1) state.note({ servers: [server(`t${n}`)] });
    await clock.advance(9_000);
    expect(onDisk()).toEqual(['s4']);
    await clock.advance(1_001);
    await until('the last is written', () => JSON.stringify(onDisk()) === '["t999"]');
    state.note({ servers: [server('z')] });
    await state.settled();
    expect(onDisk()).toEqual(['z']);
    expect(clock.sleepers()).toBe(0);
  });

  it('is written behind what is known in RAM, the newest last', async () => {
    const path = join(folder, 'order.json');
    const { clock, faults, heartbeat } = parts();
    const state = await StoredState.open(path, faults, heartbeat, clock);
    const updates = ['a', 'b', 'c'].map(async (name) => state.update({ servers: [server(name)] }));
    expect(state.current.servers).toEqual([server('c')]);
    await Promise.all(updates);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ servers: ['c'], retained: [] });
  });

  it('is written after an update that changed nothing', async () => {
    const path = join(folder, 'unchanged.json');
    const { clock, faults, heartbeat } = parts();
    const state = await StoredState.open(path, faults, heartbeat, clock);
    await state.update({ servers: [] });
    await state.update({ servers: [server('a')] });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ servers: ['a'], retained: [] });
  });

  it('can be waited for by who did not ask for the update', async () => {
    const path = join(folder, 'settled.json');
    const { clock, faults, heartbeat } = parts();
    const state = await StoredState.open(path, faults, heartbeat, clock);
    void state.update({ servers: [server('a')] });
    void state.update({ servers: [] });
    void state.update({ servers: [server('b')] });
    await state.settled();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ servers: ['b'], retained: [] });
  });

  it('that cannot be written is a fault, and what is known still counts', async () => {
    const { clock, faults, heartbeat } = parts();
    writeFileSync(join(folder, 'a-file'), '');
    const state = await StoredState.open(join(folder, 'a-file', 'delivery.json'), faults, heartbeat, clock);
    await state.update({ servers: [server('a')] });
    expect(state.current.servers).toEqual([server('a')]);
    expect(faults.last()).toContain('a-file');
  });
});
