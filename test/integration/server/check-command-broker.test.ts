import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeAnnouncement } from '../../../src/contract/messages.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { loadServerConfig, type MqttSection } from '../../../src/server/config.ts';
import { type BrokerParts, brokerExamination } from '../../../src/server/doctor/examinations/broker.ts';
import { createOpenConnection } from '../../../src/server/mqtt/open-connection.ts';
import { Mosquitto, type MosquittoOptions, mosquittoInstalled } from '../../support/mosquitto.ts';
import { freePort } from '../../support/ports.ts';
import { ScriptedBroker } from '../../support/scripted-broker.ts';
import { retainedOn, TestClient } from '../../support/test-client.ts';
import { until } from '../../support/until.ts';

const clock = createSystemClock();
const neverAborted = new AbortController().signal;
const cleanups: (() => Promise<void> | void)[] = [];
let defaults: MqttSection;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-server-check-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  defaults = (await loadServerConfig({ env: {}, flags: {} })).config.mqtt;
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function examine(
  port: number,
  changes: Partial<MqttSection> = {},
  parts: Partial<BrokerParts> = {},
): Promise<readonly Finding[]> {
  return await brokerExamination({
    mqtt: { ...defaults, brokerHost: '127.0.0.1', brokerPort: port, ...changes },
    configFile: '/etc/techtemp/server.conf',
    unit: 'techtemp-server.service',
    folder: '/opt/techtemp',
    env: {},
    root: folder,
    openConnection: createOpenConnection({ clock }),
    clock,
    isRunning: () => Promise.resolve(false),
    ...parts,
  }).run(neverAborted);
}

async function ids(...args: Parameters<typeof examine>): Promise<readonly string[]> {
  return (await examine(...args)).map(({ id }) => id);
}

async function mosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const broker = await Mosquitto.start(options);
  cleanups.push(() => broker.dispose());
  return broker;
}

async function client(port: number, filters: readonly string[] = []): Promise<TestClient> {
  const connected = await TestClient.connect(port, filters);
  cleanups.push(() => connected.end());
  return connected;
}

describe('what keeps the server from the broker', () => {
  it('names a host name that nobody knows, and a port on which nothing listens', async () => {
    expect(await ids(1883, { brokerHost: 'no-such-broker.invalid' })).toEqual(['connection.dns']);
    expect(await ids(await freePort())).toEqual(['connection.refused']);
  });

  it('names a web server in the place of the broker', async () => {
    const server = createHttpServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    expect(await ids((server.address() as AddressInfo).port)).toEqual(['connection.not-mqtt']);
  });

  it('speaks MQTT 3.1.1 where the broker knows no newer one, and says what cannot be seen then', async () => {
    const broker = await ScriptedBroker.start({ only: 4 });
    cleanups.push(() => broker.stop());
    expect(await ids(broker.port)).toContain('broker.old-protocol');
  });
});

