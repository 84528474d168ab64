import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { afterEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/platform/clock.ts';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { freePort } from '../support/ports.ts';
import { HOME, PublisherRig, type RigOptions, UID } from '../support/publisher-rig.ts';
import { type Manners, ScriptedBroker } from '../support/scripted-broker.ts';
import { retainedOn } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function scripted(manners: Partial<Manners> = {}): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start(manners);
  closing.push(async () => broker.stop());
  return broker;
}

function rig(port: number, options: RigOptions = {}): PublisherRig {
  const made = new PublisherRig(port, { ...options, mqtt: { delivery: 'broker', ...options.mqtt } });
  closing.push(async () => made.dispose());
  return made;
}

/** A real clock whose sleeps of the publisher are recorded and shortened: pauses are looked at, not waited for. */
function hurriedClock(): { clock: ReturnType<typeof createSystemClock>; pauses: number[] } {
  const real = createSystemClock();
  const pauses: number[] = [];
  const clock = {
    ...real,
    sleep: async (ms: number, signal?: AbortSignal) => {
      // 5 s is a quarter of the limit for connecting, which is waited for in pieces; 30 s is the limit for an acknowledgement.
      const isPause = ms >= 1_000 && ms <= 64_000 && ms !== 5_000 && ms !== 30_000;
      if (isPause) pauses.push(ms);
      await real.sleep(isPause ? 1 : ms, signal);
    },
  };
  return { clock, pauses };
}

