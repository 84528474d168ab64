import { buildEmulator } from './emulator-build.ts';
import { buildNotifySocket } from './notify-socket.ts';

/**
 * Runs once before the tests: builds what they start as separate processes.
 * Each step is added by the part that needs it.
 */
export async function setup(): Promise<void> {
  buildNotifySocket();
  await buildEmulator().catch((error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    console.warn(`Tests on the emulated I2C bus are skipped: ${String(error)}${cause}`);
  });
}
