import { renameSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { DeviceConfig } from '../../src/device/config.ts';
import { type ConfigBench, openConfigBench, openConfigBenchAt } from '../support/config-bench.ts';
import { seededRandom } from '../support/seeded-random.ts';

const FIRST = '[mqtt]\nbroker_host = one\n';
const SECOND = '[mqtt]\nbroker_host = two\n';
/** Less than the slow look at the file takes: what is noticed within this was noticed by the watch. */
const SOON_MS = 10_000;
/** More than that. */
const LATER_MS = 45_000;

let bench: ConfigBench;
afterEach(async () => {
  await bench.close();
});

async function watched(text = FIRST): Promise<void> {
  bench = await openConfigBench(text);
  bench.watch();
  await bench.pass(100);
}

const host = (): string => bench.live.current.mqtt.brokerHost;

describe('the watch on device.conf', () => {
  it.each<[how: string, edit: (path: string) => Promise<void>]>([
    ['a write in place', async (path) => await writeFile(path, SECOND)],
    [
      'a careful program: a new file, renamed over the old one',
      async (path) => {
        await writeFile(`${path}.tmp`, SECOND);
        await rename(`${path}.tmp`, path);
      },
    ],
    [
      'vim: the old one renamed away, a new one in its place, the old one deleted',
      async (path) => {
        await rename(path, `${path}~`);
        await writeFile(path, SECOND);
        await unlink(`${path}~`);
      },
    ],
    [
      'an older file moved here, with an older time',
      async (path) => {
        const old = join(dirname(dirname(path)), 'old.conf');
        await writeFile(old, SECOND);
        await utimes(old, 1, 1);
        await rename(old, path);
      },
    ],
    [
      'a link to another file',
      async (path) => {
        const other = join(dirname(dirname(path)), 'other.conf');
        await writeFile(other, SECOND);
        await unlink(path);
        await symlink(other, path);
      },
    ],
  ])('notices %s, and goes on watching', async (_, edit) => {
    await watched();
    await edit(bench.path);
    await bench.until(() => host() === 'two', SOON_MS);
    await bench.pass(1_000);
    await writeFile(bench.path, FIRST.replace('one', 'three'));
    await bench.until(() => host() === 'three', SOON_MS);
    expect(bench.results.at(-1)).toMatchObject({ outcome: 'applied', reason: 'the file changed' });
  });

  it('notices a change between the start and the beginning of the watch', async () => {
    bench = await openConfigBench(FIRST);
    await writeFile(bench.path, SECOND);
    bench.watch();
    await bench.until(() => host() === 'two', SOON_MS);
  });

  it('reports a deleted file once, keeps what is in force, and notices that it is back', async () => {
    await watched();
    await unlink(bench.path);
    await bench.until(() => bench.live.state().state === 'rejected', SOON_MS);
    await bench.pass(5_000);
    expect(bench.results).toHaveLength(1);
    expect(host()).toBe('one');
    await writeFile(bench.path, SECOND);
    await bench.until(() => host() === 'two', SOON_MS);
    expect(bench.live.state()).toEqual({ state: 'ok' });
  });

  it('reports a bad file once, and takes the good one after it', async () => {
    await watched();
    await writeFile(bench.path, '[mqtt]\nbroker_host = a b\n');
    await bench.until(() => bench.live.state().state === 'rejected', SOON_MS);
    await bench.pass(5_000);
    expect(bench.results).toHaveLength(1);
    await writeFile(bench.path, SECOND);
    await bench.until(() => host() === 'two', SOON_MS);
  });

  it('follows a link whose target is edited', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'techtemp-config-'));
    await mkdir(join(folder, 'real'));
    await mkdir(join(folder, 'etc'));
    await writeFile(join(folder, 'real', 'my.conf'), FIRST);
    await symlink('../real/my.conf', join(folder, 'etc', 'device.conf'));
    bench = await openConfigBenchAt(folder, join(folder, 'etc', 'device.conf'));
    bench.watch();
    await bench.pass(100);
    await writeFile(join(folder, 'real', 'my.conf'), SECOND);
    await bench.until(() => host() === 'two', SOON_MS);
  });

  it('follows a folder that is swapped as a whole by a link, as Kubernetes does', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'techtemp-config-'));
    for (const [name, text] of Object.entries({ '..1': FIRST, '..2': SECOND })) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'device.conf'), text);
    }
    await symlink('..1', join(folder, '..data'));
    await symlink('..data/device.conf', join(folder, 'device.conf'));
    bench = await openConfigBenchAt(folder, join(folder, 'device.conf'));
    bench.watch();
    await bench.pass(100);
    await symlink('..2', join(folder, '..tmp'));
    await rename(join(folder, '..tmp'), join(folder, '..data'));
    await rm(join(folder, '..1'), { recursive: true });
    await bench.until(() => host() === 'two', SOON_MS);
    await bench.pass(1_000);
    await writeFile(join(folder, '..2', 'device.conf'), FIRST.replace('one', 'three'));
    await bench.until(() => host() === 'three', SOON_MS);
  });

  it('finds by its slow look what no watch can tell: the folder itself is behind a link that is switched', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'techtemp-config-'));
    for (const [name, text] of Object.entries({ a: FIRST, b: SECOND })) {
      await mkdir(join(folder, 'sets', name), { recursive: true });
      await writeFile(join(folder, 'sets', name, 'device.conf'), text);
    }
    await mkdir(join(folder, 'etc'));
    await symlink('../sets/a', join(folder, 'etc', 'current'));
    bench = await openConfigBenchAt(folder, join(folder, 'etc', 'current', 'device.conf'));
    bench.watch();
    await bench.pass(100);
    await symlink('../sets/b', join(folder, 'etc', 'next'));
    await rename(join(folder, 'etc', 'next'), join(folder, 'etc', 'current'));
    await bench.until(() => host() === 'two', LATER_MS);
    await bench.pass(1_000);
    await writeFile(join(folder, 'sets', 'b', 'device.conf'), FIRST.replace('one', 'three'));
    await bench.until(() => host() === 'three', SOON_MS);
  });

  it('comes back with its folder', async () => {
    await watched();
    await rm(dirname(bench.path), { recursive: true });
    await bench.until(() => bench.live.state().state === 'rejected', SOON_MS);
    await bench.pass(20_000);
    expect(bench.results).toHaveLength(1);
    await mkdir(dirname(bench.path));
    await writeFile(bench.path, SECOND);
    await bench.until(() => host() === 'two', SOON_MS);
    await bench.pass(3_000);
    await writeFile(bench.path, FIRST.replace('one', 'three'));
    await bench.until(() => host() === 'three', SOON_MS);
  });

  it('goes over to a folder that takes the place of the old one', async () => {
    await watched();
    const etc = dirname(bench.path);
    await mkdir(`${etc}.new`);
    await writeFile(join(`${etc}.new`, 'device.conf'), SECOND);
    renameSync(etc, `${etc}.old`);
    renameSync(`${etc}.new`, etc);
    await bench.until(() => host() === 'two', SOON_MS);
    await bench.pass(1_000);
    await writeFile(bench.path, FIRST.replace('one', 'three'));
    await bench.until(() => host() === 'three', SOON_MS);
  });

  it('is not disturbed by other files in the folder', async () => {
    await watched();
    for (let n = 0; n < 200; n += 1) await writeFile(join(dirname(bench.path), `other-${n % 7}`), `${n}`);
    await bench.pass(2_000);
    expect(bench.results).toEqual([]);
  });

  it('wakes the machine at most five times a minute while nothing happens', async () => {
    await watched();
    let wakes = 0;
    const sleep = bench.clock.sleep;
    bench.clock.sleep = async (ms, signal) => {
      wakes += 1;
      await sleep(ms, signal);
    };
    await bench.pass(60_000);
    expect(wakes).toBeLessThanOrEqual(5);
    expect(wakes).toBeGreaterThan(0);
  });
});