describe('the connection', () => {
  it('is tried for ever with full jitter: between the minimum and a ceiling that doubles up to the maximum', async () => {
    const port = await freePort();
    const { clock, pauses } = hurriedClock();
    let turn = 0;
    // Alternately the shortest and the longest pause.
    const agent = rig(port, {
      clock,
      random: () => (turn++ % 2 === 0 ? 0 : 0.999_999),
      mqtt: { reconnectMinMs: 1_000, reconnectMaxMs: 16_000 },
    });
    agent.start();
    await until('it was refused often', () => pauses.length >= 10);
    expect(pauses.slice(0, 10).map(Math.round)).toEqual([
      1_000, 4_000, 1_000, 16_000, 1_000, 16_000, 1_000, 16_000, 1_000, 16_000,
    ]);
    // Normal weather: one line, not ten.
    expect(agent.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(agent.log.lines.filter(({ level }) => level === 'error')).toHaveLength(0);
    expect(agent.publisher.state()).toMatchObject({ connected: false });
    expect(agent.publisher.state().lastError).toContain(`127.0.0.1:${port}: nothing listens there`);
  });

  it('X10: does not storm a broker that accepts and hangs up at once', async () => {
    const broker = await scripted({ disconnectAfterConnack: 0x8b });
    const { clock, pauses } = hurriedClock();
    const agent = rig(broker.port, {
      clock,
      random: () => 0.999_999,
      mqtt: { reconnectMinMs: 1_000, reconnectMaxMs: 16_000 },
    });
    agent.start();
    await until('it was tried often', () => broker.connects.length >= 7);
    const backOff = pauses.filter((ms) => ms > 1_500);
    expect(backOff.slice(0, 5).map(Math.round)).toEqual([2_000, 4_000, 8_000, 16_000, 16_000]);
    const connected = agent.log.lines.filter(({ message }) => message.startsWith('connected'));
    expect(connected.filter(({ level }) => level === 'info').length).toBeLessThanOrEqual(2);
  });

  for (const refuse of [0x88, 0x87, 0x86, 0x89, 0x97]) {
    it(`X2: comes back after CONNACK ${refuse}`, async () => {
      const broker = await scripted({ connect: { refuse } });
      const agent = rig(broker.port);
      agent.buffer(3);
      agent.start();
      await until('it was refused more than once', () => broker.connects.length >= 3);
      broker.manners.connect = 'accept';
      await agent.drained();
    });
  }

  it('is slow and loud once about a wrong password, and shows it to nobody', async () => {
    const broker = await scripted({ connect: { refuse: 0x86 } });
    const { clock, pauses } = hurriedClock();
    const agent = rig(broker.port, {
      clock,
      random: () => 0,
      mqtt: { username: 'kitchen', password: 'hunter2-very-secret', reconnectMinMs: 1_000, reconnectMaxMs: 50_000 },
    });
    agent.start();
    await until('it was refused often', () => broker.connects.length >= 5);
    // At least half of the maximum, from the first time on.
    expect(pauses.length).toBeGreaterThanOrEqual(4);
    expect(pauses.every((ms) => ms >= 25_000)).toBe(true);
    expect(agent.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(agent.logged()).toContain('check username and password');
    expect(agent.logged()).not.toContain('hunter2');
    expect(agent.publisher.state().lastError).not.toContain('hunter2');
  });

  it('takes the password from a file that changes between attempts, and logs neither', async () => {
    const broker = await scripted({ connect: { refuse: 0x86 } });
    const agent = rig(broker.port);
    const passwordFile = join(agent.folder, 'password');
    writeFileSync(passwordFile, 'first-secret\n');
    agent.mqtt.set({ ...agent.mqtt.current, username: 'u', passwordFile });
    agent.start();
    await until('it was tried', () => broker.connects.length >= 1);
    writeFileSync(passwordFile, 'second-secret\n');
    await until('the new one was tried', () => String(broker.connects.at(-1)?.password) === 'second-secret');
    expect(String(broker.connects[0]?.password)).toBe('first-secret');
    broker.manners.connect = 'accept';
    await agent.connected();
    expect(agent.logged()).not.toContain('secret\\n');
    expect(agent.logged()).not.toContain('second-secret');
    expect(agent.logged()).not.toContain('first-secret');
  });

  it('says which file is missing, and connects once it is there', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { username: 'u' }, env: {} });
    const passwordFile = join(agent.folder, 'not-yet');
    agent.mqtt.set({ ...agent.mqtt.current, passwordFile });
    agent.start();
    await until('it says so', () => agent.publisher.state().lastError?.includes(passwordFile) === true);
    writeFileSync(passwordFile, 'x');
    await agent.connected();
  });

  it('uses the systemd credential', async () => {
    const broker = await scripted();
    const credentials = mkdtempSync(join(tmpdir(), 'techtemp-credentials-'));
    closing.push(() => rmSync(credentials, { recursive: true }));
    writeFileSync(join(credentials, 'mqtt-password'), 'from-systemd\n');
    const agent = rig(broker.port, { mqtt: { username: 'u' }, env: { CREDENTIALS_DIRECTORY: credentials } });
    await agent.startConnected();
    expect(String(broker.connects[0]?.password)).toBe('from-systemd');
  });

  it('speaks MQTT 5 first, 3.1.1 where the broker says so, and remembers it', async () => {
    const broker = await scripted({ only: 4 });
    const agent = rig(broker.port);
    agent.buffer(5);
    agent.start();
    await agent.drained();
    expect(broker.connects.map(({ protocolVersion }) => protocolVersion)).toEqual([5, 4]);
    broker.cut();
    await until('it came back', () => broker.connects.length === 3);
    expect(broker.connects[2]?.protocolVersion).toBe(4);
    await until('the agent knows that it is connected', () => agent.publisher.state().protocolVersion !== undefined);
    expect(agent.publisher.state().protocolVersion).toBe(4);
  });

  it('tries 3.1.1 when a broker hangs up on MQTT 5, and 5 again when it hangs up on that', async () => {
    const broker = await scripted({ connect: 'close' });
    const agent = rig(broker.port);
    agent.start();
    await until('both were tried twice', () => broker.connects.length >= 4);
    expect(broker.connects.slice(0, 4).map(({ protocolVersion }) => protocolVersion)).toEqual([5, 4, 5, 4]);
  });

  for (const [protocol, version] of [
    ['5', 5],
    ['3.1.1', 4],
  ] as const) {
    it(`speaks only version ${protocol} when told so`, async () => {
      const broker = await scripted({ connect: 'close' });
      const agent = rig(broker.port, { mqtt: { protocol } });
      agent.start();
      await until('it was tried', () => broker.connects.length >= 3);
      expect(new Set(broker.connects.map(({ protocolVersion }) => protocolVersion))).toEqual(new Set([version]));
    });
  }

  it('moves to another broker at once when the config says so, also out of a long pause', async () => {
    const here = await scripted();
    const agent = rig(await freePort(), { mqtt: { reconnectMinMs: 3_000_000, reconnectMaxMs: 3_600_000 } });
    agent.start();
    await until('it pauses', () => agent.publisher.state().lastError !== undefined);
    agent.mqtt.set({ ...agent.mqtt.current, brokerPort: here.port });
    await agent.connected();
    const there = await scripted();
    agent.mqtt.set({ ...agent.mqtt.current, brokerPort: there.port });
    await until('it moved', () => there.connects.length === 1);
    expect(here.goodbyes).toBe(1);
    expect(JSON.parse(here.on('/status').at(-1)!.payload)).toEqual({ state: 'offline' });
  });

  it('gives up an attempt that hangs when the config names another broker', async () => {
    const silent = await scripted({ connect: 'silent' });
    const agent = rig(silent.port);
    agent.start();
    await until('it waits', () => silent.connects.length === 1);
    const good = await scripted();
    agent.mqtt.set({ ...agent.mqtt.current, brokerPort: good.port });
    await agent.connected();
    await until('the old one is gone', () => silent.connections() === 0);
  });

  it('takes a new will, new topics and a new client id with a new uid, and cleans up behind the old one', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { publishLatest: 'yes' } });
    await agent.startConnected();
    agent.take();
    await until('latest is out', () => broker.on('/latest').length === 1);
    agent.device.set({ ...agent.device.current, deviceUid: 'aht20-second', homeId: 'home-002' });
    await until(
      'the old topics are cleared',
      () => broker.received.filter(({ payload }) => payload === '').length === 2,
    );
    expect(broker.connects[1]).toMatchObject({ clientId: 'techtemp-aht20-second' });
    expect(broker.connects[1]?.will?.topic).toBe('home/home-002/sensors/aht20-second/status');
    const cleared = broker.received.filter(({ payload }) => payload === '');
    expect(cleared.every(({ retain }) => retain)).toBe(true);
    expect(cleared.map(({ topic }) => topic).sort()).toEqual([
      `home/${HOME}/sensors/${UID}/latest`,
      `home/${HOME}/sensors/${UID}/status`,
    ]);
    await until('the new status is out', () => broker.on('aht20-second/status').length > 0);
  });

  it('stays connected when label, room or keys without a part in the connection change', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('status is out', () => broker.on('/status').length === 1);
    agent.device.set({ ...agent.device.current, label: 'Kitchen', room: 'Kitchen' });
    agent.mqtt.set({
      ...agent.mqtt.current,
      batchSize: 10,
      maxInFlight: 5,
      replayPerSecond: 3,
      statusIntervalMs: 9_000_000,
    });
    await until('status is out again', () => broker.on('/status').length === 2);
    expect(broker.connects).toHaveLength(1);
  });

  it('X8: notices a broker that is silent, and goes on elsewhere in time', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { keepaliveMs: 1_000 } });
    await agent.startConnected();
    broker.manners.mute = true;
    await until('it is noticed', () => !agent.publisher.state().connected);
    broker.manners.mute = false;
    await agent.connected();
  });

  it('ends normally: what is under way is acknowledged, status says offline, the will is dropped', async () => {
    const broker = await scripted({ puback: (topic) => (topic.endsWith('/reading') ? 'hold' : 0) });
    const agent = rig(broker.port);
    await agent.startConnected();
    agent.take();
    await until('it is out', () => broker.held() === 1);
    const stopped = agent.stop();
    broker.releaseAcks();
    await stopped;
    expect(agent.unreleased()).toBe(0);
    expect(broker.received.at(-1)).toMatchObject({
      topic: agent.topic('status'),
      payload: '{"state":"offline"}',
      retain: true,
    });
    expect(broker.goodbyes).toBe(1);
  });

  it('X3: ends although the broker does not answer any more', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    broker.manners.mute = true;
    agent.take();
    await agent.stop();
    expect(agent.unreleased()).toBe(1);
  });

  it('ends at once while there is no broker', async () => {
    const agent = rig(await freePort(), { mqtt: { reconnectMinMs: 3_000_000, reconnectMaxMs: 3_600_000 } });
    agent.start();
    await until('it pauses', () => agent.publisher.state().lastError !== undefined);
    await agent.stop();
  });
});

