import { dirname, join } from 'node:path';
import type { JournalFile, JournalFs } from '../../src/device/journal/journal-fs.ts';

/**
 * A file system in memory that knows what a power cut may take: every page of a file and every entry of a directory that was
 * not synced, each on its own. Can fail and count every operation. Stronger than any real file system: nothing is ordered
 * but by a sync.
 */
export interface CrashFs extends JournalFs {
  /** Called before each operation; may throw what the operation is to fail with, or take its time. */
  onOperation: (operation: Operation) => void | Promise<void>;
  readonly counts: Counts;
  /** File systems as a power cut may leave this one: all combinations up to the limit, else the extremes and a random choice. */
  crashes(limit: number, random: () => number): CrashFs[];
  /** As `kill -9` leaves it: what was written is there, synced or not. */
  copy(): CrashFs;
  /** Every file's path. */
  files(): string[];
  content(path: string): Buffer;
  setContent(path: string, content: Buffer): void;
  /** For good; also a directory with all that is in it. */
  deleteFile(path: string): void;
  setFreeBytes(bytes: number): void;
}

export interface Operation {
  readonly kind:
    | 'open'
    | 'read'
    | 'write'
    | 'sync'
    | 'list'
    | 'identify'
    | 'makeDirectory'
    | 'syncDirectory'
    | 'rename'
    | 'remove'
    | 'removeDirectory'
    | 'freeBytes';
  readonly path: string;
  readonly mode?: string;
  readonly bytes?: number;
}

export interface Counts {
  operations: number;
  bytesWritten: number;
  /** Distinct 4 KiB blocks that reach the disk: counted at each sync. */
  blocksSynced: number;
  syncs: number;
  directorySyncs: number;
}

const PAGE = 4096;

interface FileNode {
  readonly kind: 'file';
  data: Buffer;
  durable: Buffer;
  /** Contents that a page has had since the last sync, oldest first. */
  dirty: Map<number, Buffer[]>;
  sizes: number[];
}

interface DirectoryNode {
  readonly kind: 'directory';
  entries: Map<string, TreeNode>;
  durable: Map<string, TreeNode>;
  /** Changes since the last sync, each a whole one: a rename within the directory is one. */
  pending: ((entries: Map<string, TreeNode>) => void)[];
}

type TreeNode = FileNode | DirectoryNode;

