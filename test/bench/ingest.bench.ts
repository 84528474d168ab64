import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import mqttPacket from 'mqtt-packet';
import { expect, test } from 'vitest';
import { bundleForChild } from '../support/bundle.ts';
import { Mosquitto } from '../support/mosquitto.ts';
import { median, processFigures } from './process-figures.ts';
import { ratio, row } from './report.ts';
import { root } from './rig.ts';

/** Readings queued at the broker before a consumer is let go. BENCH_READINGS=1000000 shows that memory stays where it is. */
const READINGS = Number(process.env['BENCH_READINGS'] ?? 200_000);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const DEVICES = 1_000;
const ARRAY = 50;
const FILTERS = [
  'home/+/sensors/+/reading',
  'home/+/sensors/+/backlog',
  'home/+/sensors/+/gap',
  'home/+/sensors/+/status',
];

interface Cost {
  readonly perSecond: number;
  readonly cpuSecondsPer100k: number;
}

interface Figures extends Cost {
  readonly mostMiB: number;
}

interface Consumer {
  readonly name: string;
  readonly start: (port: number, folder: string) => ChildProcess;
}

test('how fast what is queued at the broker reaches the disk', async () => {
  const server = await bundleForChild(join(root, 'test/bench/children/ingest-server.ts'));
  const worker = await bundleForChild(join(root, 'src/server/store/sqlite/store-worker.ts'));
  const ours: Consumer = {
    name: 'server',
    start: (port, folder) => child([server, String(port), join(folder, 'server.db'), worker]),
  };
  const peer: Consumer = {
    name: 'mqtt.js',
    start: (port, folder) =>
      child([join(root, 'test/bench/children/ingest-mqttjs.mjs'), String(port), join(folder, 'peer.db')]),
  };
  const rounds: { single: Figures; arrays: Figures; peer: Figures; limit: number; tables: Cost }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push({
      limit: await subscriberRate(),
      tables: await bareTables(),
      peer: await measure(peer, 1),
      single: await measure(ours, 1),
      arrays: await measure(ours, ARRAY),
    });
  }
  const of = (pick: (one: (typeof rounds)[number]) => number): number => median(rounds.map(pick));
  const rate = (value: number): string => `${value.toFixed(0)} /s`;
  const peerRate = of((one) => one.peer.perSecond);
  const line = (
    what: string,
    figure: string,
    beside: string,
    times: (one: (typeof rounds)[number]) => number,
    goal: string,
  ): void => row(what, figure, beside, of(times).toFixed(2), goal);
  const beside = `mqtt.js + batch: ${rate(peerRate)}`;
  line(
    'single messages, on disk before the PUBACK',
    rate(of((one) => one.single.perSecond)),
    beside,
    (one) => one.single.perSecond / one.peer.perSecond,
    '>= 1.9',
  );
  line(
    '  the same beside mosquitto_sub >/dev/null',
    '',
    rate(of((one) => one.limit)),
    (one) => one.single.perSecond / one.limit,
    '>= 0.35',
  );
  const cpu = (value: number): string => `${value.toFixed(2)} s/100k`;
  line(
    '  CPU',
    cpu(of((one) => one.single.cpuSecondsPer100k)),
    cpu(of((one) => one.peer.cpuSecondsPer100k)),
    (one) => one.single.cpuSecondsPer100k / one.peer.cpuSecondsPer100k,
    '<= 0.45',
  );
  line(
    '  the record in bare SQLite, without a broker',
    rate(of((one) => one.tables.perSecond)),
    cpu(of((one) => one.tables.cpuSecondsPer100k)),
    (one) => one.tables.perSecond / one.peer.perSecond,
    'the limit',
  );
  const mib = (value: number): string => `${value.toFixed(0)} MiB`;
  line(
    '  resident memory, most',
    mib(of((one) => one.single.mostMiB)),
    mib(of((one) => one.peer.mostMiB)),
    (one) => one.single.mostMiB / one.peer.mostMiB,
    '<= 0.75',
  );
  line(
    `arrays of ${ARRAY}, readings`,
    rate(of((one) => one.arrays.perSecond)),
    beside,
    (one) => one.arrays.perSecond / one.peer.perSecond,
    '>= 7',
  );
  row(
    '  CPU and memory',
    cpu(of((one) => one.arrays.cpuSecondsPer100k)),
    mib(of((one) => one.arrays.mostMiB)),
    ratio(1, 1),
    '',
  );
});

