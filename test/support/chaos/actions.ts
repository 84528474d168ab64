import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeAnnouncement } from '../../../src/contract/messages.ts';
import { encodeReading } from '../../../src/contract/reading.ts';
import type { Random } from '../../../src/platform/clock.ts';
import { until } from '../until.ts';
import { healServer } from './heal.ts';
import type { ReadyWatch } from './ready-watch.ts';
import { FORGED } from './tap.ts';
import { type ChaosWorld, UID } from './world.ts';

export interface Stage {
  readonly world: ChaosWorld;
  readonly watch: ReadyWatch;
  readonly random: Random;
}
export type Action = (stage: Stage) => Promise<void>;

const NOTICED_LIMIT_MS = 60_000;
const TOPIC = `home/h/sensors/${UID}`;
const DAYS = [-40, -2, -0.5, 0.5, 2, 40];
const YEARS_DAYS = [-20_440, -3, 3, 4_380];

/** Everything that may happen, each as likely as the others. */
export const ACTIONS: readonly Action[] = [
  killServer,
  killAgent,
  killBroker,
  recordGone,
  recordGoneAndServerKilled,
  journalGone,
  journalGoneWhileStopped,
  stepServerClock,
  stepAgentClock,
  restartAgentWithWrongClock,
  forgeReceipts,
  forgeAnnouncements,
  floodFromAnotherDevice,
  sendNonsense,
];

async function killServer({ world, watch, random }: Stage): Promise<void> {
  watch.checkReceipts();
  await world.endServer('SIGKILL');
  await pause(random, 500);
  await healServer(world);
}

async function killAgent({ world, random }: Stage): Promise<void> {
  await world.endAgent('SIGKILL');
  await pause(random, 500);
  await world.startAgent();
}

async function killBroker({ world, random }: Stage): Promise<void> {
  world.note('broker is killed');
  await world.broker.kill();
  await pause(random, 500);
  await world.broker.start();
  world.note('broker is back');
}

/** What somebody does to the record of a running server. Each is to be noticed at the next commit. */
const RECORD_TROUBLES: Readonly<Record<string, (world: ChaosWorld) => void>> = {
  'all files are removed': ({ recordFolder }) => {
    for (const name of recordFiles(recordFolder)) rmSync(join(recordFolder, name));
  },
  'the folder is removed': ({ recordFolder }) => rmSync(recordFolder, { recursive: true }),
  'the database is removed': ({ recordPath }) => rmSync(recordPath),
  'the log is removed': ({ recordPath }) => rmSync(`${recordPath}-wal`),
  'the index is removed': ({ recordPath }) => rmSync(`${recordPath}-shm`),
  'the files are moved away': (world) => {
    const place = join(world.folder, `moved-${world.serverStarts}`);
    mkdirSync(place);
    for (const name of recordFiles(world.recordFolder)) renameSync(join(world.recordFolder, name), join(place, name));
    world.movedRecord = place;
  },
  'the database is replaced by a copy': ({ recordPath }) => {
    cpSync(recordPath, `${recordPath}-copy`);
    renameSync(`${recordPath}-copy`, recordPath);
  },
  'the database is cut short': ({ recordPath }) => truncateSync(recordPath, Math.floor(statSync(recordPath).size / 2)),
  'the database is emptied': ({ recordPath }) => truncateSync(recordPath, 0),
  'the log is emptied': ({ recordPath }) => truncateSync(`${recordPath}-wal`, 0),
  'the log is cut short': ({ recordPath }) =>
    truncateSync(`${recordPath}-wal`, Math.floor(statSync(`${recordPath}-wal`).size / 2)),
};

/** The identity and the lock stay, as with `rm techtemp.db*` they would not: that is `the folder is removed`. */
function recordFiles(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => /^techtemp\.db(-wal|-shm|\.identity)?$/.test(name));
}

function troubleRecord({ world, random }: Stage): string {
  const names = Object.keys(RECORD_TROUBLES);
  const name = names[Math.floor(random() * names.length)]!;
  world.note(`record: ${name}`);
  RECORD_TROUBLES[name]!(world);
  return name;
}

