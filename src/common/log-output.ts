import { writeSync } from 'node:fs';

/** Writes one line before it returns; false when it was lost. Never throws. */
export type LineOutput = (line: string) => boolean;

/** As fs.writeSync: writes some of the bytes from `offset` on and returns how many. */
type WriteSome = (fd: number, bytes: Uint8Array, offset: number) => number;

/** How long a full pipe may hold up the program for one line; a reader that is alive empties it in far less. */
const FULL_PIPE_PATIENCE_MS = 50;
const FULL_PIPE_STEP_MS = 5;

/**
 * Output to a file descriptor that has been handed to the kernel when the call returns, so that the last line before a
 * SIGKILL or a watchdog's SIGABRT is not lost (an asynchronous destination loses all of them). Where nobody reads, lines are
 * lost and the program goes on: a log must not stop a measurement.
 */
export function createLineOutput(fd: number, write: WriteSome = writeSync): LineOutput {
  const pause = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let patient = true;

  return (line) => {
    const bytes = Buffer.from(line);
    let written = 0;
    let leftMs = patient ? FULL_PIPE_PATIENCE_MS : 0;
    while (written < bytes.length) {
      try {
        written += write(fd, bytes, written);
      } catch (error) {
        const full = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
        if (!full || leftMs <= 0) {
          patient = !full;
          return false;
        }
        leftMs -= FULL_PIPE_STEP_MS;
        Atomics.wait(pause, 0, 0, FULL_PIPE_STEP_MS);
      }
    }
    patient = true;
    return true;
  };
}
