import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fileStamp, readConfigFile, readSettled, SETTLE_TIMES } from '../../src/config/file.ts';
import type { ConfigText } from '../../src/config/ini.ts';
import { openLiveConfig } from '../../src/config/live.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { type ConfigBench, openConfigBench, openConfigBenchAt } from '../support/config-bench.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { asOrdinaryUser } from '../support/ordinary-user.ts';

const FIRST = '[sensor]\nread_interval_seconds = 30\n[mqtt]\nbroker_host = one\nusername = you\n';
const never = new AbortController().signal;

let bench: ConfigBench;
afterEach(async () => {
  await bench.close();
});

async function reload(reason = 'SIGHUP') {
  return await bench.finish(bench.live.reload(reason));
}

describe('a reload', () => {
  it('changes the sections that changed, and leaves the objects of the others alone', async () => {
    bench = await openConfigBench(FIRST);
    const before = bench.live.current;
    const mqtt = bench.live.section('mqtt');
    const woken = mqtt.changed(0, never);
    await writeFile(bench.path, FIRST.replace('one', 'two'));

    const result = await reload();
    expect(result).toMatchObject({
      outcome: 'applied',
      reason: 'SIGHUP',
      generation: 1,
      changed: ['mqtt'],
      warnings: [],
      problems: [],
    });
    await woken;
    expect(mqtt.current.brokerHost).toBe('two');
    expect(bench.live.section('mqtt')).toBe(mqtt);
    for (const name of ['device', 'sensor', 'journal', 'clock', 'homeassistant', 'logging'] as const) {
      expect(bench.live.section(name).version).toBe(0);
      expect(bench.live.section(name).current).toBe(before[name]);
      expect(bench.live.current[name]).toBe(before[name]);
    }
    expect(bench.live.current.mqtt).toBe(mqtt.current);
    expect(Object.isFrozen(bench.live.current)).toBe(true);
  });

  it('shows all changed sections at once to whoever is woken by one', async () => {
    bench = await openConfigBench(FIRST);
    const { live } = bench;
    const seen = live
      .section('sensor')
      .changed(0, never)
      .then(() => live.section('mqtt').current.brokerHost);
    await writeFile(bench.path, FIRST.replace('one', 'two').replace('30', '40'));
    await reload();
    expect(await seen).toBe('two');
  });

  it('of a file with another look and the same meaning changes nothing', async () => {
    bench = await openConfigBench(FIRST);
    const before = bench.live.current;
    await writeFile(bench.path, `# new\n${FIRST.replace('30', '30.0').replace('one', '"one"')}`);
    expect(await reload()).toMatchObject({ outcome: 'unchanged', generation: 0, changed: [] });
    expect(bench.live.current).toBe(before);
    expect(bench.results.map(({ outcome }) => outcome)).toEqual(['unchanged']);
  });

  it('of a bad file keeps what is in force, and says so until the file is good again', async () => {
    bench = await openConfigBench(FIRST);
    const before = bench.live.current;
    await writeFile(bench.path, FIRST.replace('30', 'soon'));
    const result = await reload();
    const line = `${bench.path}:2: sensor.read_interval_seconds = "soon": must be a number from 0.1 to 3600 (seconds), or a time in ms, s, min, h or d`;
    expect(result).toMatchObject({
      outcome: 'rejected',
      generation: 0,
      error: { code: 'CONFIG_INVALID', message: line },
    });
    expect(result.problems).toHaveLength(1);
    expect(bench.live.current).toBe(before);
    expect(bench.live.state()).toEqual({ state: 'rejected', error: line });
    expect(bench.live.health.version).toBe(1);

    await writeFile(bench.path, FIRST);
    expect(await reload()).toMatchObject({ outcome: 'unchanged' });
    expect(bench.live.state()).toEqual({ state: 'ok' });
    expect(bench.live.health.version).toBe(2);
  });

  it('of a missing file keeps what is in force', async () => {
    bench = await openConfigBench(FIRST);
    await unlink(bench.path);
    expect(await reload()).toMatchObject({ outcome: 'rejected', error: { code: 'CONFIG_UNREADABLE' } });
    expect(bench.live.state().error).toContain('there is no such file');
    expect(bench.live.current.mqtt.brokerHost).toBe('one');
  });

  it('tells warnings, also those of a file that changes nothing', async () => {
    bench = await openConfigBench(FIRST);
    await writeFile(bench.path, `${FIRST}retain = yes\n`);
    expect(await reload()).toMatchObject({ outcome: 'unchanged', warnings: [{ key: 'mqtt.retain' }] });
  });

  it('answers at once when the file is what it was at the last look', async () => {
    bench = await openConfigBench(FIRST);
    const sleepers = bench.clock.sleepers();
    expect(await bench.live.reload('SIGHUP')).toMatchObject({ outcome: 'unchanged' });
    expect(bench.clock.sleepers()).toBe(sleepers);
  });
});

