import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { PublisherRig, type RigOptions, UID } from '../support/publisher-rig.ts';
import { type Manners, ScriptedBroker } from '../support/scripted-broker.ts';
import { retainedOn, TestClient } from '../support/test-client.ts';
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

const CONFIG_TOPICS = [
  `homeassistant/binary_sensor/${UID}/problem/config`,
  `homeassistant/sensor/${UID}/humidity/config`,
  `homeassistant/sensor/${UID}/temperature/config`,
];

describe('status', () => {
  it('is retained, comes first on a connection, and again when something changed', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('status is out', () => broker.on('/status').length === 1);
    expect(broker.received[0]).toMatchObject({ topic: agent.topic('status'), retain: true });
    agent.publisher.statusChanged();
    agent.publisher.statusChanged();
    agent.publisher.statusChanged();
    await until('status is out again', () => broker.on('/status').length === 2);
    agent.take();
    await agent.drained();
    // Three changes in a moment were one status.
    expect(broker.on('/status')).toHaveLength(2);
  });

  it('comes every status_interval of itself', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { statusIntervalMs: 50 } });
    await agent.startConnected();
    await until('several came', () => broker.on('/status').length >= 4);
  });

  it('is offered again when it is refused, while readings go on', async () => {
    const broker = await scripted({ puback: (topic) => (topic.endsWith('/status') ? 0x87 : 0) });
    const agent = rig(broker.port);
    await agent.startConnected();
    agent.take();
    await agent.drained();
    await until('the refusal is said', () => agent.publisher.state().lastError?.includes('/status') === true);
    broker.manners.puback = 'at-once';
    agent.publisher.statusChanged();
    await until('the fault is over', () => agent.publisher.state().lastError === undefined);
  });
});

describe('latest', () => {
  it('is a retained copy of each live reading, and never of an old one', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { publishLatest: 'yes' } });
    agent.buffer(5);
    await agent.startConnected();
    await agent.drained();
    expect(broker.on('/latest')).toEqual([]);
    agent.take();
    await until('latest is out', () => broker.on('/latest').length === 1);
    const reading = broker.on('/reading').at(-1);
    expect(broker.on('/latest')[0]).toEqual({ ...reading, topic: agent.topic('latest'), retain: true });
  });

  it('does not say what was the newest an hour ago', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { publishLatest: 'yes' } });
    agent.take({ monotonicMs: agent.clock.monotonicMs() - 3_600_000 });
    agent.start();
    await agent.drained();
    expect(broker.on('/reading')).toHaveLength(1);
    expect(broker.on('/latest')).toEqual([]);
  });

  for (const [publishLatest, discovery, expected] of [
    ['no', true, 0],
    ['auto', false, 0],
    ['auto', true, 1],
    ['yes', false, 1],
  ] as const) {
    it(`publish_latest = ${publishLatest} with discovery ${discovery ? 'on' : 'off'} means ${expected === 1 ? 'yes' : 'no'}`, async () => {
      const broker = await scripted();
      const agent = rig(broker.port, { mqtt: { publishLatest }, homeassistant: { discovery } });
      await agent.startConnected();
      agent.take();
      await agent.drained();
      await until('latest is out if it is wanted', () => broker.on('/latest').length === expected);
      await agent.stop();
      expect(broker.on('/latest')).toHaveLength(expected);
    });
  }
});

