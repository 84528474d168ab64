import { buildNotifySocket } from './notify-socket.ts';

/**
 * Runs once before the tests: builds what they start as separate processes.
 * Each step is added by the part that needs it.
 */
export async function setup(): Promise<void> {
  buildNotifySocket();
  await Promise.resolve();
}
