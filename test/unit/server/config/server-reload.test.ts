import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reloadHooks } from '../../../../src/cli/reload.ts';
import type { AcceptedReload, LiveConfig, ReloadResult } from '../../../../src/config/live.ts';
import { describeProblem } from '../../../../src/config/problem.ts';
import { createSystemClock } from '../../../../src/platform/clock.ts';
import { openServerConfig, type ServerConfig } from '../../../../src/server/config.ts';
import { recordingLog } from '../../../support/recording.ts';

const FIRST = '[http]\nhost = 127.0.0.1\nport = 3000\nreading = open\n[store]\npath = /data/a.db\n';
/** Nothing waits longer than a turn of the event loop for a file that is known to lie still. */
const times = { settleMs: 1, cutShortMs: 1, giveUpMs: 10_000 };

let folder = '';
let path = '';
let live: LiveConfig<ServerConfig>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'techtemp-server-reload-'));
  path = join(folder, 'server.conf');
  await writeFile(path, FIRST);
  live = await openServerConfig({ path, env: {}, flags: {}, clock: createSystemClock(), times });
});
afterEach(async () => await rm(folder, { recursive: true }));

async function reload(text: string): Promise<ReloadResult> {
  await writeFile(path, text);
  return await live.reload('SIGHUP');
}

const warningsOf = ({ warnings }: ReloadResult): readonly string[] => warnings.map(describeProblem);

describe('an edit of server.conf while the server runs', () => {
  it('takes effect at once where it can', async () => {
    const result = await reload(FIRST.replace('reading = open', 'reading = token'));
    expect(result).toMatchObject({ outcome: 'applied', changed: ['http'], needsRestart: [], warnings: [] });
    expect(live.current.http.reading).toBe('token');
  });

  it('waits for a restart where it cannot, says so with its line, and the running value stays', async () => {
    const result = await reload(FIRST.replace('/data/a.db', '/data/b.db'));
    expect(result).toMatchObject({ outcome: 'unchanged', changed: [], needsRestart: ['store.path'] });
    expect(warningsOf(result)).toEqual([
      `${path}:6: store.path = "/data/b.db": needs a restart; until then it stays "/data/a.db"`,
    ]);
    expect(live.current.store.path).toBe('/data/a.db');
    expect(live.section('store').version).toBe(0);
  });

  it('does both at once, each in its way', async () => {
    const result = await reload(FIRST.replace('reading = open', 'reading = token').replace('3000', '3001'));
    expect(result).toMatchObject({ outcome: 'applied', changed: ['http'], needsRestart: ['http.port'] });
    expect(live.current.http).toMatchObject({ reading: 'token', port: 3000 });
  });

  it('never lets a part believe that the server listens where it will only listen after a restart', async () => {
    await writeFile(path, FIRST.replace('127.0.0.1', '0.0.0.0'));
    live = await openServerConfig({ path, env: {}, flags: {}, clock: createSystemClock(), times });
    // Listening everywhere: an edit to loopback must not open writing to everybody.
    await reload(FIRST);
    expect(live.current.http.host).toBe('0.0.0.0');
  });

  it('is told at each reload for as long as it waits, and no longer when it is taken back', async () => {
    const edited = FIRST.replace('3000', '3001');
    await reload(edited);
    expect((await reload(`# again\n${edited}`)) as AcceptedReload).toMatchObject({ needsRestart: ['http.port'] });
    const back = await reload(FIRST);
    expect(back).toMatchObject({ outcome: 'unchanged', needsRestart: [], warnings: [] });
  });

  // B9
  it('says who overrides a key that was edited in vain, once', async () => {
    const env = { TECHTEMP_HTTP_READING: 'open' };
    const flags = { 'http.port': '4000' };
    live = await openServerConfig({ path, env, flags, clock: createSystemClock(), times });
    const log = recordingLog();
    const said = async (text: string): Promise<string | undefined> => {
      const result = await reload(text);
      if (result.outcome !== 'rejected') reloadHooks(log).onUnchanged(result);
      return log.lines.at(-1)?.message;
    };
    const edited = FIRST.replace('reading = open', 'reading = token');
    expect(await said(edited)).toBe(
      `nothing has changed; without effect, since overridden: http.reading (${path}:4) by environment variable TECHTEMP_HTTP_READING`,
    );
    expect(await said(edited.replace('3000', '3001'))).toBe(
      `nothing has changed; without effect, since overridden: http.port (${path}:3) by --set http.port`,
    );
    expect(await said(`${edited.replace('3000', '3001')}\n# a note\n`)).toBe(
      'the configuration says what is in force already',
    );
    const both = await reload(edited.replace('3000', '3002').replace('[store]', 'max_body_kb = 9\n[store]'));
    expect(both).toMatchObject({ outcome: 'applied', overridden: [`http.port (${path}:3) by --set http.port`] });
  });

  it('names a line that was taken out, too', async () => {
    const result = await reload(FIRST.replace('port = 3000\n', '').replace('/data/a.db', '/data/b.db'));
    expect(result).toMatchObject({ needsRestart: ['store.path'] });
    const gone = await reload('[http]\n');
    expect(warningsOf(gone)).toContain('default: store.path = "": needs a restart; until then it stays "/data/a.db"');
  });

  it('with a mistake changes nothing, and says where it is', async () => {
    const result = await reload(FIRST.replace('open', 'sometimes'));
    expect(result.outcome).toBe('rejected');
    expect(result.problems.map(describeProblem)).toEqual([
      `${path}:4: http.reading = "sometimes": must be open or token`,
    ]);
    expect(live.current.http.reading).toBe('open');
  });
});