describe.skipIf(!mosquittoInstalled)('the connection to a real Mosquitto (needs Mosquitto)', () => {
  it('survives kill -9 and restarts of the broker without a reading lost', async () => {
    const broker = await Mosquitto.start();
    closing.push(async () => broker.dispose());
    const agent = rig(broker.port, { mqtt: { noSubscriber: 'release' } });
    await agent.startConnected();
    for (let round = 0; round < 3; round += 1) {
      await broker.kill();
      await until('it is noticed', () => !agent.publisher.state().connected);
      agent.take();
      agent.take();
      await broker.start();
      await agent.drained();
    }
    expect(agent.journals.active().stats.lastSeq).toBe(6);
  });

  it('leaves "offline" behind when it dies, and when it is told to stop', async () => {
    const broker = await Mosquitto.start();
    closing.push(async () => broker.dispose());
    const agent = rig(broker.port);
    const status = async (): Promise<string | undefined> =>
      (await retainedOn(broker.port, agent.topic('status'))).get(agent.topic('status'));
    await agent.startConnected();
    await until('status says online', async () => (await status())?.includes('"online"') === true);
    await agent.stop();
    expect(await status()).toBe('{"state":"offline"}');
  });

  it('is refused for a wrong password, and let in with the right one, without showing either', async () => {
    const broker = await Mosquitto.start({ users: { kitchen: 'right-secret' } });
    closing.push(async () => broker.dispose());
    const agent = rig(broker.port, { mqtt: { username: 'kitchen', password: 'wrong-secret' } });
    agent.start();
    await until('it was refused', () => agent.publisher.state().lastError !== undefined);
    expect(agent.publisher.state().lastError).toContain('check username and password');
    agent.mqtt.set({ ...agent.mqtt.current, password: 'right-secret' });
    await agent.connected();
    expect(agent.logged()).not.toContain('-secret');
  });

  it('is told by MQTT 5 what the access rules forbid, and keeps it', async () => {
    const broker = await Mosquitto.start({
      users: { kitchen: 'p' },
      acl: ['user kitchen', `topic write home/${HOME}/sensors/${UID}/status`],
    });
    closing.push(async () => broker.dispose());
    const agent = rig(broker.port, { mqtt: { username: 'kitchen', password: 'p' } });
    agent.buffer(3);
    await agent.startConnected();
    await until('it is said', () => agent.publisher.state().lastError?.includes('access rules') === true);
    expect(agent.unreleased()).toBe(3);
  });
});

describe('the connection to the embedded broker of npm start', () => {
  it('settles on MQTT 3.1.1, which is all that it speaks, and delivers', async () => {
    const aedes = await Aedes.createBroker();
    const server = createServer((socket) => void aedes.handle(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(async () => {
      await new Promise<void>((resolve) => aedes.close(resolve));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    const { port } = server.address() as AddressInfo;
    // With auto a new installation waits some minutes for a server first.
    const agent = rig(port, { mqtt: { delivery: 'broker' } });
    agent.buffer(20);
    agent.start();
    await agent.drained();
    expect(agent.publisher.state()).toMatchObject({ connected: true, protocolVersion: 4, delivery: 'broker' });
    const status = await retainedOn(port, agent.topic('status'), 4);
    expect(status.get(agent.topic('status'))).toContain('"online"');
  });
});
