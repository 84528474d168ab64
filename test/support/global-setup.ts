import { buildEmulator, EmulatorUnavailable } from './emulator-build.ts';
import { buildNotifySocket } from './notify-socket.ts';

/**
 * Runs once before the tests: builds what they start as separate processes.
 * Each step is added by the part that needs it.
 */
export async function setup(): Promise<void> {
  buildNotifySocket();
  await buildEmulator().catch((error: unknown) => {
    if (!(error instanceof EmulatorUnavailable)) throw error;
    console.warn(`Tests on the emulated I2C bus are skipped: ${error.message}.`);
  });
}