export function errnoError(code: string, path: string): NodeJS.ErrnoException {
  // Files that are not there are asked for a hundred thousand times; a stack for each would be most of the work.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = Object.assign(new Error(`${code}: ${path}`), { code });
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

export function createCrashFs(root: DirectoryNode = newDirectory()): CrashFs {
  const counts: Counts = { operations: 0, bytesWritten: 0, blocksSynced: 0, syncs: 0, directorySyncs: 0 };
  let freeBytes = Infinity;
  const ids = new WeakMap<TreeNode, string>();
  let lastId = 0;

  const step = async (operation: Operation): Promise<void> => {
    counts.operations += 1;
    await fs.onOperation(operation);
  };

  const fs: CrashFs = {
    onOperation: () => undefined,
    counts,
    open: async (path, mode) => {
      await step({ kind: 'open', path, mode });
      const parent = directory(dirname(path));
      const name = path.slice(path.lastIndexOf('/') + 1);
      let node = parent.entries.get(name);
      if (node?.kind === 'directory') throw errnoError('EISDIR', path);
      if (mode === 'create') {
        if (node === undefined) {
          node = { kind: 'file', data: Buffer.alloc(0), durable: Buffer.alloc(0), dirty: new Map(), sizes: [] };
          link(parent, name, node);
        } else {
          node.data = Buffer.alloc(0);
          node.sizes.push(0);
        }
      }
      if (node === undefined) throw errnoError('ENOENT', path);
      return file(node, path);
    },
    identify: async (path) => {
      await step({ kind: 'identify', path });
      try {
        const node = lookup(path);
        return { id: idOf(node), size: node.kind === 'file' ? node.data.length : 0 };
      } catch {
        return undefined;
      }
    },
    list: async (path) => {
      await step({ kind: 'list', path });
      const node = lookup(path);
      if (node.kind === 'file') throw errnoError('ENOTDIR', path);
      return [...node.entries.keys()];
    },
    makeDirectory: async (path) => {
      await step({ kind: 'makeDirectory', path });
      let node = root;
      for (const name of parts(path)) {
        let next = node.entries.get(name);
        if (next === undefined) {
          next = newDirectory();
          link(node, name, next);
        }
        if (next.kind === 'file') throw errnoError('ENOTDIR', path);
        node = next;
      }
    },
    syncDirectory: async (path) => {
      await step({ kind: 'syncDirectory', path });
      const node = directory(path);
      node.durable = new Map(node.entries);
      node.pending = [];
      counts.directorySyncs += 1;
    },
    rename: async (from, to) => {
      await step({ kind: 'rename', path: from });
      const [source, target] = [directory(dirname(from)), directory(dirname(to))];
      if (source !== target) throw errnoError('EXDEV', from);
      const [oldName, newName] = [basename(from), basename(to)];
      const node = source.entries.get(oldName);
      if (node === undefined) throw errnoError('ENOENT', from);
      const change = (entries: Map<string, TreeNode>): void => {
        entries.delete(oldName);
        entries.set(newName, node);
      };
      change(source.entries);
      source.pending.push(change);
    },
    remove: async (path) => {
      await step({ kind: 'remove', path });
      unlink(path);
    },
    removeDirectory: async (path) => {
      await step({ kind: 'removeDirectory', path });
      if (directory(path).entries.size > 0) throw errnoError('ENOTEMPTY', path);
      unlink(path);
    },
    freeBytes: async (path) => {
      await step({ kind: 'freeBytes', path });
      return freeBytes;
    },
    crashes: (limit, random) => crashStates(root, limit, random),
    copy: () =>
      createCrashFs(
        cloneDirectory(
          root,
          (node) => cloneWritten(node),
          (node) => node.entries,
        ),
      ),
    files: () => filesUnder(root, '/'),
    content: (path) => Buffer.from(fileNode(path).data),
    setContent: (path, content) => {
      const node = fileNode(path);
      node.data = Buffer.from(content);
      node.durable = Buffer.from(content);
      node.dirty.clear();
      node.sizes = [];
    },
    deleteFile: (path) => {
      unlink(path);
      const parent = directory(dirname(path));
      parent.durable = new Map(parent.entries);
      parent.pending = [];
    },
    setFreeBytes: (bytes) => {
      freeBytes = bytes;
    },
  };
  return fs;

  function file(node: FileNode, path: string): JournalFile {
    const sync = async (): Promise<void> => {
      await step({ kind: 'sync', path });
      counts.syncs += 1;
      counts.blocksSynced += node.dirty.size;
      if (node.durable.length === node.data.length) {
        for (const page of node.dirty.keys()) node.data.copy(node.durable, page * PAGE, page * PAGE, (page + 1) * PAGE);
      } else {
        node.durable = Buffer.from(node.data);
      }
      node.dirty.clear();
      node.sizes = [];
    };
    return {
      read: async (buffer, position) => {
        await step({ kind: 'read', path });
        return node.data.copy(buffer, 0, position, position + buffer.length);
      },
      write: async (data, position) => {
        await step({ kind: 'write', path, bytes: data.length });
        counts.bytesWritten += data.length;
        const end = position + data.length;
        if (end > node.data.length) {
          node.data = Buffer.concat([node.data, Buffer.alloc(end - node.data.length)]);
          node.sizes.push(end);
        }
        for (let page = Math.floor(position / PAGE); page * PAGE < end; page += 1) {
          const versions = node.dirty.get(page) ?? [];
          node.dirty.set(page, versions);
          versions.push(...pageVersions(node.data, data, page, position));
        }
        data.copy(node.data, position);
      },
      dataSync: sync,
      sync,
      identity: () => Promise.resolve({ id: idOf(node), size: node.data.length }),
      size: () => Promise.resolve(node.data.length),
      close: () => Promise.resolve(),
    };
  }

  function idOf(node: TreeNode): string {
    const known = ids.get(node);
    if (known !== undefined) return known;
    lastId += 1;
    ids.set(node, String(lastId));
    return String(lastId);
  }

  function lookup(path: string): TreeNode {
    let node: TreeNode = root;
    for (const name of parts(path)) {
      const next: TreeNode | undefined = node.kind === 'directory' ? node.entries.get(name) : undefined;
      if (next === undefined) throw errnoError('ENOENT', path);
      node = next;
    }
    return node;
  }

  function directory(path: string): DirectoryNode {
    const node = lookup(path);
    if (node.kind === 'file') throw errnoError('ENOTDIR', path);
    return node;
  }

  function fileNode(path: string): FileNode {
    const node = lookup(path);
    if (node.kind === 'directory') throw errnoError('EISDIR', path);
    return node;
  }

  function unlink(path: string): void {
    const parent = directory(dirname(path));
    const name = basename(path);
    if (!parent.entries.has(name)) throw errnoError('ENOENT', path);
    const change = (entries: Map<string, TreeNode>): void => {
      entries.delete(name);
    };
    change(parent.entries);
    parent.pending.push(change);
  }
}

/** Of a page that is written to: the first half of what is written there only, the second half only, all of it. */
function pageVersions(file: Buffer, data: Buffer, page: number, position: number): Buffer[] {
  const [start, end] = [page * PAGE, Math.min((page + 1) * PAGE, file.length)];
  const [from, to] = [Math.max(position, start), Math.min(position + data.length, end)];
  const middle = Math.floor((from + to) / 2);
  const write = (writeFrom: number, writeTo: number): Buffer => {
    const version = Buffer.from(file.subarray(start, end));
    data.copy(version, writeFrom - start, writeFrom - position, writeTo - position);
    return version;
  };
  return [write(from, middle), write(middle, to), write(from, to)];
}

/** A choice to make for a crash: which of so many versions is on disk. */
interface Choice {
  readonly options: number;
  value: number;
}

function crashStates(root: DirectoryNode, limit: number, random: () => number): CrashFs[] {
  const choices = new Map<unknown, Choice>();
  visit(root, (node) => {
    if (node.kind === 'directory') {
      for (const change of node.pending) choices.set(change, { options: 2, value: 0 });
      return;
    }
    if (node.sizes.length > 0) choices.set(node.sizes, { options: node.sizes.length + 1, value: 0 });
    for (const versions of node.dirty.values()) choices.set(versions, { options: versions.length + 1, value: 0 });
  });
  const all = [...choices.values()];
  const combinations = all.reduce((product, { options }) => product * options, 1);
  const build = (): CrashFs =>
    createCrashFs(
      cloneDirectory(
        root,
        (node) => cloneCrashed(node, choices),
        (node) => crashedEntries(node, choices),
      ),
    );
  const states: CrashFs[] = [];
  if (combinations <= limit) {
    for (let index = 0; index < combinations; index += 1) {
      let rest = index;
      for (const choice of all) {
        choice.value = rest % choice.options;
        rest = Math.floor(rest / choice.options);
      }
      states.push(build());
    }
    return states;
  }
  for (let index = 0; index < limit; index += 1) {
    for (const choice of all) {
      choice.value = index === 0 ? 0 : index === 1 ? choice.options - 1 : Math.floor(random() * choice.options);
    }
    states.push(build());
  }
  return states;
}

function crashedEntries(node: DirectoryNode, choices: ReadonlyMap<unknown, Choice>): Map<string, TreeNode> {
  const entries = new Map(node.durable);
  for (const change of node.pending) if (choices.get(change)?.value === 1) change(entries);
  return entries;
}

function cloneCrashed(node: FileNode, choices: ReadonlyMap<unknown, Choice>): Buffer {
  const sizeChoice = choices.get(node.sizes)?.value ?? 0;
  const size = sizeChoice === 0 ? node.durable.length : (node.sizes[sizeChoice - 1] ?? 0);
  const content = Buffer.alloc(size);
  node.durable.copy(content);
  for (const [page, versions] of node.dirty) {
    const version = choices.get(versions)?.value ?? 0;
    if (version > 0 && page * PAGE < size) versions[version - 1]?.copy(content, page * PAGE);
  }
  return content;
}

function cloneWritten(node: FileNode): Buffer {
  return Buffer.from(node.data);
}

function cloneDirectory(
  node: DirectoryNode,
  contentOf: (file: FileNode) => Buffer,
  entriesOf: (directory: DirectoryNode) => Map<string, TreeNode>,
): DirectoryNode {
  const entries = new Map<string, TreeNode>();
  for (const [name, child] of entriesOf(node)) {
    if (child.kind === 'directory') entries.set(name, cloneDirectory(child, contentOf, entriesOf));
    else {
      const data = contentOf(child);
      entries.set(name, { kind: 'file', data, durable: Buffer.from(data), dirty: new Map(), sizes: [] });
    }
  }
  return { kind: 'directory', entries, durable: new Map(entries), pending: [] };
}

function newDirectory(): DirectoryNode {
  return { kind: 'directory', entries: new Map(), durable: new Map(), pending: [] };
}

function link(parent: DirectoryNode, name: string, node: TreeNode): void {
  parent.entries.set(name, node);
  parent.pending.push((entries) => {
    entries.set(name, node);
  });
}

/** What a crash may bring to light, too: a node that is linked only in the durable entries. */
function visit(node: TreeNode, see: (node: TreeNode) => void, seen = new Set<TreeNode>()): void {
  if (seen.has(node)) return;
  seen.add(node);
  see(node);
  if (node.kind === 'file') return;
  for (const child of node.entries.values()) visit(child, see, seen);
  for (const child of node.durable.values()) visit(child, see, seen);
}

function filesUnder(node: DirectoryNode, path: string): string[] {
  return [...node.entries].flatMap(([name, child]) =>
    child.kind === 'file' ? [join(path, name)] : filesUnder(child, join(path, name)),
  );
}

function parts(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** With the directory above the journal's, as systemd makes it. */
export async function createStateFs(): Promise<CrashFs> {
  const fs = createCrashFs();
  await fs.makeDirectory('/state');
  await fs.syncDirectory('/');
  return fs;
}
