import { type FSWatcher, watch } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { createLiveValue, type Live } from '../platform/live.ts';
import { type ConfigText, MAX_CONFIG_BYTES } from './ini.ts';
import { ConfigError, type ConfigErrorCode } from './problem.ts';

/**
 * How long a file must lie still before it is believed. A program that writes a file in place (scp, a shell's `>`, some editors)
 * lets everyone see only its beginning for a moment, a beginning of an INI file is a valid INI file, and nothing tells
 * that the writer has closed it: Node's fs.watch hides IN_CLOSE_WRITE.
 */
export interface SettleTimes {
  /** Between two looks that must see the same. A file of this size is written in two or three calls, microseconds apart. */
  readonly settleMs: number;
  /** The same for content that looks cut short: an SD card can hold a writer up for seconds between two calls. */
  readonly cutShortMs: number;
  /** A file that never lies still is given up on for this time. */
  readonly giveUpMs: number;
}

export const SETTLE_TIMES: SettleTimes = { settleMs: 250, cutShortMs: 3_000, giveUpMs: 15_000 };

export interface SettledRead {
  /** Names this state of the file; `undefined` when it would not settle. */
  readonly stamp: string | undefined;
  readonly result: ConfigText | ConfigError;
}

export interface SettleOptions {
  readonly clock: Clock;
  readonly times: SettleTimes;
  /** What the file was when it was last read: it has settled long ago if it still is. */
  readonly lastStamp: string | undefined;
  /** Whether this could be the beginning of something longer. */
  readonly looksCutShort: (text: ConfigText) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Reads a file. @throws ConfigError CONFIG_UNREADABLE, with what to do */
export async function readConfigFile(path: string): Promise<ConfigText> {
  try {
    // Asked before opening: to open a pipe is to wait for its writer.
    const found = await stat(path);
    if (!found.isFile()) throw unreadable(path, 'is not a file');
    return { path, bytes: await readStart(path, Math.min(found.size, MAX_CONFIG_BYTES) + 1) };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw unreadable(path, remedyOf(error), error);
  }
}

/** Names the state of a file: it changes with every write, replacement, switched link and change of permissions. Never throws. */
export async function fileStamp(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    return `none:${errorCode(error)}`;
  }
}

/** Reads a file once it has lain still. A file that is missing or unreadable is a result too. Rejects only with the signal. */
export async function readSettled(path: string, options: SettleOptions): Promise<SettledRead> {
  const { clock, times, lastStamp, looksCutShort, signal } = options;
  const giveUpAtMs = clock.monotonicMs() + times.giveUpMs;
  let stamp = await fileStamp(path);
  let quietMs = stamp === lastStamp ? Infinity : 0;
  let neededMs = times.settleMs;
  for (;;) {
    if (quietMs >= neededMs) {
      const result = await readConfigFile(path).catch(asConfigError);
      const whole = result instanceof ConfigError || quietMs >= times.cutShortMs || !looksCutShort(result);
      if ((await fileStamp(path)) !== stamp) quietMs = 0;
      else if (whole) return { stamp, result };
      else neededMs = times.cutShortMs;
    }
    if (clock.monotonicMs() >= giveUpAtMs) return { stamp: undefined, result: restless(path, times) };
    const waitMs = Math.min(times.settleMs, Math.max(1, neededMs - quietMs));
    await clock.sleep(waitMs, signal);
    const now = await fileStamp(path);
    if (now === stamp) {
      quietMs += waitMs;
    } else {
      stamp = now;
      quietMs = 0;
      neededMs = times.settleMs;
    }
  }
}

async function readStart(path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(maxBytes);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, maxBytes - length, length);
      length += bytesRead;
      if (bytesRead === 0) return buffer.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

function remedyOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file; name another with --config, or write the defaults there with the command config --defaults';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user; check owner and permissions of the file and its folders (namei -l shows them)';
    default:
      return `cannot be read (${error instanceof Error ? error.message : String(error)})`;
  }
}

function restless(path: string, { giveUpMs }: SettleTimes): ConfigError {
  return problem('CONFIG_UNREADABLE', path, `has not stopped changing for ${giveUpMs / 1000} s; who is writing it?`);
}

function unreadable(path: string, complaint: string, cause?: unknown): ConfigError {
  return problem('CONFIG_UNREADABLE', path, complaint, cause);
}

function problem(code: ConfigErrorCode, path: string, complaint: string, cause?: unknown): ConfigError {
  return new ConfigError(code, [{ origin: { kind: 'file', file: path }, complaint }], { cause });
}

function asConfigError(error: unknown): ConfigError {
  if (error instanceof ConfigError) return error;
  throw error;
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Tells that something may have happened to a file; look at the file to know. */
export interface FileHints {
  /** Counts the hints. */
  readonly hints: Live<number>;
  /**
   * Sets the watches again where folders came, went or were replaced. False when some folder cannot be watched: it does not
   * exist, or the machine is out of inotify watches. Never throws.
   */
  arm(): Promise<boolean>;
  close(): void;
}

interface Watch {
  readonly folderStamp: string;
  readonly watcher: FSWatcher;
}

/**
 * Watches the folders of a file, not the file: a watch on a file follows its inode, and so sees nothing more after the first
 * rename over it, which is how careful programs save. Two folders where the file is a link: of the link and of its target.
 */
export function createFileHints(path: string): FileHints {
  const hints = createLiveValue(0);
  const hint = (): void => hints.set(hints.current + 1);
  const watches = new Map<string, Watch>();

  const drop = (folder: string): void => {
    watches.get(folder)?.watcher.close();
    watches.delete(folder);
  };

  const armFolder = async (folder: string): Promise<boolean> => {
    const folderStamp = await identity(folder);
    if (folderStamp === undefined) {
      drop(folder);
      return false;
    }
    if (watches.get(folder)?.folderStamp === folderStamp) return true;
    drop(folder);
    try {
      const watcher = watch(folder, hint);
      watcher.on('error', () => {
        drop(folder);
        hint();
      });
      watches.set(folder, { folderStamp, watcher });
      return true;
    } catch {
      return false;
    }
  };

  return {
    hints,
    async arm() {
      const target = await realpath(path).catch(() => path);
      const folders = new Set([dirname(path), dirname(target)]);
      for (const folder of watches.keys()) if (!folders.has(folder)) drop(folder);
      let armed = true;
      for (const folder of folders) armed = (await armFolder(folder)) && armed;
      return armed;
    },
    close() {
      for (const folder of watches.keys()) drop(folder);
    },
  };
}

/** Another folder under the same name is another one to watch. */
async function identity(folder: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(folder, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