async function recordGone(stage: Stage): Promise<void> {
  const { world, watch, random } = stage;
  await world.startAgent();
  await healServer(world);
  const before = world.tap.receipted.length;
  await until('readings flow', () => world.tap.receipted.length > before, NOTICED_LIMIT_MS);
  troubleRecord(stage);
  const isNoticed = async (): Promise<boolean> => {
    await world.startAgent();
    return watch.saysLost;
  };
  try {
    await until('it is noticed', isNoticed, NOTICED_LIMIT_MS);
  } catch {
    world.violation(
      `the record is not at its place, and after ${NOTICED_LIMIT_MS / 1000} s with readings /ready has not said so`,
    );
  }
  await pause(random, 700);
  watch.checkReceipts();
  if (world.movedRecord !== undefined && random() < 0.5) {
    watch.forgive();
    world.putRecordBack();
  }
  await healServer(world);
}

/** Too fast to be noticed. */
async function recordGoneAndServerKilled(stage: Stage): Promise<void> {
  const { world, watch, random } = stage;
  await healServer(world);
  const name = troubleRecord(stage);
  if (name === 'the log is cut short') world.cutUnseen.push(process.hrtime.bigint());
  await pause(random, 150);
  watch.checkReceipts();
  await world.endServer('SIGKILL');
  await pause(random, 300);
  await healServer(world);
}

const JOURNAL_TROUBLES: Readonly<Record<string, (world: ChaosWorld) => void>> = {
  'the folder is removed': ({ journalFolder }) => rmSync(journalFolder, { recursive: true, force: true }),
  'the folder is moved away': ({ journalFolder, folder }) =>
    renameSync(journalFolder, join(folder, `journal-moved-${readdirSync(folder).length}`)),
  'the folders of its epochs are removed': ({ journalFolder }) =>
    rmSync(join(journalFolder, UID), { recursive: true, force: true }),
  'its newest segment is removed': (world) => {
    const segment = newestSegment(world);
    if (segment !== undefined) rmSync(segment);
  },
  'its newest segment is cut short': (world) => {
    const segment = newestSegment(world);
    if (segment !== undefined) truncateSync(segment, 4_096 + 64 * 20);
  },
};

function newestSegment({ journalFolder }: ChaosWorld): string | undefined {
  const device = join(journalFolder, UID);
  const epoch = existsSync(device)
    ? readdirSync(device)
        .filter((name) => !name.includes('.'))
        .sort()
        .at(-1)
    : undefined;
  if (epoch === undefined) return undefined;
  const segment = readdirSync(join(device, epoch))
    .filter((name) => name.endsWith('.seg'))
    .sort()
    .at(-1);
  return segment === undefined ? undefined : join(device, epoch, segment);
}

function troubleJournal({ world, random }: Stage): void {
  const names = Object.keys(JOURNAL_TROUBLES);
  const name = names[Math.floor(random() * names.length)]!;
  world.note(`journal: ${name}`);
  world.hasCutJournal = true;
  if (existsSync(world.journalFolder)) JOURNAL_TROUBLES[name]!(world);
}

async function journalGone(stage: Stage): Promise<void> {
  await stage.world.startAgent();
  await pause(stage.random, 300);
  troubleJournal(stage);
  await pause(stage.random, 700);
  if (stage.random() < 0.3) await killAgent(stage);
}

async function journalGoneWhileStopped(stage: Stage): Promise<void> {
  const { world, random } = stage;
  await world.endAgent(random() < 0.5 ? 'SIGKILL' : 'SIGTERM');
  troubleJournal(stage);
  await pause(random, 300);
  await world.startAgent();
}

async function stepServerClock({ world, watch, random }: Stage): Promise<void> {
  const days = oneOf(DAYS, random);
  world.note(`server's clock: ${days} days`);
  world.setServerClock(days);
  await pause(random, 600);
  if (random() < 0.4) {
    watch.checkReceipts();
    await world.endServer('SIGKILL');
    await healServer(world);
    await pause(random, 600);
  }
  if (random() < 0.6) {
    world.note("server's clock: right");
    world.setServerClock(0);
  }
}

