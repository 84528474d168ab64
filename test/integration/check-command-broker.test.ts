import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeAnnouncement } from '../../src/contract/messages.ts';
import { encodeStatus } from '../../src/contract/status.ts';
import type { MqttSection } from '../../src/device/config.ts';
import { brokerExamination } from '../../src/device/doctor/examinations/broker.ts';
import type { BrokerParts } from '../../src/device/doctor/examinations/broker-parts.ts';
import type { JournalUse } from '../../src/device/doctor/examinations/journal.ts';
import { createOpenLink } from '../../src/device/mqtt/client.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { mqttSection } from '../support/device-sections.ts';
import { Mosquitto, type MosquittoOptions, mosquittoInstalled } from '../support/mosquitto.ts';
import { freePort } from '../support/ports.ts';
import { ScriptedBroker } from '../support/scripted-broker.ts';
import { opensslInstalled, SmallCa } from '../support/small-ca.ts';
import { until } from '../support/until.ts';

const clock = createSystemClock();
const deviceUid = 'aht20-0a1b2c';
const folderTopic = `home/home-001/sensors/${deviceUid}`;
const neverAborted = new AbortController().signal;
const cleanups: (() => Promise<void> | void)[] = [];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-check-broker-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function examine(
  port: number,
  changes: Partial<MqttSection> = {},
  parts: Partial<BrokerParts> = {},
): Promise<readonly Finding[]> {
  return await brokerExamination({
    mqtt: mqttSection(port, changes),
    deviceUid,
    homeId: 'home-001',
    configFile: '/etc/techtemp/device.conf',
    env: {},
    openLink: createOpenLink({ clock }),
    clock,
    ownJournal: () => Promise.resolve(undefined),
    rememberedServers: () => Promise.resolve([]),
    root: folder,
    ...parts,
  }).run(neverAborted);
}

async function ids(...args: Parameters<typeof examine>): Promise<readonly string[]> {
  return (await examine(...args)).map(({ id }) => id);
}

async function scripted(manners: Parameters<typeof ScriptedBroker.start>[0] = {}): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start(manners);
  cleanups.push(() => broker.stop());
  return broker;
}

async function mosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const broker = await Mosquitto.start(options);
  cleanups.push(() => broker.dispose());
  return broker;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

describe('what keeps us from the broker', () => {
  it('names a host name that nobody knows', async () => {
    const [finding] = await examine(1883, { brokerHost: 'no-such-broker.invalid' });
    expect(finding).toMatchObject({ id: 'connection.dns', verdict: 'fail' });
    expect(finding?.remedy).toContain('$ getent hosts no-such-broker.invalid');
  });

  it('names a port on which nothing listens', async () => {
    expect(await ids(await freePort())).toEqual(['connection.refused']);
  });

  it('names a host to which no way leads', async () => {
    // Addresses for documentation (RFC 3849) are routed nowhere.
    const found = await ids(1883, { brokerHost: '2001:db8::1' });
    expect(['connection.unreachable', 'connection.time-out']).toContain(found[0]);
  });

  it('names a port that takes the connection and says nothing', async () => {
    const broker = await scripted({ connect: 'silent' });
    expect(await ids(broker.port)).toEqual(['connection.time-out']);
  });

  it('names a web server in the place of the broker', async () => {
    const port = await listen(createHttpServer());
    const [finding] = await examine(port);
    expect(finding?.id).toBe('connection.not-mqtt');
    expect(finding?.cause).toContain('web server');
    expect((await ids(port, { tls: true }))[0]).toBe('connection.not-mqtt');
  });

  it('names an SSH server in the place of the broker', async () => {
    const port = await listen(
      createServer((socket) => {
        socket
          .resume()
          .on('error', () => undefined)
          .end('SSH-2.0-OpenSSH_9.2p1\r\n');
      }),
    );
    expect((await examine(port))[0]?.cause).toContain('SSH');
  });

  it('names a TLS that the two sides cannot agree on', async () => {
    // An alert "protocol version" (RFC 8446, 6.2), as servers send it that speak nothing we would accept.
    const alert = Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 70]);
    const port = await listen(
      createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(alert))),
    );
    expect(await ids(port, { tls: true })).toEqual(['connection.tls-failed']);
  });

  it('names a broker that hangs up without a word', async () => {
    const broker = await scripted({ connect: 'close' });
    expect(await ids(broker.port)).toEqual(['connection.lost']);
  });

  it('names a file of the config that cannot be read', async () => {
    const [finding] = await examine(1883, { username: 'u', passwordFile: join(folder, 'absent') });
    expect(finding).toMatchObject({ id: 'connection.file', verdict: 'fail' });
    expect(finding?.found).toContain(join(folder, 'absent'));
  });
});

