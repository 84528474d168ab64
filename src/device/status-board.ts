import type { DeviceStatus } from '../contract/status.ts';
import type { ClockState } from './clock-keeper.ts';
import type { DeviceConfig } from './config/device-config.ts';
import type { JournalSetStats } from './journal/journal.ts';
import type { SamplerState } from './sampler.ts';

/** Where each part stands; collected when a status is asked for, never kept. */
export interface StatusSources {
  readonly config: () => DeviceConfig;
  /** Why the newest edit of device.conf was not taken; undefined when it was. */
  readonly configProblem: () => string | undefined;
  readonly sampler: () => SamplerState;
  readonly sensor: () => { readonly description: string; readonly crcErrors: number };
  readonly journal: () => JournalSetStats & { readonly epoch: string };
  readonly clock: () => ClockState;
  readonly publisher: () => {
    readonly connected: boolean;
    readonly delivery: 'receipt' | 'broker';
    readonly taken: number;
    readonly lastError?: string | undefined;
  };
  readonly nowMs: () => number;
  readonly version: string;
}

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
      ...(journal.fault !== undefined && { error: journal.fault }),
    },
    clock: { state: clock.state, ...(clock.lastStepMs !== undefined && { last_step_ms: clock.lastStepMs }) },
    config: configProblem === undefined ? { state: 'ok' } : { state: 'rejected', error: configProblem },
    ...(lastError !== undefined && { last_error: lastError }),
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
    `${journal.unreleased} buffered${journal.durable ? '' : ' IN MEMORY'}`,
    ...(sources.clock().state === 'synced' ? [] : [`clock ${sources.clock().state}`]),
    ...(sources.configProblem() === undefined ? [] : ['device.conf has an error']),
  ];
  return words.join('; ');
}
