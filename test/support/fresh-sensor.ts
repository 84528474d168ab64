import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Emulator, startEmulator } from './emulator.ts';
import { type FreshSystem, type FreshSystemOptions, freshSystem, PROJECT } from './fresh-system.ts';

export interface FreshSystemWithSensor {
  readonly system: FreshSystem;
  readonly sensor: Emulator;
  remove(): Promise<void>;
}

/** A fresh system with an emulated sensor at 0x38 of /dev/i2c-1: every Node.js in there sees it, services and commands alike. */
export async function freshSystemWithSensor(options: FreshSystemOptions = {}): Promise<FreshSystemWithSensor> {
  const sensor = await startEmulator();
  const system = await freshSystem({ ...options, shared: [...(options.shared ?? []), dirname(sensor.statePath)] });
  const host = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
  const settings = Object.entries(sensor.env).map(([key, value]) => `${key}='${value.replaceAll(host, PROJECT)}'`);
  system.sh('mknod -m 600 /dev/i2c-1 c 89 1; [ -e /usr/bin/node.real ] || mv /usr/bin/node /usr/bin/node.real');
  system.write('/usr/bin/node', `#!/bin/bash\nexport ${settings.join(' ')}\nexec /usr/bin/node.real "$@"\n`, 0o755);
  return {
    system,
    sensor,
    remove: async () => {
      system.remove();
      await sensor.stop();
    },
  };
}