describe('Home Assistant discovery', () => {
  it('announces temperature, humidity and a problem sensor, retained, under ids that stay', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, {
      homeassistant: { discovery: true },
      device: { label: 'Kitchen shelf', room: 'Kitchen' },
    });
    await agent.startConnected();
    await until('all are out', () => broker.on('/config').length === 3);
    expect(
      broker
        .on('/config')
        .map(({ topic }) => topic)
        .sort(),
    ).toEqual(CONFIG_TOPICS);
    expect(broker.on('/config').every(({ retain }) => retain)).toBe(true);
    expect(JSON.parse(broker.on('/temperature/config')[0]!.payload)).toEqual({
      unique_id: `techtemp_${UID}_temperature`,
      state_topic: agent.topic('latest'),
      state_class: 'measurement',
      expire_after: 3 * 60 + 30,
      name: 'Temperature',
      device_class: 'temperature',
      unit_of_measurement: '°C',
      suggested_display_precision: 1,
      value_template:
        '{{ value_json.temperature_c if value_json.clock is defined or ' +
        "(now().timestamp() * 1000 - value_json.ts) | abs < 300000 else 'None' }}",
      qos: 1,
      availability_topic: agent.topic('status'),
      availability_template: "{{ value_json.state | default('offline') }}",
      device: {
        identifiers: [`techtemp_${UID}`],
        name: 'Kitchen shelf',
        manufacturer: 'TechTemp',
        model: 'Room climate recorder',
        serial_number: UID,
        sw_version: '1.2.3',
        suggested_area: 'Kitchen',
      },
      origin: { name: 'TechTemp', sw_version: '1.2.3' },
    });
  });

  it('comes again when Home Assistant starts, and for no other word on its topic', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { homeassistant: { discovery: true } });
    await agent.startConnected();
    await until('all are out', () => broker.on('/config').length === 3);
    expect(broker.subscriptions).toContain('homeassistant/status');
    broker.send('homeassistant/status', 'offline');
    broker.send('homeassistant/status', 'online', { retain: true });
    broker.send('homeassistant/status', 'online');
    await until('all are out again', () => broker.on('/config').length === 6);
    await agent.stop();
    expect(broker.on('/config')).toHaveLength(6);
  });

  it('is taken back when it is switched off, and when the prefix changes', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { homeassistant: { discovery: true } });
    await agent.startConnected();
    await until('all are out', () => broker.on('/config').length === 3);
    agent.homeassistant.set({ discovery: true, discoveryPrefix: 'ha' });
    const cleared = (): string[] => broker.received.filter(({ payload }) => payload === '').map(({ topic }) => topic);
    await until('the old ones are cleared', () => cleared().length === 3);
    expect(cleared().sort()).toEqual(CONFIG_TOPICS);
    await until(
      'the new ones are out',
      () => broker.received.filter(({ topic, payload }) => topic.startsWith('ha/') && payload !== '').length === 3,
    );
    agent.homeassistant.set({ discovery: false, discoveryPrefix: 'ha' });
    await until('all are cleared', () => cleared().length === 7);
    expect(cleared()).toContain(agent.topic('latest'));
    expect(broker.connects).toHaveLength(1);
  });

  it('follows a new label and a new interval', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { homeassistant: { discovery: true } });
    await agent.startConnected();
    await until('all are out', () => broker.on('/config').length === 3);
    agent.device.set({ ...agent.device.current, label: 'Cellar' });
    await until('all are out again', () => broker.on('/config').length === 6);
    expect(broker.on('/config').at(-1)!.payload).toContain('"name":"Cellar"');
  });

  it('points at reading when latest is not wanted', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { homeassistant: { discovery: true }, mqtt: { publishLatest: 'no' } });
    await agent.startConnected();
    await until('all are out', () => broker.on('/config').length === 3);
    expect(broker.on('/humidity/config')[0]!.payload).toContain(`"state_topic":"${agent.topic('reading')}"`);
  });

  it('that is refused holds up nothing else', async () => {
    const broker = await scripted({ puback: (topic) => (topic.endsWith('/config') ? 0x87 : 0) });
    const agent = rig(broker.port, { homeassistant: { discovery: true } });
    agent.buffer(5);
    await agent.startConnected();
    await agent.drained();
    agent.take();
    await agent.drained();
    await until('the refusal is said', () => agent.publisher.state().lastError?.includes('/config') === true);
    expect(broker.on('/config').length).toBeLessThanOrEqual(3);
  });

  it('that does not fit into the packets of the broker holds up nothing else', async () => {
    const broker = await scripted({ maximumPacketSize: 400 });
    const agent = rig(broker.port, { homeassistant: { discovery: true } });
    agent.buffer(5);
    await agent.startConnected();
    await agent.drained();
    expect(broker.violations).toEqual([]);
    await until('it is said', () => agent.publisher.state().lastError?.includes('takes at most 400') === true);
  });
});

