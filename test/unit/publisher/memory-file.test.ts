import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Pulse } from '../../../src/common/pulse.ts';
import { SOME_SERVER } from '../../../src/device/publisher/delivery.ts';
import { Faults } from '../../../src/device/publisher/faults.ts';
import { Memory } from '../../../src/device/publisher/memory.ts';
import { loadMemory, saveMemory } from '../../../src/device/publisher/memory-file.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordingLog, recordingProgress } from '../../support/recording.ts';

const folder = mkdtempSync(join(tmpdir(), 'techtemp-memory-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MEMORY = { servers: ['a', 'b'], retained: ['home/h/sensors/u/status'] };

function parts(): { clock: FakeClock; faults: Faults; pulse: Pulse } {
  const clock = new FakeClock();
  return {
    clock,
    faults: new Faults(recordingLog(), clock, () => undefined),
    pulse: new Pulse(clock, recordingProgress(), Infinity),
  };
}

describe('the memory on disk', () => {
  it('is empty where there is no file, and makes its folder', async () => {
    const path = join(folder, 'new', 'folder', 'delivery.json');
    expect(await loadMemory(path)).toEqual({ memory: { servers: [], retained: [] } });
    await saveMemory(path, MEMORY);
    expect(await loadMemory(path)).toEqual({ memory: MEMORY });
    expect(readdirSync(dirname(path))).toEqual(['delivery.json']);
  });

  it('that cannot be read stands for a server that may have been', async () => {
    const path = join(folder, 'broken.json');
    const whole = JSON.stringify(MEMORY);
    const cases = ['', '{', 'null', '[]', '{}', '{"servers":"a","retained":[]}', '{"servers":[1],"retained":[]}'];
    for (const content of [...cases, ...Array.from(whole, (_, length) => whole.slice(0, length))]) {
      writeFileSync(path, content);
      const { memory, problem } = await loadMemory(path);
      expect(memory).toEqual({ servers: [SOME_SERVER], retained: [] });
      expect(problem).toContain('delivery = broker');
    }
    mkdirSync(join(folder, 'directory'));
    expect((await loadMemory(join(folder, 'directory'))).memory.servers).toEqual([SOME_SERVER]);
  });

  it('is written behind what is known in RAM, the newest last', async () => {
    const path = join(folder, 'order.json');
    const { faults, pulse } = parts();
    const memory = await Memory.open(path, faults, pulse);
    const updates = ['a', 'b', 'c'].map(async (name) => memory.update({ servers: [name] }));
    expect(memory.current.servers).toEqual(['c']);
    await Promise.all(updates);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ servers: ['c'], retained: [] });
  });

  it('is written after an update that changed nothing', async () => {
    const path = join(folder, 'unchanged.json');
    const { faults, pulse } = parts();
    const memory = await Memory.open(path, faults, pulse);
    await memory.update({ servers: [] });
    await memory.update({ servers: ['a'] });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ servers: ['a'], retained: [] });
  });

  it('can be waited for by who did not ask for the update', async () => {
    const path = join(folder, 'settled.json');
    const { faults, pulse } = parts();
    const memory = await Memory.open(path, faults, pulse);
    void memory.update({ servers: ['a'] });
    void memory.update({ servers: [] });
    void memory.update({ servers: ['b'] });
    await memory.settled();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ servers: ['b'], retained: [] });
  });

  it('that cannot be written is a fault, and what is known still counts', async () => {
    const { faults, pulse } = parts();
    writeFileSync(join(folder, 'a-file'), '');
    const memory = await Memory.open(join(folder, 'a-file', 'delivery.json'), faults, pulse);
    await memory.update({ servers: ['a'] });
    expect(memory.current.servers).toEqual(['a']);
    expect(faults.last()).toContain('a-file');
  });
});