describe('many reloads', () => {
  it('at the same time are one, and all of them get its answer', async () => {
    bench = await openConfigBench(FIRST);
    await writeFile(bench.path, FIRST.replace('one', 'two'));
    const storm = Array.from({ length: 1_000 }, (_, n) => bench.live.reload(n < 500 ? 'SIGHUP' : 'asked'));
    const results = await bench.finish(Promise.all(storm));
    expect(new Set(results.map((result) => `${result.reason} ${result.outcome}`))).toEqual(
      new Set(['SIGHUP, asked applied']),
    );
    expect(bench.results).toHaveLength(1);
  });

  it('never answer with a look that was taken before they were asked', async () => {
    bench = await openConfigBench(FIRST);
    let looks = 0;
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { path, clock } = bench;
    const live = await openLiveConfig({
      path,
      clock,
      interpret: async (file) => {
        looks += 1;
        if (looks === 2) await gate;
        return { config: { a: { text: new TextDecoder().decode(file?.bytes) } }, warnings: [] };
      },
    });
    await writeFile(path, FIRST.replace('one', 'two'));
    const first = live.reload('first');
    await bench.until(() => looks === 2);
    await writeFile(path, FIRST.replace('one', 'three'));
    const second = live.reload('second');
    expect(live.reload('third')).toBe(second);
    goOn();
    await bench.finish(first);
    expect(live.current.a.text).toContain('two');
    expect(await bench.finish(second)).toMatchObject({ outcome: 'applied', reason: 'second, third' });
    expect(live.current.a.text).toContain('three');
    expect(looks).toBe(3);
  });
});

describe('a file that is being written', () => {
  const NEXT = FIRST.replace('30', '300').replace('one', 'two').replace('you', 'me');

  it('is not believed while it still changes, wherever the writer has got to', async () => {
    bench = await openConfigBench(FIRST);
    for (let length = 0; length < NEXT.length; length += 1) {
      const beginning = NEXT.slice(0, length);
      await writeFile(bench.path, beginning);
      const asked = bench.live.reload('SIGHUP');
      await bench.pass(200);
      await appendFile(bench.path, NEXT.slice(length));
      await bench.finish(asked);
      expect(bench.live.current.sensor.readIntervalMs, JSON.stringify(beginning)).toBe(300_000);
      expect(bench.live.current.mqtt, JSON.stringify(beginning)).toMatchObject({ brokerHost: 'two', username: 'me' });
      await writeFile(bench.path, FIRST);
      await reload();
      expect(bench.live.current.mqtt.brokerHost).toBe('one');
    }
    const outcomes = new Set(bench.results.map(({ outcome }) => outcome));
    expect(outcomes).toEqual(new Set(['applied']));
  });

  it('is one change, although its beginning would be a good file that loses nothing', async () => {
    bench = await openConfigBench(FIRST);
    await writeFile(bench.path, NEXT);
    const asked = bench.live.reload('SIGHUP');
    await bench.pass(200);
    await appendFile(bench.path, 'password = secret\n');
    await bench.finish(asked);
    expect(bench.inForce.map(({ mqtt }) => mqtt.password)).toEqual(['', 'secret']);
  });

  it('between the look at it and the end of reading is read again', async () => {
    bench = await openConfigBench(FIRST);
    let looks = 0;
    const looksCutShort = (): boolean => {
      looks += 1;
      if (looks === 1) writeFileSync(bench.path, NEXT);
      return false;
    };
    const { clock, path } = bench;
    const read = readSettled(path, { clock, times: SETTLE_TIMES, lastStamp: undefined, looksCutShort });
    const { result, stamp } = await bench.finish(read);
    if (result instanceof ConfigError) throw result;
    expect(new TextDecoder().decode(result.bytes)).toBe(NEXT);
    expect(stamp).toBe(await fileStamp(path));
    expect(looks).toBe(2);
  });

  it('and stays cut in mid-line or has lost a key is not believed for much longer', async () => {
    bench = await openConfigBench(FIRST);
    const cuts = ['[sensor]\nread_interval_seconds = 3', '[sensor]\nread_interval_seconds = 300\n', '[sensor]\n', ''];
    for (const cut of cuts) {
      await writeFile(bench.path, cut);
      const asked = bench.live.reload('SIGHUP');
      await bench.pass(2_500);
      expect(bench.live.current.sensor.readIntervalMs).toBe(30_000);
      await appendFile(bench.path, FIRST.slice(cut.length));
      await writeFile(bench.path, FIRST);
      expect(await bench.finish(asked)).toMatchObject({ outcome: 'unchanged' });
    }
  });

  it('is believed in the end when it stays so: a key may be deleted, an editor may leave out the last line break', async () => {
    bench = await openConfigBench(FIRST);
    await writeFile(bench.path, '[sensor]\nread_interval_seconds = 5');
    expect(await reload()).toMatchObject({ outcome: 'applied' });
    expect(bench.live.current.sensor.readIntervalMs).toBe(5_000);
    expect(bench.live.current.mqtt.brokerHost).toBe('localhost');
  });

  it('may be applied in part only where nothing in force is lost and the writer pauses between two lines', async () => {
    // The limit of what can be told from outside: this beginning is a whole file to everyone.
    bench = await openConfigBench(FIRST);
    await writeFile(bench.path, NEXT);
    expect(await reload()).toMatchObject({ outcome: 'applied' });
    await appendFile(bench.path, 'password = secret\n');
    expect(await reload()).toMatchObject({ outcome: 'applied' });
    expect(bench.live.current.mqtt.password).toBe('secret');
  });

  it('for ever is given up on, and taken up again', async () => {
    bench = await openConfigBench(FIRST);
    const asked = bench.live.reload('SIGHUP');
    for (let n = 0; bench.results.length === 0; n += 1) {
      await writeFile(bench.path, `${FIRST}# ${'x'.repeat(n)}\n`);
      await bench.pass(100);
      expect(n).toBeLessThan(1_000);
    }
    expect(await asked).toMatchObject({ outcome: 'rejected', error: { code: 'CONFIG_UNREADABLE' } });
    expect(bench.live.state().error).toContain('has not stopped changing for 15 s');
    expect(await reload()).toMatchObject({ outcome: 'unchanged' });
  });
});

