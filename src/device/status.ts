import type { DeviceStatus, StatusOfMqtt } from '../contract/status.ts';
import type { Clock } from '../platform/clock.ts';
import type { Notifier } from '../platform/systemd.ts';
import type { ClockState } from './clock-sync.ts';
import type { DeviceConfig } from './config.ts';
import type { JournalSetStats } from './journal/journal.ts';
import type { PublisherState } from './publisher/publisher.ts';
import type { SamplerState } from './sampler.ts';

/** Where each part stands; collected when a status is asked for, never kept. */
export interface StatusSources {
  readonly config: () => DeviceConfig;
  /** Why the newest edit of device.conf was not taken; undefined when it was. */
  readonly configProblem: () => string | undefined;
  readonly sampler: () => SamplerState;
  readonly sensor: () => { readonly description: string; readonly crcErrors: number };
  readonly journal: () => JournalSetStats & {
    readonly epoch: string;
    /** The oldest entry that waits. */
    readonly oldest?: { readonly epoch: string; readonly seq: number } | undefined;
  };
  readonly clock: () => ClockState;
  readonly publisher: () => {
    readonly connected: boolean;
    readonly delivery: 'receipt' | 'broker';
    readonly taken: number;
    readonly lastError?: string | undefined;
  } & Partial<MqttFacts>;
  readonly nowMs: () => number;
  readonly version: string;
}

/** What the publisher knows of broker and servers beside that. */
type MqttFacts = Pick<
  PublisherState,
  | 'protocolVersion'
  | 'ignoredMessages'
  | 'problems'
  | 'nobodySubscribed'
  | 'waitingForServer'
  | 'leftOut'
  | 'setAside'
  | 'servers'
>;

/** More problems than these at once are not told; the newest are. */
const MOST_PROBLEMS = 8;

/** The retained `status` message, from the parts' own words. */
export function deviceStatus(sources: StatusSources): DeviceStatus {
  const { device, sensor } = sources.config();
  const sampler = sources.sampler();
  const journal = sources.journal();
  const clock = sources.clock();
  const configProblem = sources.configProblem();
  const publisher = sources.publisher();
  const { description, crcErrors } = sources.sensor();
  const lastError = configProblem ?? sampler.error ?? journal.fault ?? publisher.lastError;
  return {
    state: 'online',
    uid: device.deviceUid,
    ...(device.label !== '' && { label: device.label }),
    ...(device.room !== '' && { room: device.room }),
    version: sources.version,
    ts: Math.round(sources.nowMs()),
    interval_s: sensor.readIntervalMs / 1000,
    delivery: publisher.delivery,
    sensor: {
      state: sampler.state,
      description,
      ...(sampler.error !== undefined && { error: sampler.error }),
      failures: sampler.failures,
      crc_errors: crcErrors,
      missed: sampler.missed,
    },
    journal: {
      epoch: journal.epoch,
      state: journal.durable ? 'ok' : 'memory',
      buffered: journal.unreleased,
      dropped: journal.dropped,
      ...(journal.oldest !== undefined && { oldest: journal.oldest }),
      ...(journal.fault !== undefined && { error: journal.fault }),
    },
    clock: { state: clock.state, ...(clock.lastStepMs !== undefined && { last_step_ms: clock.lastStepMs }) },
    config: configProblem === undefined ? { state: 'ok' } : { state: 'rejected', error: configProblem },
    mqtt: statusOfMqtt(publisher),
    ...(lastError !== undefined && { last_error: lastError }),
  };
}

function statusOfMqtt(facts: Partial<MqttFacts>): StatusOfMqtt {
  const {
    protocolVersion,
    nobodySubscribed,
    waitingForServer,
    leftOut = [],
    setAside = 0,
    ignoredMessages = 0,
  } = facts;
  const { servers = [], problems = [] } = facts;
  const told = servers.map(({ name, presence, record }) => ({
    name,
    state: presence,
    ...(record !== undefined && { record }),
  }));
  return {
    ...(protocolVersion !== undefined && { protocol: protocolVersion === 5 ? '5' : '3.1.1' }),
    ...(nobodySubscribed === true && { subscribers: 'none' }),
    ...(waitingForServer === true && { waiting_for_server: true }),
    ...(leftOut.length > 0 && { left_out: leftOut }),
    ...(setAside > 0 && { set_aside: setAside }),
    ...(ignoredMessages > 0 && { ignored: ignoredMessages }),
    ...(told.length > 0 && { servers: told }),
    ...(problems.length > 0 && { problems: problems.slice(-MOST_PROBLEMS) }),
  };
}

/**
 * One line for `systemctl status`: the last reading, what the broker has taken since the start, and what is not as it should be. The
 * installer reads it too (scripts/install/health.sh).
 */
export function statusLine(sources: StatusSources): string {
  const sampler = sources.sampler();
  const journal = sources.journal();
  const publisher = sources.publisher();
  const { brokerHost, brokerPort } = sources.config().mqtt;
  const last = sampler.lastReading;
  const words = [
    last === undefined
      ? 'no reading yet'
      : `${last.temperatureCelsius.toFixed(2)} °C, ${last.humidityPercent.toFixed(2)} %RH`,
    ...(sampler.state === 'fault' ? [`sensor fault: ${sampler.error ?? 'unknown'}`] : []),
    ...(sampler.state !== 'fault' && sampler.error !== undefined ? [`not measured: ${sampler.error}`] : []),
    publisher.connected
      ? `connected to ${brokerHost}:${brokerPort}${publisher.taken > 0 ? ` (${publisher.taken} taken)` : ''}`
      : `${brokerHost}:${brokerPort} is away${publisher.lastError === undefined ? '' : ` (${publisher.lastError})`}`,
    `${journal.unreleased} buffered${journal.durable ? '' : ' IN MEMORY'}${publisher.nobodySubscribed === true ? ' (nobody is subscribed)' : ''}`,
    ...(publisher.connected && publisher.lastError !== undefined ? [publisher.lastError] : []),
    ...(sources.clock().state === 'synced' ? [] : [`clock ${sources.clock().state}`]),
    ...(sources.configProblem() === undefined ? [] : ['device.conf has an error']),
  ];
  return words.join('; ');
}

/** `systemctl status` is looked at by people: a line a second is plenty when readings come ten times as fast. */
const LINE_EVERY_MS = 1_000;

interface StatusLineParts {
  readonly notifier: Pick<Notifier, 'status'>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  readonly stop: AbortSignal;
  readonly line: () => string;
}

/**
 * Writes the line of `systemctl status`: at once when there is news, else now and then. What is held back follows: a reading is
 * stored milliseconds after it was taken, and until the next one, minutes later, the line must not say that it waits.
 */
export function createStatusLineWriter({
  notifier,
  clock,
  stop,
  line,
}: StatusLineParts): (word: 'news' | 'routine') => void {
  let nextMs = Number.NEGATIVE_INFINITY;
  let isPlanned = false;
  const write = (): void => {
    nextMs = clock.monotonicMs() + LINE_EVERY_MS;
    notifier.status(line());
  };
  const planned = (): void => {
    isPlanned = false;
    write();
  };
  return (word) => {
    if (word === 'routine' && isPlanned) return;
    const waitMs = nextMs - clock.monotonicMs();
    if (word === 'news' || waitMs <= 0) {
      write();
    } else {
      isPlanned = true;
      clock.sleep(waitMs, stop).then(planned, () => undefined);
    }
  };
}