describe('a thousand edits, in any order', () => {
  it('end in the right config; nothing half-written is ever in force; sections that do not change are never touched', {
    timeout: 180_000,
  }, async () => {
    const seed = Number(process.env['TECHTEMP_TEST_SEED'] ?? 20_260_101);
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    let serial = 0;
    /** A whole file; the host is last, so that every beginning of it is a valid file with another meaning. */
    const whole = (): string => {
      serial += 1;
      const interval = ['10', '20', '30'][below(3)] ?? '';
      return `[device]\nlabel = all\n[sensor]\nread_interval_seconds = ${interval}\n[mqtt]\nusername = u${serial}\nbroker_host = h${serial}\n`;
    };
    const wholes = new Set<string>();
    const note = (text: string): string => {
      wholes.add(meaningOf(text));
      return text;
    };
    let good = note(whole());
    bench = await openConfigBench(good);
    const { path, live } = bench;
    bench.watch();

    const replace = async (text: string): Promise<void> => {
      await writeFile(`${path}.tmp`, text);
      await rename(`${path}.tmp`, path);
    };
    const asked: Promise<unknown>[] = [];
    const edits: readonly (() => Promise<void>)[] = [
      async () => await writeFile(path, (good = note(whole()))),
      async () => await replace((good = note(whole()))),
      async () => await writeFile(path, whole().replace('= h', '= not a host ')),
      async () => await replace('[mqtt]\nbroker_hots = x\n'),
      async () => {
        good = note(whole());
        const cut = below(good.length);
        await writeFile(path, good.slice(0, cut));
        await bench.pass(below(200));
        await appendFile(path, good.slice(cut));
      },
      async () => {
        await rm(path, { force: true });
        await bench.pass(below(600));
        await writeFile(path, (good = note(whole())));
      },
      async () => {
        await rename(path, `${path}~`);
        await bench.pass(below(100));
        await writeFile(path, (good = note(whole())));
      },
      async () => {
        for (let n = below(30); n >= 0; n -= 1) asked.push(live.reload('SIGHUP'));
        await Promise.resolve();
      },
      async () => await writeFile(path, good),
    ];

    for (let n = 0; n < 1_000; n += 1) {
      await edits[below(edits.length)]?.();
      for (let turns = below(8); turns > 0; turns -= 1) {
        await bench.pass(60);
      }
      if (n % 25 !== 24) continue;
      await replace(good);
      await bench.until(() => live.state().state === 'ok' && meaningOfConfig(live.current) === meaningOf(good));
    }
    await bench.finish(Promise.all(asked));
    expect(meaningOfConfig(live.current)).toBe(meaningOf(good));
    expect(bench.inForce.length).toBeGreaterThan(100);
    expect(bench.results.filter(({ outcome }) => outcome === 'rejected').length).toBeGreaterThan(20);
    expect(
      bench.inForce.map(meaningOfConfig).filter((meaning) => !wholes.has(meaning)),
      `seed ${seed}`,
    ).toEqual([]);
    for (const name of Object.keys(live.current) as (keyof DeviceConfig)[]) {
      const kept = bench.inForce.map((config) => config[name]);
      const changes = kept.filter((section, n) => n > 0 && !isDeepStrictEqual(section, kept[n - 1])).length;
      expect(live.section(name).version, name).toBe(changes);
      expect(new Set(kept).size, name).toBe(changes + 1);
    }
    expect(live.section('sensor').version).toBeLessThan(live.section('mqtt').version);
    expect(live.section('journal').version).toBe(0);
  });
});

function meaningOf(text: string): string {
  const [interval = '', username = '', brokerHost = ''] = [...text.matchAll(/= ?(\S+)$/gm)]
    .slice(1)
    .map((match) => match[1]);
  return `${Number(interval) * 1_000} ${username} ${brokerHost}`;
}

function meaningOfConfig({ sensor, mqtt }: DeviceConfig): string {
  return `${sensor.readIntervalMs} ${mqtt.username} ${mqtt.brokerHost}`;
}
