import { describe, expect, it } from 'vitest';
import type { DeviceConfig } from '../../../src/device/config.ts';
import type { ReadingEntry } from '../../../src/device/journal/journal.ts';
import { type StatusSources, statusLine } from '../../../src/device/status.ts';

const READING = { temperatureCelsius: 21.042, humidityPercent: 45.5 } as ReadingEntry;
const CONFIG = { mqtt: { brokerHost: 'broker.lan', brokerPort: 1883 } } as DeviceConfig;

function line(changes: Partial<StatusSources> = {}): string {
  return statusLine({
    config: () => CONFIG,
    configProblem: () => undefined,
    sampler: () => ({ state: 'ok', failures: 0, missed: 0, lastReading: READING }),
    sensor: () => ({ description: 'AHT20', crcErrors: 0 }),
    journal: () => ({ unreleased: 0, pending: 0, dropped: 0, bytesOnDisk: 0, durable: true, epoch: 'e1' }),
    clock: () => ({ state: 'synced' }),
    publisher: () => ({ connected: true, delivery: 'broker', taken: 3 }),
    nowMs: () => 0,
    version: '1',
    ...changes,
  });
}

// The installer decides by these words whether a release works (scripts/install/health.sh).
describe('the line of systemctl status', () => {
  it('names the reading, the broker, how many entries that has taken, and what waits', () => {
    expect(line()).toBe('21.04 °C, 45.50 %RH; connected to broker.lan:1883 (3 taken); 0 buffered');
  });

  it('says nothing of entries taken while there are none', () => {
    const publisher = () => ({ connected: true, delivery: 'broker', taken: 0 }) as const;
    expect(line({ publisher })).toBe('21.04 °C, 45.50 %RH; connected to broker.lan:1883; 0 buffered');
  });

  it('says that the broker is away, and why', () => {
    const publisher = () => ({ connected: false, delivery: 'broker', taken: 3, lastError: 'refused' }) as const;
    expect(line({ publisher })).toBe('21.04 °C, 45.50 %RH; broker.lan:1883 is away (refused); 0 buffered');
  });

  it('says that there is no reading, and what the sensor suffers from', () => {
    const sampler = () => ({ state: 'fault', error: 'nobody answers', failures: 2, missed: 0 }) as const;
    expect(line({ sampler })).toMatch(/^no reading yet; sensor fault: nobody answers; connected to/);
  });

  it('does not call it a fault of the sensor that the machine was too busy to measure, nor hide it', () => {
    const sampler = () => ({ state: 'ok', error: 'too busy', failures: 0, missed: 2, lastReading: READING }) as const;
    expect(line({ sampler })).toMatch(/^21.04 °C, 45.50 %RH; not measured: too busy; connected to/);
  });

  it('says that readings wait for the clock', () => {
    expect(line({ clock: () => ({ state: 'waiting' }) })).toMatch(/; 0 buffered; clock waiting$/);
  });
});