describe.skipIf(!mosquittoInstalled)('what is left at a real Mosquitto (needs Mosquitto)', () => {
  it('is remembered across restarts and taken back when it is not wanted any more', async () => {
    const broker = await Mosquitto.start();
    closing.push(async () => broker.dispose());
    const first = rig(broker.port, { homeassistant: { discovery: true } });
    await first.startConnected();
    first.take();
    await until('all is there', async () => (await retainedOn(broker.port, '#')).size === 5);
    await first.stop();
    const second = rig(broker.port, { statePath: first.statePath, device: { deviceUid: 'aht20-renamed' } });
    await second.startConnected();
    await until('only the new status is there', async () => {
      const topics = [...(await retainedOn(broker.port, '#')).keys()];
      return topics.length === 1 && topics[0] === second.topic('status');
    });
    await second.stop();
    expect(JSON.parse(readFileSync(first.statePath, 'utf8'))).toMatchObject({ retained: [second.topic('status')] });
  });
});

describe('commands', () => {
  async function commanded(changes: RigOptions = {}): Promise<{ broker: ScriptedBroker; agent: PublisherRig }> {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { commands: true }, ...changes });
    await agent.startConnected();
    await until('status is out', () => broker.on('/status').length > 0);
    return { broker, agent };
  }

  it('are handed on when commands = yes', async () => {
    const { broker, agent } = await commanded();
    expect(broker.subscriptions).toContain(agent.topic('command'));
    broker.send(agent.topic('command'), '{"action":"measure"}');
    await until('it came', () => agent.commands.length === 1);
    expect(agent.commands).toEqual([{ action: 'measure' }]);
  });

  it('are not even listened for when commands = no', async () => {
    const { broker, agent } = await commanded({ mqtt: { commands: false } });
    expect(broker.subscriptions).not.toContain(agent.topic('command'));
    agent.mqtt.set({ ...agent.mqtt.current, commands: true });
    await until('it listens', () => broker.subscriptions.includes(agent.topic('command')));
    expect(broker.connects).toHaveLength(1);
  });

  it('are ignored when they are retained, garbage, or come too fast', async () => {
    const { broker, agent } = await commanded();
    broker.send(agent.topic('command'), '{"action":"measure"}', { retain: true });
    await until('the retained one was looked at', () => agent.publisher.state().ignoredMessages === 1);
    expect(agent.commands).toEqual([]);
    for (const payload of ['', 'garbage', '{}', '{"action":"reboot"}']) broker.send(agent.topic('command'), payload);
    for (let n = 0; n < 50; n += 1) broker.send(agent.topic('command'), '{"action":"measure"}');
    await until('all were looked at', () => agent.publisher.state().ignoredMessages + agent.commands.length === 55);
    expect(agent.commands.length).toBeGreaterThanOrEqual(5);
    expect(agent.commands.length).toBeLessThan(10);
  });
});

describe('a person with mosquitto_sub', () => {
  it.skipIf(!mosquittoInstalled)('sees readings that any MQTT client understands', async () => {
    const broker = await Mosquitto.start();
    closing.push(async () => broker.dispose());
    const watcher = await TestClient.connect(broker.port, ['home/+/sensors/+/reading'], { protocolVersion: 4 });
    closing.push(async () => watcher.end());
    const agent = rig(broker.port);
    await agent.startConnected();
    agent.take();
    await until('it came', () => watcher.heard.length === 1);
    expect(Object.keys(JSON.parse(watcher.heard[0]!.payload) as object)).toEqual([
      'temperature_c',
      'humidity_pct',
      'ts',
      'epoch',
      'seq',
    ]);
  });
});