describe.skipIf(!mosquittoInstalled || !opensslInstalled)('TLS with a real Mosquitto', () => {
  let ca: SmallCa;
  beforeAll(() => {
    ca = new SmallCa(folder);
  });

  async function secured(
    name: string,
    leaf: Parameters<SmallCa['issue']>[1] = {},
    config: readonly string[] = [],
  ): Promise<number> {
    const { certFile, keyFile } = ca.issue(name, leaf);
    const lines = [`cafile ${ca.certFile}`, `certfile ${certFile}`, `keyfile ${keyFile}`, ...config];
    return (await mosquitto({ config: lines })).port;
  }
  const trusting = (changes: Partial<MqttSection> = {}): Partial<MqttSection> => ({
    tls: true,
    tlsCaFile: ca.certFile,
    ...changes,
  });

  it('is content with a certificate of the CA that the config names', async () => {
    const [finding] = await examine(await secured('good'), trusting());
    expect(finding?.found).toContain('encrypted');
  });

  it('names an unknown CA', async () => {
    expect(await ids(await secured('unknown-ca'), { tls: true })).toEqual(['connection.tls-unknown-ca']);
  });

  it('names an expired certificate', async () => {
    const port = await secured('expired', { fromDays: -10, toDays: -1 });
    expect(await ids(port, trusting())).toEqual(['connection.tls-expired']);
  });

  it('names a certificate that is not valid yet, and what our clock says', async () => {
    const [finding] = await examine(await secured('tomorrow', { fromDays: 2 }), trusting());
    expect(finding?.id).toBe('connection.tls-not-yet-valid');
    expect(finding?.found).toContain(new Date().toISOString().slice(0, 10));
  });

  it('names a certificate for another name', async () => {
    const port = await secured('other-name', { subjectAltName: 'DNS:broker.example' });
    expect(await ids(port, trusting())).toEqual(['connection.tls-name']);
    expect((await ids(port, trusting({ tlsServerName: 'broker.example' })))[0]).toBe('broker.ok');
  });

  it('names a plain port spoken to in TLS, and a TLS port spoken to in plain', async () => {
    expect(await ids((await mosquitto()).port, trusting())).toEqual(['connection.tls-to-plain']);
    expect(await ids(await secured('wants-tls'))).toEqual(['connection.plain-to-tls']);
  });

  it('names a client certificate that is asked for', async () => {
    const port = await secured('wants-client', {}, ['require_certificate true']);
    expect(await ids(port, trusting())).toEqual(['connection.tls-client-certificate']);
  });
});

