import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseJson } from '../../../src/contract/json.ts';
import { decodeItem, type GapRecord, type Reading } from '../../../src/contract/reading.ts';
import { type DeviceStatus, decodeStatus } from '../../../src/contract/status.ts';
import { parseSensorTopic } from '../../../src/contract/topics.ts';
import type { Target } from './target.ts';

/** As mosquitto_sub of the machine under test saw it. */
export interface Seen {
  readonly atMs: number;
  readonly topic: string;
  readonly payload: string;
}

const SETTINGS_FOLDER = '/run/techtemp-system';
const PAUSE_MS = 1_000;

/**
 * Writes down what `mosquitto_sub` prints on the machine, under a name for which the broker keeps messages: neither an outage of
 * the connection nor of the broker makes it miss one.
 */
export class Recorder {
  readonly seen: Seen[] = [];
  readonly #target: Target;
  #child: ChildProcess | undefined;
  readonly #closing = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(target: Target) {
    this.#target = target;
  }

  /** Subscribed when it returns. */
  async start(): Promise<void> {
    this.#loop = this.#run();
    await this.#target.until('mosquitto_sub has subscribed', () => Promise.resolve(this.seen.length > 0), 60_000);
  }

  readings(): readonly Reading[] {
    return this.#items().filter((item): item is Reading => !('gap' in item));
  }

  gaps(): readonly GapRecord[] {
    return this.#items().filter((item): item is GapRecord => 'gap' in item);
  }

  statuses(): readonly DeviceStatus[] {
    return this.seen.filter(({ topic }) => topic.endsWith('/status')).map(({ payload }) => decodeStatus(payload));
  }

  /** A reading that is published from now on. */
  async nextReading(limitMs = 60_000): Promise<Reading> {
    const before = this.readings().length;
    return await this.#target.until(
      'a reading at mosquitto_sub',
      () => Promise.resolve(this.readings()[before]),
      limitMs,
    );
  }

  /** A status that is published from now on and says something. */
  async nextStatus(what: string, holds: (status: DeviceStatus) => boolean, limitMs = 60_000): Promise<DeviceStatus> {
    const before = this.statuses().length;
    return await this.#target.until(
      `a status: ${what}`,
      () => Promise.resolve(this.statuses().slice(before).find(holds)),
      limitMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#child?.kill();
    await this.#loop;
  }

  #items(): readonly (Reading | GapRecord)[] {
    return this.seen.flatMap(({ topic, payload }) => {
      const leaf = parseSensorTopic(topic)?.leaf;
      if (leaf === 'reading' || leaf === 'gap') return [decodeItem(parseJson(payload))];
      return leaf === 'backlog' ? (parseJson(payload) as unknown[]).map(decodeItem) : [];
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#listen();
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Until the broker or the connection goes away. The retained announcement of the server is what a new subscriber sees at once. */
  async #listen(): Promise<void> {
    const options = `-i techtemp-system-recorder -c -q 1 -F '%t %p' -t 'home/+/sensors/+/#' -t 'techtemp/server/+'`;
    const child = this.#target.ssh.start(
      `${CREDENTIALS}; export XDG_CONFIG_HOME=${SETTINGS_FOLDER}; exec mosquitto_sub ${options}`,
    );
    this.#child = child;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stderr?.resume();
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const end = line.indexOf(' ');
      this.seen.push({ atMs: Date.now(), topic: line.slice(0, end), payload: line.slice(end + 1) });
    });
    await ended;
  }
}

/** Where a broker wants a name, the server's is used; the password stays out of the command line, where others could read it. */
const CREDENTIALS = `
of() { sed -n "s/^ *$1 *= *//p" /etc/techtemp/server.conf 2>/dev/null | head -n 1; }
user=$(of username); file=$(of password_file)
[ -n "$file" ] || file=/etc/credstore/techtemp-server.mqtt-password
mkdir -p -m 0700 ${SETTINGS_FOLDER}
: >${SETTINGS_FOLDER}/mosquitto_sub
if [ -n "$user" ]; then printf -- '-u %s\\n-P %s\\n' "$user" "$(head -n 1 "$file")" >${SETTINGS_FOLDER}/mosquitto_sub; fi`;
