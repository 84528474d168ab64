import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createVitest } from 'vitest/node';
import { LONGEST_FIRST, laneOf } from '../../lanes.ts';

const root = resolve(import.meta.dirname, '../../..');
const written = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .map((name) => `test/${name}`)
  .filter((name) => name.endsWith('.test.ts') && !name.startsWith('test/system/'))
  .sort();

/** The files that `vitest run --mode MODE` runs. */
async function filesIn(mode: string): Promise<readonly string[]> {
  const vitest = await createVitest('test', { root, mode, watch: false });
  const found = await vitest.globTestSpecifications();
  await vitest.close();
  return found.map(({ moduleId }) => moduleId.slice(root.length + 1)).sort();
}

describe('the lanes', () => {
  it('run every test file once: in `npm test`, or in what it leaves out', async () => {
    const quick = await filesIn('quick');
    const rest = await filesIn('rest');
    expect(quick.length).toBeGreaterThan(50);
    expect(rest.length).toBeGreaterThan(50);
    expect([...quick, ...rest].sort()).toEqual(written);
  });

  it('are all together what runs without a lane', async () => {
    expect(await filesIn('test')).toEqual(written);
  });

  it('name files that exist', async () => {
    const node24 = await filesIn('node24');
    expect(node24.length).toBeGreaterThan(20);
    expect(written).toEqual(expect.arrayContaining([...node24, ...LONGEST_FIRST]));
  });

  it.each(['quick', 'rest', 'node24'])('match a file with each pattern: %s', (mode) => {
    const { include, exclude } = laneOf(mode);
    const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).map((name) => `test/${name}`);
    const matchesNothing = [...include, ...exclude]
      .flatMap(eachAlternative)
      .filter((pattern) => !files.some((file) => expression(pattern).test(file)));
    expect(matchesNothing).toEqual([]);
  });

  it('refuse a name that is no lane', async () => {
    await expect(filesIn('quik')).rejects.toThrow('no lane "quik"');
  });
});

/** The patterns without braces that a pattern stands for: a/{b,c}/*.ts is a/b/*.ts and a/c/*.ts. */
function eachAlternative(pattern: string): readonly string[] {
  const [, before, names, after] = /^(.*?)\{([^{}]*)\}(.*)$/.exec(pattern) ?? [];
  if (names === undefined) return [pattern];
  return names.split(',').flatMap((name) => eachAlternative(`${before}${name}${after}`));
}

/** What a pattern of slashes, names, `*` and `**` matches. */
function expression(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*\/|\*\*|\*)/).map((part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part.replaceAll('.', '\\.');
  });
  return new RegExp(`^${parts.join('')}$`);
}
