import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createLiveValue, type Live } from '../../platform/live.ts';

/** Tells that something may have happened to a file; look at the file to know. */
export interface FileHints {
  /** Counts the hints. */
  readonly hints: Live<number>;
  /**
   * Sets the watches anew where folders came, went or were replaced. False when some folder cannot be watched: it does not
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
