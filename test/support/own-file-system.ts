import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/** A file system of the test's own, on a device of its own where it says so. */
export interface OwnFileSystem {
  readonly mountPoint: string;
  remount(option: 'ro' | 'rw'): void;
  /** Syncs it and answers what its device has been asked to do so far; zeros where it has no device of its own. */
  deviceCounts(): DeviceCounts;
  /** Unmounts and gives everything back. */
  remove(): void;
}

export interface DeviceCounts {
  readonly bytesWritten: number;
  readonly writes: number;
  readonly flushes: number;
}

const SECTOR_BYTES = 512;
/** Documentation/block/stat.rst of the kernel, counted from 0. */
const FIELD = { writes: 4, sectorsWritten: 6, flushes: 15 } as const;

/** A small tmpfs, or undefined where it cannot be mounted (not root, a container without the right). */
export function mountTmpfs(bytes: number): OwnFileSystem | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-tmpfs-'));
  const mountPoint = join(folder, 'mnt');
  mkdirSync(mountPoint);
  if (!tried('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', mountPoint])) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  return ownFileSystem(folder, mountPoint, undefined);
}

/** ext4 with its usual journal and blocks of 4 KiB, as on an SD card, on a loop device, or undefined where that cannot be had. */
export function mountExt4OnLoop(bytes: number): OwnFileSystem | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-loop-'));
  const image = join(folder, 'image');
  const mountPoint = join(folder, 'mnt');
  mkdirSync(mountPoint);
  writeFileSync(image, '');
  truncateSync(image, bytes);
  const device = answer('losetup', ['--find', '--show', image]);
  if (device === undefined) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const made = tried('mkfs.ext4', ['-q', '-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0', device]);
  if (!made || !tried('mount', [device, mountPoint])) {
    tried('losetup', ['--detach', device]);
    rmSync(folder, { recursive: true });
    return undefined;
  }
  return ownFileSystem(folder, mountPoint, device);
}

function ownFileSystem(folder: string, mountPoint: string, device: string | undefined): OwnFileSystem {
  return {
    mountPoint,
    remount: (option) => {
      execFileSync('mount', ['-o', `remount,${option}`, mountPoint]);
    },
    deviceCounts: () => {
      execFileSync('sync', ['--file-system', mountPoint]);
      if (device === undefined) return { bytesWritten: 0, writes: 0, flushes: 0 };
      const fields = readFileSync(`/sys/block/${basename(device)}/stat`, 'utf8')
        .trim()
        .split(/\s+/)
        .map(Number);
      return {
        bytesWritten: (fields[FIELD.sectorsWritten] ?? 0) * SECTOR_BYTES,
        writes: fields[FIELD.writes] ?? 0,
        flushes: fields[FIELD.flushes] ?? 0,
      };
    },
    remove: () => {
      execFileSync('umount', [mountPoint]);
      if (device !== undefined) execFileSync('losetup', ['--detach', device]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function tried(command: string, args: readonly string[]): boolean {
  return answer(command, args) !== undefined;
}

function answer(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