describe('what the broker says', () => {
  it.skipIf(!mosquittoInstalled)('is content with a broker that lets us publish and subscribe', async () => {
    const { port } = await mosquitto();
    expect(await ids(port)).toEqual(['broker.ok', 'broker.permissions', 'broker.no-server']);
  });

  it.skipIf(!mosquittoInstalled)(
    'names a wrong password, never shows it, and takes the right one from the credential store',
    async () => {
      const { port } = await mosquitto({ users: { [deviceUid]: 'right' } });
      const wrong = await examine(port, { username: deviceUid, password: 'wrong-secret' });
      expect(wrong.map(({ id }) => id)).toEqual(['broker.not-authorized']);
      expect(JSON.stringify(wrong)).not.toContain('wrong-secret');

      const root = mkdtempSync(join(folder, 'root-'));
      mkdirSync(join(root, 'etc/credstore'), { recursive: true });
      writeFileSync(join(root, 'etc/credstore/techtemp.mqtt-password'), 'right\n');
      expect((await ids(port, { username: deviceUid }, { root }))[0]).toBe('broker.ok');
    },
  );

  it('names bad credentials, a refused client id and other refusals by the code of the broker', async () => {
    const broker = await scripted({ connect: { refuse: 0x86 } });
    expect(await ids(broker.port, { username: 'u', password: 'p' })).toEqual(['broker.credentials']);
    broker.manners.connect = { refuse: 0x85 };
    const [finding] = await examine(broker.port);
    expect(finding?.id).toBe('broker.client-id');
    expect(finding?.found).toContain(`techtemp-${deviceUid}-check`);
    broker.manners.connect = { refuse: 0x97 };
    expect(await ids(broker.port)).toEqual(['broker.refused']);
  });

  it('does not take a broker that never answers for one that forbids', async () => {
    const broker = await scripted({ puback: 'never' });
    // Twenty times as fast, so that nobody waits for whole time limits.
    const hasty = {
      ...clock,
      monotonicMs: () => clock.monotonicMs() * 20,
      sleep: async (ms: number, signal?: AbortSignal) => await clock.sleep(ms / 20, signal),
    };
    const found = await ids(broker.port, {}, { openLink: createOpenLink({ clock: hasty }), clock: hasty });
    expect(found).toContain('broker.no-answer');
    expect(found).not.toContain('broker.acl-publish');
  });

  it('falls back to MQTT 3.1.1 as the agent does, and warns that denials are invisible there', async () => {
    const broker = await scripted({ only: 4 });
    expect(await ids(broker.port)).toContain('broker.old-protocol');
    expect(await ids(broker.port, { protocol: '5' })).toEqual(['broker.protocol']);
    expect(await ids(broker.port, { protocol: '3.1.1' })).toContain('broker.old-protocol');
  });

  it.skipIf(!mosquittoInstalled)('names an access list that forbids our topics', async () => {
    const { port } = await mosquitto({ acl: ['topic readwrite other/#'] });
    const found = await examine(port);
    const denied = found.find(({ id }) => id === 'broker.acl-publish');
    expect(denied?.found).toContain(folderTopic);
    expect(found.map(({ id }) => id)).not.toContain('broker.permissions');
  });

  it.skipIf(!mosquittoInstalled)('accepts the access list that we recommend', async () => {
    const { port } = await mosquitto({
      users: { [deviceUid]: 'right' },
      acl: ['pattern write home/+/sensors/%u/#', 'pattern read home/+/sensors/%u/#', 'pattern read techtemp/server/+'],
    });
    expect(await ids(port, { username: deviceUid, password: 'right' })).toContain('broker.permissions');
  });

  it('names a topic to which we may not subscribe, and what is lost without it', async () => {
    const broker = await scripted({ suback: (filter) => (filter.endsWith('/receipt') ? 0x87 : 1) });
    const found = await examine(broker.port, { commands: true });
    const denied = found.filter(({ id }) => id === 'broker.acl-subscribe');
    expect(denied).toHaveLength(1);
    expect(denied[0]?.cause).toContain('no receipts');
  });

  it('names a broker that takes less than a reading, little, or one message at a time', async () => {
    const broker = await scripted({ maximumPacketSize: 128, receiveMaximum: 1 });
    expect(await ids(broker.port)).toEqual(
      expect.arrayContaining(['broker.packet-too-small', 'broker.receive-maximum']),
    );
    broker.manners.maximumPacketSize = 512;
    expect(await ids(broker.port)).toContain('broker.packet-small');
    expect(broker.violations).toEqual([]);
  });

  it('names a broker that ends the connection at once', async () => {
    const broker = await scripted({ disconnectAfterConnack: 0x8b });
    expect(await ids(broker.port)).toContain('broker.disconnects');
  });

  it('warns of a password that crosses the network in the clear', async () => {
    const broker = await scripted();
    const elsewhere: Partial<MqttSection> = { username: 'u', password: 'p', brokerHost: 'localhost.localdomain' };
    const parts: Partial<BrokerParts> = {
      openLink: (options, signal) => createOpenLink({ clock })({ ...options, host: '127.0.0.1' }, signal),
    };
    expect(await ids(broker.port, elsewhere, parts)).toContain('broker.password-in-clear');
    expect(await ids(broker.port, { username: 'u', password: 'p' })).not.toContain('broker.password-in-clear');
  });
});