describe.skipIf(!mosquittoInstalled)('what the broker lets the server do', () => {
  it('is content with an open broker, and leaves nothing behind', async () => {
    const broker = await mosquitto();
    const watcher = await client(broker.port, ['#']);
    const found = await ids(broker.port);
    expect(found).toContain('broker.ok');
    expect(found).toContain('broker.permissions');
    expect(found).toContain('broker.not-announced');
    expect(await retainedOn(broker.port, '#')).toEqual(new Map());
    // Nobody takes the probes for an announcement or for a receipt.
    expect(watcher.heard.map(({ topic }) => topic).filter((topic) => !topic.startsWith('marker/'))).toEqual([
      `techtemp/server/${defaults.instance}`,
      'home/techtemp-server-check/sensors/techtemp-server-check/receipt',
    ]);
  });

  it('names a wrong password, with the user name in the remedy', async () => {
    const broker = await mosquitto({ users: { server: 'right' } });
    const [finding] = await examine(broker.port, { username: 'server', password: 'wrong' });
    expect(['broker.credentials', 'broker.not-authorized']).toContain(finding?.id);
    expect(finding?.remedy?.join()).toContain('| head -n 1)" server');
  });

  // B7
  it('takes the password from where systemd takes it, and does not blame the broker where nobody else can', async () => {
    const broker = await mosquitto({ users: { server: 'right', other: 'of the other' } });
    mkdirSync(join(folder, 'etc/credstore'), { recursive: true });
    writeFileSync(join(folder, 'etc/credstore/techtemp-server.mqtt-password'), 'right\n');
    const login = { username: 'server' };
    expect((await ids(broker.port, login))[0]).toBe('broker.ok');
    mkdirSync(join(folder, 'usr/lib/credstore'), { recursive: true });
    writeFileSync(join(folder, 'usr/lib/credstore/techtemp-server-lab.mqtt-password'), 'of the other\n');
    const unit = 'techtemp-server@lab.service';
    expect((await ids(broker.port, { username: 'other' }, { unit }))[0]).toBe('broker.ok');
    mkdirSync(join(folder, 'etc/credstore.encrypted'), { recursive: true });
    writeFileSync(join(folder, 'etc/credstore.encrypted/techtemp-server-cave.mqtt-password'), 'unreadable');
    const [finding, ...more] = await examine(broker.port, login, { unit: 'techtemp-server@cave.service' });
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ id: 'connection.password-encrypted', verdict: 'skipped' });
  });

  it('warns of a password that goes out in clear, and of none where there is none', async () => {
    const broker = await ScriptedBroker.start({});
    cleanups.push(() => broker.stop());
    // An address of this machine that is not loopback by name: the examination goes by what the config says.
    const openConnection: BrokerParts['openConnection'] = (options, signal) =>
      createOpenConnection({ clock })({ ...options, host: '127.0.0.1' }, signal);
    const away = { brokerHost: 'broker.example.org', username: 'server' };
    expect(await ids(broker.port, away, { openConnection })).not.toContain('broker.password-in-clear');
    expect(await ids(broker.port, { ...away, password: 'x' }, { openConnection })).toContain(
      'broker.password-in-clear',
    );
  });

  it('names what the access list forbids', async () => {
    const broker = await mosquitto({ users: { server: 'right' }, acl: ['user server', 'topic read $SYS/#'] });
    const found = await examine(broker.port, { username: 'server', password: 'right' });
    const forbidden = found.filter(({ verdict }) => verdict === 'fail');
    expect(forbidden.map(({ id }) => id)).toEqual(expect.arrayContaining(['broker.acl-publish']) as string[]);
    expect(forbidden.map(({ found: text }) => text).join()).toContain('/receipt');
    expect(forbidden.map(({ found: text }) => text).join()).toContain('techtemp/server/');
  });

  it('names a client id, a protocol and a refusal that the broker answers with', async () => {
    const refusing = async (refuse: number, changes: Partial<MqttSection> = {}): Promise<readonly string[]> => {
      const broker = await ScriptedBroker.start({ connect: { refuse } });
      cleanups.push(() => broker.stop());
      return await ids(broker.port, { protocol: '5', ...changes });
    };
    expect(await refusing(0x85)).toEqual(['broker.client-id']);
    expect(await refusing(0x84)).toEqual(['broker.protocol']);
    expect(await refusing(0x89)).toEqual(['broker.refused']);
  });

  it('names subscriptions that the broker refuses, and a look at the other servers', async () => {
    const broker = await ScriptedBroker.start({ suback: () => 0x87 });
    cleanups.push(() => broker.stop());
    const found = await ids(broker.port);
    expect(found).toContain('broker.acl-subscribe');
    expect(found).toContain('broker.acl-servers');
  });

  it('names a broker that accepts us and hangs up', async () => {
    const broker = await ScriptedBroker.start({ disconnectAfterConnack: 0x8b });
    cleanups.push(() => broker.stop());
    expect(await ids(broker.port)).toContain('broker.disconnects');
  });

  // C3
  it('says all the rest of a broker that hangs up on a subscription to $SYS', async () => {
    const broker = await ScriptedBroker.start({
      suback: (filter) => {
        if (filter.startsWith('$SYS/')) broker.cut('reset');
        return 1;
      },
    });
    cleanups.push(() => broker.stop());
    const found = await ids(broker.port);
    expect(found).toContain('broker.permissions');
    expect(found).toContain('broker.ends-on-drops');
    expect(found).not.toContain('broker.disconnects');
  });

  // B8
  it('finds its own announcement at a broker that gives retained messages to exact topics only', async () => {
    const topic = `techtemp/server/${defaults.instance}`;
    const broker = await ScriptedBroker.start({
      suback: (filter) => {
        const online = encodeAnnouncement({ state: 'online', accepts: ['batch', 'receipt'] });
        if (filter === topic) broker.send(topic, online, { retain: true });
        return 1;
      },
    });
    cleanups.push(() => broker.stop());
    const found = await ids(broker.port);
    expect(found).toContain('broker.no-retained-by-wildcard');
    expect(found).not.toContain('broker.not-announced');
  });

  it('does not take a broker that never answers for one that forbids', async () => {
    const broker = await ScriptedBroker.start({ puback: 'never' });
    cleanups.push(() => broker.stop());
    // Twenty times as fast, so that nobody waits for whole time limits.
    const hasty = {
      ...clock,
      monotonicMs: () => clock.monotonicMs() * 20,
      sleep: async (ms: number, signal?: AbortSignal) => await clock.sleep(ms / 20, signal),
    };
    const found = await ids(broker.port, {}, { openConnection: createOpenConnection({ clock: hasty }), clock: hasty });
    expect(found).toContain('broker.no-answer');
    expect(found.filter((id) => id.includes('acl-publish'))).toEqual([]);
  });

  it('takes a broker that hides $SYS for one that says nothing about drops', async () => {
    const broker = await mosquitto({ config: ['sys_interval 0'] });
    expect(await ids(broker.port)).toContain('broker.silent-about-drops');
  });

  it('knows its own announcement, and a server elsewhere that uses its name', async () => {
    const broker = await mosquitto();
    const other = await client(broker.port);
    const online = encodeAnnouncement({ state: 'online', accepts: ['batch', 'receipt'] });
    await other.publish(`techtemp/server/${defaults.instance}`, online, true);
    expect(await ids(broker.port, {}, { isRunning: () => Promise.resolve(true) })).toContain('broker.announced');
    expect(await ids(broker.port)).toContain('broker.twin');
    // The probe has changed nothing.
    expect((await retainedOn(broker.port, 'techtemp/server/+')).get(`techtemp/server/${defaults.instance}`)).toBe(
      online,
    );
  });

  it('names other servers that give receipts', async () => {
    const broker = await mosquitto();
    const other = await client(broker.port);
    await other.publish(
      'techtemp/server/staging',
      encodeAnnouncement({ state: 'online', accepts: ['batch', 'receipt'] }),
      true,
    );
    const found = await examine(broker.port);
    expect(found.find(({ id }) => id === 'broker.other-servers')?.found).toContain('staging (online)');
    expect(await ids(broker.port, { receipts: false })).not.toContain('broker.other-servers');
  });

  it('S13: names what a broker on default settings dropped of a burst while the server was away', async () => {
    // Mosquitto's own defaults for the queue; only $SYS comes sooner than each ten seconds.
    const broker = await mosquitto({ config: ['sys_interval 1'] });
    expect(await ids(broker.port)).not.toContain('broker.dropped');
    // The server's session, while the server is away.
    const away = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, {
      protocolVersion: 5,
      clientId: 'techtemp-server-main',
      clean: false,
      properties: { sessionExpiryInterval: 3600 },
    });
    await away.subscribeAsync('home/+/sensors/+/reading', { qos: 1 });
    await away.endAsync();
    const burst = 20_000;
    const agent = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 4 });
    cleanups.push(() => agent.endAsync(true));
    await Promise.all(
      Array.from({ length: burst }, (_, index) =>
        agent.publishAsync(
          'home/home-001/sensors/aht20-f49c53/reading',
          JSON.stringify({ temperature_c: 21, humidity_pct: 50, ts: 1_757_537_685_793 + index }),
          { qos: 1 },
        ),
      ),
    );
    let finding: Finding | undefined;
    // It counts on for a moment after it has acknowledged the last message.
    await until('the broker says what it dropped: all but the thousand that it queues', async () => {
      finding = (await examine(broker.port)).find(({ id }) => id === 'broker.dropped');
      return Number(/has dropped (\d+) message/.exec(finding?.found ?? '')?.[1]) >= burst - 1100;
    });
    expect(finding?.verdict).toBe('fail');
    expect(finding?.cause).toContain('max_queued_messages');
    expect(finding?.remedy?.join()).toContain('config/mosquitto/techtemp.conf');
  });
});