async function stepAgentClock({ world, random }: Stage): Promise<void> {
  const days = oneOf(DAYS, random);
  world.note(`agent's clock: ${days} days`);
  world.setAgentClock(days);
  await pause(random, 800);
  if (random() < 0.6) {
    world.note("agent's clock: right");
    world.setAgentClock(0);
  }
}

async function restartAgentWithWrongClock({ world, random }: Stage): Promise<void> {
  await world.endAgent(random() < 0.5 ? 'SIGKILL' : 'SIGTERM');
  world.setAgentClock(oneOf(YEARS_DAYS, random));
  await world.startAgent();
  await pause(random, 1_500);
  await world.endAgent(random() < 0.5 ? 'SIGKILL' : 'SIGTERM');
  world.setAgentClock(0);
  await world.startAgent();
}

/** For numbers that were sent, and far beyond them; live, and kept by the broker. */
async function forgeReceipts({ world, random }: Stage): Promise<void> {
  const epochs = new Set(world.tap.sent.map(({ epoch }) => epoch));
  world.note(`forged receipts for ${epochs.size} epochs`);
  // For what was sent nobody can tell a forged one from a true one, so these are for numbers that come within the next minutes.
  const highest = Math.max(0, ...world.tap.sent.map(({ seq }) => seq));
  for (const epoch of epochs) {
    const payload = JSON.stringify({ epoch, stored: [[highest + 200, 1_000_000]], [FORGED]: true });
    for (let times = 0; times < 5; times += 1) {
      await published(world, `${TOPIC}/receipt`, payload);
      await pause(random, 30);
    }
    // The broker gives this one to the agent at each new connection.
    await published(world, `${TOPIC}/receipt`, payload, true);
  }
}

async function forgeAnnouncements({ world, random }: Stage): Promise<void> {
  const count = random() < 0.5 ? 30 : 2_000;
  world.note(`${count} forged announcements of servers that are offline`);
  const payload = encodeAnnouncement({ state: 'offline', accepts: ['batch', 'receipt'] });
  const sent = Array.from({ length: count }, (_, index) =>
    published(world, `techtemp/server/stranger-${index}`, payload),
  );
  await Promise.all(sent);
}

async function floodFromAnotherDevice({ world, random }: Stage): Promise<void> {
  world.note('a flood from another device');
  const sent = Array.from({ length: 400 }, async (_, index) => {
    const topic = `home/stranger/sensors/stranger-${index % 7}`;
    const reading = {
      temperatureCelsius: 20,
      humidityPercent: 50,
      tsMs: Date.now() - Math.floor(random() * 1e9),
      epoch: `e${index}`,
      seq: 1 + Math.floor(random() * 2 ** 40),
    };
    await published(world, `${topic}/${index % 2 === 0 ? 'reading' : 'backlog'}`, encodeReading(reading));
    if (index % 10 === 0)
      await published(world, `${topic}/status`, JSON.stringify({ state: 'online', room: `room ${index}` }));
  });
  await Promise.all(sent);
}

/** On the topics of the real device: nothing of it has a number that could be read. */
async function sendNonsense({ world, random }: Stage): Promise<void> {
  world.note('nonsense on the topics of the device');
  const payloads = [
    '{',
    'null',
    '[1,2,3]',
    '{"temperature_c":"warm"}',
    '\u0000',
    `{"x":"${'y'.repeat(20_000)}"}`,
    '[[]]',
  ];
  for (const leaf of ['reading', 'backlog', 'gap', 'status', 'receipt', 'command', 'latest']) {
    for (const payload of payloads) await published(world, `${TOPIC}/${leaf}`, payload);
    await published(world, `${TOPIC}/${leaf}`, Buffer.from([0xff, 0xfe, Math.floor(random() * 256)]));
  }
}

/** Where the broker goes away meanwhile the message may be lost: it was forged anyway. */
async function published(world: ChaosWorld, topic: string, payload: string | Buffer, retain = false): Promise<void> {
  await Promise.race([
    world.tap.publish(topic, payload, retain).catch(() => undefined),
    sleep(5_000, undefined, { ref: false }),
  ]);
}

function oneOf<T>(values: readonly T[], random: Random): T {
  return values[Math.floor(random() * values.length)]!;
}

async function pause(random: Random, longestMs: number): Promise<void> {
  await sleep(random() * longestMs);
}
