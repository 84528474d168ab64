import type { Live } from './live.ts';

/** Calls back at each change of a live value until the signal is aborted. */
export async function followLive<T>(live: Live<T>, signal: AbortSignal, onChange: (value: T) => void): Promise<void> {
  for (let version = live.version; ; version = live.version) {
    await live.changed(version, signal);
    onChange(live.current);
  }
}
