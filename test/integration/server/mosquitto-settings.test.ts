import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { connect, connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { TestClient } from '../../support/test-client.ts';
import { until } from '../../support/until.ts';

const SHIPPED = resolve(import.meta.dirname, '../../../config/mosquitto/techtemp.conf');
/** More than the 1000 that a default broker keeps for a client that is away. */
const MESSAGES = 3_000;

describe('the shipped settings for Mosquitto', () => {
  const settings = new Map(
    readFileSync(SHIPPED, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ') as [string, string]),
  );

  it('repeat nothing that Debian sets and Mosquitto takes only once, and open nothing', () => {
    const once = ['persistence_location', 'log_dest', 'pid_file', 'include_dir'];
    const doors = ['listener', 'port', 'allow_anonymous', 'password_file', 'acl_file', 'per_listener_settings'];
    expect([...once, ...doors].filter((name) => settings.has(name))).toEqual([]);
  });

  it('hold what the issue of the bursts asks for', () => {
    expect(settings.get('persistence')).toBe('true');
    expect(Number(settings.get('max_queued_messages'))).toBeGreaterThanOrEqual(20_000);
    // As many readings as fit must not be cut off by their size: 250 bytes of topic and payload each.
    expect(Number(settings.get('max_queued_bytes'))).toBeGreaterThanOrEqual(
      Number(settings.get('max_queued_messages')) * 250,
    );
    expect(Number(settings.get('max_inflight_messages'))).toBeGreaterThanOrEqual(200);
    // The agent's longest message, 500 readings of 150 bytes, and the server's own limit of 256 kB.
    expect(Number(settings.get('max_packet_size'))).toBeGreaterThanOrEqual(262_144);
  });
});

describe.skipIf(!mosquittoInstalled)('a Mosquitto beside Debian’s own settings', () => {
  let broker: Mosquitto | undefined;
  afterEach(async () => await broker?.dispose());

  it('starts with them, and S13: keeps a burst for a server that is away', async () => {
    broker = await Mosquitto.prepare();
    // As Debian's mosquitto.conf: persistence is said there already, and the file is included.
    broker.configure({
      config: ['persistence true', `persistence_location ${broker.folder}/`, `include_dir ${resolve(SHIPPED, '..')}`],
    });
    await broker.start();
    const session = { clientId: 'techtemp-server-main', clean: false, protocolVersion: 4, reconnectPeriod: 0 } as const;
    const server = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, session);
    await server.subscribeAsync('home/+/sensors/+/reading', { qos: 1 });
    await server.endAsync();

    const device = await TestClient.connect(broker.port);
    const numbers = Array.from({ length: MESSAGES }, (_, index) => String(index + 1));
    await Promise.all(numbers.map((number) => device.publish('home/h/sensors/a/reading', number)));
    await device.end();

    const heard = new Set<string>();
    // Listens before it is connected: what was kept comes at once.
    const back = connect(`mqtt://127.0.0.1:${broker.port}`, session);
    back.on('message', (_topic, payload) => void heard.add(payload.toString()));
    await until('every message of the burst has come', () => heard.size === MESSAGES);
    await back.endAsync();
  });
});
