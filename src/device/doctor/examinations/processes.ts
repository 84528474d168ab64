import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Examination } from '../../../common/doctor/examination.ts';
import type { Machine } from '../../../common/doctor/machine.ts';
import { report } from '../finding.ts';

/** Name of the older agent's binary. Ours is a script, and runs under the name of node. */
const OLDER_AGENT = 'techtemp-device';

export interface RunningProcess {
  readonly pid: number;
  /** Of the program file; empty where this user may not see it. */
  readonly executable: string;
  readonly command: readonly string[];
}

/** The processes of this machine, as far as this user may see them. */
async function listProcesses(root: string): Promise<readonly RunningProcess[]> {
  const names = await readdir(join(root, 'proc')).catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  return await Promise.all(
    pids.map(async (pid) => {
      const folder = join(root, 'proc', String(pid));
      const executable = await readlink(join(folder, 'exe')).catch(() => '');
      const commandLine = await readFile(join(folder, 'cmdline'), 'utf8').catch(() => '');
      return {
        pid,
        executable: executable.replace(/ \(deleted\)$/, ''),
        command: commandLine.split('\0').slice(0, -1),
      };
    }),
  );
}

/** Processes that hold a device file open, ours aside. Sees those of other users only as root. */
export async function holdersOf(device: string, root: string): Promise<readonly RunningProcess[]> {
  const processes = await listProcesses(root);
  const holding = await Promise.all(processes.map(({ pid }) => holds(join(root, 'proc', String(pid), 'fd'), device)));
  return processes.filter((process, index) => holding[index] === true && !isOurs(process));
}

/** Two masters of one sensor: the agent of the system that ours replaces may still be there. */
export function olderAgentExamination({ root }: Pick<Machine, 'root'>): Examination {
  return {
    id: 'older-agent',
    title: 'Older agent',
    run: async () => {
      const found = (await listProcesses(root)).filter(isOlderAgent);
      if (found.length === 0) return [report('older-agent.none')];
      return found.map(({ pid, executable, command }) =>
        report('older-agent.running', { pid, executable: executable || command.join(' ') }),
      );
    },
  };
}

function isOlderAgent({ executable, command: [program = '', config = ''] }: RunningProcess): boolean {
  if (executable !== '') return basename(executable) === OLDER_AGENT;
  return basename(program) === OLDER_AGENT && config.endsWith('.conf');
}

function isOurs({ pid, command }: RunningProcess): boolean {
  return pid === process.pid || command.some((word) => /techtemp-(device|start)(\.m?js)?$/.test(word));
}

async function holds(folder: string, device: string): Promise<boolean> {
  const descriptors = await readdir(folder).catch(() => []);
  const targets = await Promise.all(descriptors.map((name) => readlink(join(folder, name)).catch(() => '')));
  return targets.includes(device);
}