describe.skipIf(!mosquittoInstalled)('who else is on the broker', () => {
  async function retain(port: number, topic: string, payload: string): Promise<void> {
    const client = connect({ host: '127.0.0.1', port });
    await new Promise((resolve) => client.once('connect', resolve));
    await client.publishAsync(topic, payload, { qos: 1, retain: true });
    await client.endAsync();
  }

  it('tells what a reading needs to count as delivered', async () => {
    const { port } = await mosquitto();
    expect(await ids(port, { delivery: 'receipt' })).toContain('broker.no-server-but-receipts');
    await retain(port, 'techtemp/server/main', encodeAnnouncement({ state: 'offline', accepts: ['batch', 'receipt'] }));
    expect(await ids(port)).toContain('broker.server-offline');
    await retain(port, 'techtemp/server/main', encodeAnnouncement({ state: 'online', accepts: ['batch', 'receipt'] }));
    expect(await ids(port)).toContain('broker.server');
  });

  it('recognises another device under our name by its journal', async () => {
    const { port } = await mosquitto();
    const journalHere = (
      epochs: readonly string[] | undefined,
      agent: JournalUse = 'writing',
    ): Partial<BrokerParts> => ({
      ownJournal: () => Promise.resolve(epochs === undefined ? undefined : { epochs, agent }),
    });
    const journal = { epoch: 'theirs', state: 'ok', buffered: 0, dropped: 0 } as const;
    await retain(port, `${folderTopic}/status`, encodeStatus({ state: 'online', journal }));
    const twin = (await examine(port, {}, journalHere(['ours']))).find(({ id }) => id === 'broker.duplicate-uid');
    expect(twin?.found).toContain('theirs');
    expect(await ids(port, {}, journalHere(['older', 'theirs']))).not.toContain('broker.duplicate-uid');
    expect(await ids(port, {}, journalHere(undefined))).not.toContain('broker.duplicate-uid');
    expect(await ids(port, {}, journalHere(['theirs'], 'writing'))).not.toContain('broker.ghost');
    expect(await ids(port, {}, journalHere(['theirs'], 'unknown'))).not.toContain('broker.ghost');
    expect(await ids(port, {}, journalHere(['theirs'], 'none'))).toContain('broker.ghost');
    await retain(port, `${folderTopic}/status`, 'null');
    expect(await ids(port, {}, journalHere(['ours']))).not.toContain('broker.duplicate-uid');
  });

  it('passes on what the running agent says of itself, and that the broker has not heard of it', async () => {
    const { port } = await mosquitto();
    const ownJournal = (): ReturnType<BrokerParts['ownJournal']> =>
      Promise.resolve({ epochs: ['ours'], agent: 'writing' });
    expect(await ids(port, {}, { ownJournal })).toContain('broker.agent-unheard');
    const problems = ['CLIENT_ID_TAKEN', 'RECORD_CHANGED', 'STEP_LEFT_OUT'].map((code) => ({
      code,
      message: `it is ${code}`,
    }));
    const journal = { epoch: 'ours', state: 'ok', buffered: 0, dropped: 0 } as const;
    const status = encodeStatus({ state: 'online', journal, mqtt: { subscribers: 'none', problems } });
    await retain(port, `${folderTopic}/status`, status);
    const findings = await examine(port, {}, { ownJournal });
    const said = ['broker.no-subscriber', 'broker.client-id-taken', 'broker.other-record', 'broker.agent-problem'];
    expect(findings.map(({ id }) => id)).toEqual(expect.arrayContaining(said));
    expect(findings.map(({ id }) => id)).not.toContain('broker.agent-unheard');
    expect(findings.find(({ id }) => id === 'broker.agent-problem')?.found).toContain('it is STEP_LEFT_OUT');
  });

  it('names a server to which nobody is subscribed, and one that the agent waits for in vain', async () => {
    const { port } = await mosquitto();
    await retain(port, 'techtemp/server/main', encodeAnnouncement({ state: 'online', accepts: ['batch', 'receipt'] }));
    const old = { name: 'old', accepts: ['receipt'], seenMs: 1_790_000_000_000, gaveReceipts: true } as const;
    const findings = await examine(
      port,
      {},
      { rememberedServers: () => Promise.resolve([old, { ...old, name: 'main' }]) },
    );
    expect(findings.map(({ id }) => id)).toContain('broker.server-deaf');
    const missing = findings.filter(({ id }) => id === 'broker.server-remembered');
    expect(missing).toHaveLength(1);
    expect(missing[0]?.found).toContain('old (last online: 2026-09-21T');
    expect(missing[0]?.remedy?.join()).toContain('sudo techtemp-device servers forget old');
  });

  it('names each subscription at which the broker hangs up, and examines the rest', async () => {
    const broker = await scripted({
      suback: (filter) => (filter.endsWith('+') || filter.endsWith('/command') ? 'hang up' : 1),
    });
    const findings = await examine(broker.port, { commands: true });
    const hangsUp = findings.filter(({ id }) => id === 'broker.hangs-up').map(({ found }) => found);
    expect(hangsUp).toHaveLength(2);
    expect(hangsUp[0]).toContain('techtemp/server/+');
    expect(findings.map(({ id }) => id)).toContain('broker.permissions');
  });

  it('disturbs nobody: a running agent stays connected, nothing is retained, no topic of others hears anything', async () => {
    const { port } = await mosquitto();
    const heard: string[] = [];
    const watcher = connect({ host: '127.0.0.1', port });
    await new Promise((resolve) => watcher.once('connect', resolve));
    await watcher.subscribeAsync('#', { qos: 1 });
    watcher.on('message', (topic, payload, packet) => heard.push(`${topic} ${payload.toString()} ${packet.retain}`));
    const agent = connect({ host: '127.0.0.1', port, clientId: `techtemp-${deviceUid}`, reconnectPeriod: 0 });
    await new Promise((resolve) => agent.once('connect', resolve));

    await examine(port);
    expect(agent.connected).toBe(true);
    expect(heard).toEqual([`${folderTopic}/backlog [] false`]);

    // Who subscribes only now hears what was retained, and is told so.
    const late: string[] = [];
    const newcomer = connect({ host: '127.0.0.1', port });
    await new Promise((resolve) => newcomer.once('connect', resolve));
    newcomer.on('message', (topic) => late.push(topic));
    await newcomer.subscribeAsync('#', { qos: 1 });
    await newcomer.publishAsync('end', '', { qos: 1 });
    await until('the last message came', () => late.includes('end'));
    expect(late).toEqual(['end']);
    await Promise.all([watcher.endAsync(), agent.endAsync(), newcomer.endAsync()]);
  });
});