function child(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** From the first commit to the last: starting a program is not what is measured. */
async function measure(consumer: Consumer, perMessage: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-ingest-'));
  const broker = await brokerWith(perMessage);
  const process_ = consumer.start(broker.port, folder);
  const pid = process_.pid!;
  let first: { stored: number; atMs: number; cpuMs: number } | undefined;
  let mostMiB = 0;
  const watch = setInterval(() => (mostMiB = Math.max(mostMiB, processFigures(pid).residentMiB)), 250);
  const figures = await new Promise<Figures>((resolve) => {
    process_.on('message', ({ stored }: { stored: number }) => {
      const nowMs = performance.now();
      first ??= { stored, atMs: nowMs, cpuMs: processFigures(pid).cpuMs };
      if (stored < READINGS) return;
      const readings = stored - first.stored;
      resolve({
        perSecond: (readings / (nowMs - first.atMs)) * 1000,
        cpuSecondsPer100k: ((processFigures(pid).cpuMs - first.cpuMs) / 1000 / readings) * 100_000,
        mostMiB,
      });
    });
  });
  clearInterval(watch);
  const ended = once(process_, 'exit');
  process_.kill('SIGTERM');
  await ended;
  await broker.dispose();
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(`  ${consumer.name} x${perMessage}: ${JSON.stringify(figures)}\n`);
  return figures;
}

/** The same rows from memory into the same tables, 200 a commit, each on disk: no ingest can cost less. */
async function bareTables(): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-ingest-'));
  const process_ = child([
    join(root, 'test/bench/children/ingest-limit.mjs'),
    join(folder, 'limit.db'),
    String(READINGS),
  ]);
  const ended = once(process_, 'exit');
  const [cost] = (await once(process_, 'message')) as [Cost];
  await ended;
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(`  bare tables: ${JSON.stringify(cost)}\n`);
  return cost;
}

/** A subscriber that does nothing with what it gets: the broker's own limit. */
async function subscriberRate(): Promise<number> {
  const broker = await brokerWith(1);
  const args = [
    '-p',
    String(broker.port),
    '-V',
    '5',
    '-q',
    '1',
    '-c',
    '-i',
    'bench',
    '-x',
    '3600',
    '-C',
    String(READINGS),
  ];
  const began = performance.now();
  const process_ = spawn('mosquitto_sub', [...args, ...FILTERS.flatMap((filter) => ['-t', filter])], {
    stdio: 'ignore',
  });
  await once(process_, 'exit');
  const seconds = (performance.now() - began) / 1000;
  await broker.dispose();
  return READINGS / seconds;
}

/** A Mosquitto without limits that holds all the readings for the session `bench`. */
async function brokerWith(perMessage: number): Promise<Mosquitto> {
  const broker = await Mosquitto.start({
    config: ['max_queued_messages 0', 'max_inflight_messages 0', 'set_tcp_nodelay true'],
  });
  const session = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, {
    protocolVersion: 5,
    clientId: 'bench',
    clean: false,
    properties: { sessionExpiryInterval: 3_600 },
  });
  await session.subscribeAsync([...FILTERS], { qos: 1 });
  await session.endAsync();
  await fill(broker.port, perMessage);
  return broker;
}

/** Raw bytes on a socket: the broker is to be filled, not measured. */
async function fill(port: number, perMessage: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port });
  const messages = Math.ceil(READINGS / perMessage);
  let acknowledged = 0;
  const done = new Promise<void>((resolve) => {
    let bytes = -4;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      acknowledged = Math.floor(bytes / 4);
      if (acknowledged >= messages) resolve();
    });
  });
  socket.write(
    mqttPacket.generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: 'fill',
      keepalive: 0,
    }),
  );
  for (let index = 0; index < messages; index += 1) {
    const bytes = mqttPacket.generate({
      cmd: 'publish',
      topic: `home/home-001/sensors/bench-${index % DEVICES}/${perMessage === 1 ? 'reading' : 'backlog'}`,
      payload: payloadOf(index, perMessage),
      qos: 1,
      messageId: (index % 65_535) + 1,
      dup: false,
      retain: false,
    });
    if (!socket.write(bytes)) await once(socket, 'drain');
    // The broker need not hold more than this of ours unread.
    while (index - acknowledged > 20_000) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
  expect(acknowledged).toBe(messages);
  socket.destroy();
}

function payloadOf(index: number, perMessage: number): string {
  const device = index % DEVICES;
  const firstSeq = Math.floor(index / DEVICES) * perMessage + 1;
  const items = Array.from({ length: perMessage }, (_, offset) => {
    const seq = firstSeq + offset;
    return {
      temperature_c: 18 + ((device + seq) % 800) / 100,
      humidity_pct: 35 + ((device * 7 + seq) % 3_000) / 100,
      ts: 1_757_537_685_793 + seq * 30_000 + device,
      epoch: `k3v9x${device}`,
      seq,
    };
  });
  return JSON.stringify(perMessage === 1 ? items[0] : items);
}
