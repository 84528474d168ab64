import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../config/problem.ts';
import type { ReadingEntry } from '../device/journal/journal.ts';
import { installLastWords, installSignals, type ProcessSignals } from '../platform/signals.ts';
import { loadServerConfig } from '../server/config.ts';
import { isPortTaken, startEmbeddedBroker } from './broker.ts';

/**
 * `npm start`: everything on one machine, for a person who wants to see it work. A broker of its own on loopback, the server with
 * its API, the agent with the sensor that is there, the readings on the screen. The configuration is var/device.conf and
 * var/server.conf, which can be edited meanwhile.
 */
const signals = installSignals(process);
installLastWords(process, 'npm start');
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const deviceConf = 'var/device.conf';
const serverConf = 'var/server.conf';
const { TECHTEMP_START_PORT: wantedPort = '1883', TECHTEMP_START_HTTP_PORT: httpPort } = process.env;
const reloads: (() => void)[] = [];
signals.onReload(() => {
  for (const reload of reloads) reload();
});

// A person is watching: every five seconds instead of every thirty.
await provideConfig(deviceConf, (text) =>
  text
    .replace(/^#read_interval_seconds = .*$/m, 'read_interval_seconds = 5')
    .replace(/^#room =.*$/m, 'room = Living room'),
);
await provideConfig(serverConf, (text) => text);
const broker = await startEmbeddedBroker(Number(wantedPort));
const flags = {
  'mqtt.broker_host': broker.host,
  'mqtt.broker_port': String(broker.port),
  'mqtt.tls': 'no',
  // What the embedded broker speaks.
  'mqtt.protocol': '3.1.1',
  // Lines for people, from both programs, whatever the output is: never JSON between them.
  'logging.log_format': 'pretty',
};
const serverFlags = { ...flags, ...(httpPort !== undefined && { 'http.port': httpPort }) };
const serverStop = new AbortController();
const server = await startServerPart(
  { configPath: serverConf, flags: serverFlags, env: process.env },
  signalsWith(serverStop.signal),
);
introduce(server);
const { runDevice } = await import('../device/commands/run.ts');
// A person who sits in front of the machine does not want to wait for a time service.
const deviceFlags = { ...flags, 'clock.source': 'trust' };
const device = await runDevice(
  {
    configPath: deviceConf,
    flags: deviceFlags,
    env: process.env,
    whenAbsent: 'simulate',
    onReading: show,
    screen: { format: 'pretty', program: 'device' },
  },
  signalsWith(signals.stop),
);
// The agent's last readings go to a server that still listens.
serverStop.abort(signals.stop.reason);
const serverExitCode = await server.ended;
await broker.close();
process.exitCode = device.exitCode === 0 ? serverExitCode : device.exitCode;
// Ending waits for every thread, and one that hangs in the kernel never comes back.
if (device.hungTransfers > 0) process.kill(process.pid, 'SIGKILL');

/** The first start copies the annotated defaults; from then on the file is the person's own. */
async function provideConfig(path: string, adapt: (text: string) => string): Promise<void> {
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  if (exists) return;
  await mkdir(dirname(path), { recursive: true });
  const defaults = await readFile(join(root, path.replace(/^var\//, 'config/')), 'utf8');
  await writeFile(path, adapt(defaults));
}

/** Two programs share the signals of one process: each is stopped in its turn, and both reload. */
function signalsWith(stop: AbortSignal): ProcessSignals {
  return { stop, onReload: (handler) => void reloads.push(handler) };
}

function introduce({ url, portNote }: ServerPart): void {
  const { host, port } = broker;
  say(`TechTemp: broker on ${host}:${port} (loopback only)`);
  if (broker.portNote !== undefined) say(`  note: ${broker.portNote}`);
  if (url === undefined)
    say('  note: the server could not start, the lines above say why; broker and agent go on without it');
  else {
    say(`  look:   ${url}/`);
    say(`  API:    ${url}/api/v1/readings/latest (documentation: ${url}/docs)`);
  }
  if (portNote !== undefined) say(`  note: ${portNote}`);
  say('  watch:  ' + `mosquitto_sub -h ${host} -p ${port} -t 'home/+/sensors/+/#' -v`);
  say(`  change: ${deviceConf} and ${serverConf}; what you save is in force at once`);
  say('  stop:   Ctrl-C\n');
}

function show({ seq, temperatureCelsius, humidityPercent, stamp }: ReadingEntry): void {
  const time = new Date(stamp.tsMs).toLocaleTimeString('en-GB');
  const values = `${temperatureCelsius.toFixed(2).padStart(7)} °C  ${humidityPercent.toFixed(2).padStart(6)} %RH`;
  say(`${time} device ${values}  #${seq}${stamp.state === 'synced' ? '' : `  (clock ${stamp.state})`}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The server as a part of `npm start`. */
interface ServerPart {
  /** Where the API answers; undefined where the server could not start (its log says why). */
  readonly url: string | undefined;
  /** Why it is not the port that was asked for; absent when it is. */
  readonly portNote?: string;
  /** Resolves with its exit code. */
  readonly ended: Promise<number>;
}

interface ServerPartOptions {
  readonly configPath: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
}

/** Starts the server and resolves once it answers or has ended. A port that is taken is answered by taking any other. */
async function startServerPart(options: ServerPartOptions, signals: ProcessSignals): Promise<ServerPart> {
  const portNote = await portNoteFor(options);
  const flags = portNote === undefined ? options.flags : { ...options.flags, 'http.port': '0' };
  // Loaded here and not before: without the packages of the server the rest works all the same.
  const { runService } = await import('../server/commands/run.ts');
  let isListening: (url: string | undefined) => void = () => undefined;
  const listening = new Promise<string | undefined>((resolve) => (isListening = resolve));
  const ended = runService(
    { ...options, flags, screen: { format: 'pretty', program: 'server' }, onListening: ({ url }) => isListening(url) },
    signals,
  ).finally(() => isListening(undefined));
  const url = await listening;
  return {
    url,
    ended,
    ...(portNote !== undefined && url !== undefined && { portNote: `${portNote}, so this one took another` }),
  };
}

async function portNoteFor({ configPath: path, env, flags }: ServerPartOptions): Promise<string | undefined> {
  try {
    const { host, port } = (await loadServerConfig({ path, env, flags })).config.http;
    return port !== 0 && (await isPortTaken(host, port)) ? `port ${port} is in use` : undefined;
  } catch (error) {
    // The server says itself what is wrong with its file.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
