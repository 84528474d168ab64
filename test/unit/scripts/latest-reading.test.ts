import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** What the installer's summary says of this line of `systemctl status`. */
function latestReading(statusText: string): string {
  const script =
    'set -euo pipefail; PROJECT_DIR=$PWD; source scripts/install/lib.sh; source scripts/install/health.sh; latest_reading "$1"';
  return execFileSync('bash', ['-c', script, 'bash', statusText], { encoding: 'utf8' });
}

it('shows the reading of an agent that runs', () => {
  const text = '21.50 °C, 45.00 %RH; connected to localhost:1883; 0 buffered (3 taken)';
  expect(latestReading(text)).toBe('21.50 °C, 45.00 %RH');
});

it('says that a reading is not stored while the clock is not set', () => {
  const text = '21.50 °C, 45.00 %RH; connected to localhost:1883; 2 buffered; clock waiting';
  expect(latestReading(text)).toBe(
    '21.50 °C, 45.00 %RH (not stored yet: it is kept on the device until the clock is set)',
  );
});

it('shows nothing where there is no reading', () => {
  expect(latestReading('starts')).toBe('');
  expect(latestReading('sensor fault: no answer; connected to localhost:1883')).toBe('');
});