describe('a file at the start', () => {
  it('that is bad or missing is an error with its remedy', async () => {
    bench = await openConfigBench(FIRST);
    const folder = bench.folder;
    await expect(readConfigFile(join(folder, 'none.conf'))).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
      message: expect.stringMatching(/none\.conf: there is no such file; .*--config.*config --defaults/) as string,
    });
    await expect(readConfigFile(join(folder, 'etc', 'device.conf', 'x'))).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
    });
    await expect(readConfigFile(folder)).rejects.toThrow('is not a file');
    await writeFile(bench.path, '[sensor]\nx = 1\n');
    await expect(openConfigBenchAt(folder, bench.path)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('that is a pipe does not make the program wait for its writer', async () => {
    bench = await openConfigBench(FIRST);
    const pipe = join(bench.folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(readConfigFile(pipe)).rejects.toThrow('is not a file');
  });

  it('that may not be read says so', async () => {
    bench = await openConfigBench(FIRST);
    const { path, folder } = bench;
    await chmod(path, 0);
    await asOrdinaryUser([folder], async () => {
      await expect(readConfigFile(path)).rejects.toThrow('may not be read by this user');
    });
  });
});

describe('without a file', () => {
  it('there is nothing to reload, and the watching loop only waits for its end', async () => {
    bench = await openConfigBench(FIRST);
    const clock = new FakeClock();
    const interpret = async (file: ConfigText | undefined) =>
      Promise.resolve({ config: { a: { given: file } }, warnings: [] });
    const live = await openLiveConfig({ clock, interpret });
    expect(await live.reload('SIGHUP')).toMatchObject({ outcome: 'unchanged' });
    const stop = new AbortController();
    const watching = live.watch(stop.signal);
    await clock.advance(3 * 86_400_000);
    stop.abort(new Error('stop'));
    await expect(watching).rejects.toThrow('stop');
  });
});

describe('the end of the program', () => {
  it('does not wait for a file that is still being written', async () => {
    bench = await openConfigBench(FIRST);
    const folder = await mkdtemp(join(tmpdir(), 'techtemp-config-'));
    const path = join(folder, 'x.conf');
    await writeFile(path, '[a]\n');
    const stop = new AbortController();
    const clock = new FakeClock();
    const live = await openLiveConfig({
      path,
      clock,
      signal: stop.signal,
      interpret: async () => Promise.resolve({ config: { a: {} }, warnings: [] }),
    });
    await writeFile(`${path}.new`, '[a]\n# other\n');
    await rename(`${path}.new`, path);
    const asked = live.reload('SIGHUP');
    asked.catch(() => undefined);
    await bench.until(() => clock.sleepers() > 0);
    stop.abort(new Error('stop'));
    await expect(asked).rejects.toThrow('stop');
    await rm(folder, { recursive: true });
  });
});
