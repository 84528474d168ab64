import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';

const config = resolve(import.meta.dirname, '../../../config');
const read = (path: string): string => readFileSync(join(config, path), 'utf8');

const PASSWORD = 'spoken by all of them';
const ACCOUNTS = ['techtemp-server', 'techtemp-server-staging', 'aht20-f49c53'] as const;

describe.skipIf(!mosquittoInstalled)('the broker of compose.yaml', () => {
  let broker: Mosquitto;
  beforeAll(async () => {
    broker = await Mosquitto.prepare();
    // The file as it is, but for the places in the image and what the test's own broker says itself.
    const settings = read('container/mosquitto/mosquitto.conf')
      .split('\n')
      .filter((line) => !/^(#|listener|allow_anonymous|password_file|acl_file|$)/.test(line))
      .map((line) => line.replace('/mosquitto/data/', `${broker.folder}/`))
      .map((line) => line.replace('/mosquitto/config/conf.d', join(config, 'mosquitto')));
    expect(settings).toHaveLength(4);
    broker.configure({
      config: settings,
      users: Object.fromEntries(ACCOUNTS.map((name) => [name, PASSWORD])),
      acl: read('container/mosquitto/techtemp.acl').split('\n'),
    });
    await broker.start();
  });
  afterAll(async () => await broker.dispose());

  it.each([
    ['aht20-f49c53', 'home/home-001/sensors/aht20-f49c53/reading', 'allowed'],
    ['aht20-f49c53', 'home/home-001/sensors/aht20-000001/reading', 'refused'],
    ['aht20-f49c53', 'techtemp/server/main', 'refused'],
    ['techtemp-server', 'home/home-001/sensors/aht20-f49c53/receipt', 'allowed'],
    ['techtemp-server', 'techtemp/server/main', 'allowed'],
    ['techtemp-server', 'home/home-001/sensors/aht20-f49c53/reading', 'refused'],
    ['techtemp-server-staging', 'techtemp/server/staging', 'allowed'],
    ['techtemp-server-staging', 'techtemp/server/main', 'refused'],
    ['techtemp-server-staging', 'home/home-001/sensors/aht20-f49c53/receipt', 'refused'],
  ])('%s on %s: %s', (account, topic, verdict) => {
    const { status, output } = publish(topic, ['-u', account, '-P', PASSWORD]);
    expect(status).toBe(0);
    expect(/not authori[sz]ed/i.test(output) ? 'refused' : 'allowed').toBe(verdict);
  });

  it('lets in nobody without a password', () => {
    expect(publish('home/home-001/sensors/aht20-f49c53/reading', []).status).not.toBe(0);
  });

  /** With MQTT 5, which tells a publisher that it may not. */
  function publish(
    topic: string,
    words: readonly string[],
  ): { readonly status: number | null; readonly output: string } {
    const args = ['-V', 'mqttv5', '-h', '127.0.0.1', '-p', String(broker.port), '-q', '1', '-t', topic, '-m', '{}'];
    const { status, stdout, stderr } = spawnSync('mosquitto_pub', [...args, ...words], { encoding: 'utf8' });
    return { status, output: stdout + stderr };
  }
});
