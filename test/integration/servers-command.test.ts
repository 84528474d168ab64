import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runServersForget, runServersList } from '../../src/device/commands/servers.ts';
import { lockDirectory } from '../../src/device/journal/directory-lock.ts';
import { recordedIo } from '../support/command-io.ts';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { PublisherRig } from '../support/publisher-rig.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function command(
  agent: PublisherRig,
  broker: Mosquitto,
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { io, stdout, stderr } = recordedIo({ env: { STATE_DIRECTORY: dirname(agent.statePath) } });
  const flags = { 'mqtt.broker_host': '127.0.0.1', 'mqtt.broker_port': `${broker.port}` };
  const options = { configPath: join(agent.folder, 'none.conf'), flags };
  const [verb, name = ''] = words;
  const code =
    verb === 'forget'
      ? await runServersForget({ ...options, name }, io)
      : await runServersList({ ...options, json: verb === 'json' }, io);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** An agent that has heard of a server, with the lock of its journals as a running one holds it. */
async function agentWithServer(): Promise<{ agent: PublisherRig; broker: Mosquitto; unlock: () => Promise<void> }> {
  const broker = await Mosquitto.start();
  closing.push(async () => broker.dispose());
  const stranger = await TestClient.connect(broker.port);
  closing.push(async () => stranger.end());
  await stranger.publish('techtemp/server/wrong', '{"state":"online","accepts":["receipt"],"record":"r-1"}', true);
  const agent = new PublisherRig(broker.port);
  closing.push(async () => agent.dispose());
  const journals = join(dirname(agent.statePath), 'journal');
  mkdirSync(journals, { recursive: true });
  const lock = await lockDirectory(journals);
  const unlock = async (): Promise<void> => lock.release();
  closing.push(unlock);
  await agent.startConnected();
  await until('the server is known', async () => (await command(agent, broker, 'list')).stdout.includes('wrong'));
  return { agent, broker, unlock };
}

describe.skipIf(!mosquittoInstalled)('techtemp-device servers (needs Mosquitto)', () => {
  it('lists what the agent waits for, and lets a running agent forget it at once', async () => {
    const { agent, broker } = await agentWithServer();
    const { code, stdout } = await command(agent, broker, 'list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^wrong +20\d\d-\d\d-\d\dT\d\d:\d\dZ +no +r-1/m);
    expect(JSON.parse((await command(agent, broker, 'json')).stdout)).toMatchObject({
      servers: [{ name: 'wrong', record: 'r-1' }],
    });
    const forgot = await command(agent, broker, 'forget', 'wrong');
    expect(forgot).toMatchObject({ code: 0, stderr: '' });
    expect(forgot.stdout).toContain('has forgotten the server wrong');
    expect(agent.publisher.state()).toMatchObject({ delivery: 'broker', servers: [] });
    expect((await command(agent, broker, 'list')).stdout).toContain('No server is known');
    // The remedy that it prints takes the announcement away, so that it is not heard of again.
    const remedy = /^ {2}(mosquitto_pub .*)$/m.exec(forgot.stdout)?.[1] ?? '';
    const [program = '', ...arguments_] = remedy.split(' ');
    execFileSync(program, arguments_);
    await broker.restart();
    await until('it was away', () => agent.log.lines.some(({ level }) => level === 'warn'));
    await agent.connected();
    expect(agent.publisher.state().servers).toEqual([]);
  });

  it('lets an agent that is stopped forget when it starts, and says so', async () => {
    const { agent, broker, unlock } = await agentWithServer();
    await agent.stop();
    await unlock();
    expect((await command(agent, broker, 'forget', 'wrong')).stdout).toContain(
      'forgets the server wrong when it starts',
    );
    expect((await command(agent, broker, 'list')).stdout).toContain('to be forgotten');
  });

  it('names what it knows when it is asked for another', async () => {
    const { agent, broker } = await agentWithServer();
    const { code, stderr } = await command(agent, broker, 'forget', 'other\u001b[31m');
    expect(code).toBe(1);
    expect(stderr).toBe('no server "other\\u{1b}[31m" is known; known: wrong\n');
  });
});
