import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installSignals } from '../common/signals.ts';
import type { ReadingEntry } from '../device/journal/journal.ts';
import { startEmbeddedBroker } from './embedded-broker.ts';

/**
 * `npm start`: everything on one machine, for a person who wants to see it work. A broker of its own on loopback, the agent with
 * the sensor that is there, the readings on the screen. The configuration is var/device.conf, which can be edited meanwhile.
 */
const signals = installSignals(process);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const configPath = 'var/device.conf';
const { TECHTEMP_START_PORT: wantedPort = '1883' } = process.env;

await provideConfig();
const broker = await startEmbeddedBroker(Number(wantedPort));
introduce();
const { runDevice } = await import('../device/commands/run.ts');
const flags = {
  'mqtt.broker_host': broker.host,
  'mqtt.broker_port': String(broker.port),
  'mqtt.tls': 'no',
  // Nobody wants to wait for a time service on a machine that one sits in front of.
  'clock.source': 'trust',
  // What the embedded broker speaks.
  'mqtt.protocol': '3.1.1',
};
const end = await runDevice({ configPath, flags, env: process.env, whenAbsent: 'simulate', onReading: show }, signals);
await broker.close();
process.exitCode = end.exitCode;
// Ending waits for every thread, and one that hangs in the kernel never comes back.
if (end.hungTransfers > 0) process.kill(process.pid, 'SIGKILL');

/** The first start copies the annotated defaults; from then on the file is the person's own. */
async function provideConfig(): Promise<void> {
  const exists = await stat(configPath).then(
    () => true,
    () => false,
  );
  if (exists) return;
  await mkdir(dirname(configPath), { recursive: true });
  const defaults = await readFile(join(root, 'config/device.conf'), 'utf8');
  // Somebody is watching: every five seconds instead of every thirty.
  await writeFile(configPath, defaults.replace(/^#read_interval_seconds = .*$/m, 'read_interval_seconds = 5'));
}

function introduce(): void {
  const { host, port, portNote } = broker;
  say(`TechTemp: broker on ${host}:${port} (loopback only)`);
  if (portNote !== undefined) say(`  note: ${portNote}`);
  say('  watch:  ' + `mosquitto_sub -h ${host} -p ${port} -t 'home/+/sensors/+/#' -v`);
  say(`  change: ${configPath}; what you save is in force at once`);
  say('  stop:   Ctrl-C\n');
}

function show({ seq, temperatureCelsius, humidityPercent, stamp }: ReadingEntry): void {
  const time = new Date(stamp.tsMs).toLocaleTimeString('en-GB');
  const values = `${temperatureCelsius.toFixed(2).padStart(7)} °C  ${humidityPercent.toFixed(2).padStart(6)} %RH`;
  say(`${time}  ${values}  #${seq}${stamp.state === 'synced' ? '' : `  (clock ${stamp.state})`}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
