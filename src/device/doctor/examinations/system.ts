import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Examination } from '../../../doctor/doctor.ts';
import type { UnitProperties } from '../../../doctor/examinations/unit.ts';
import type { Finding } from '../../../doctor/finding.ts';
import type { Machine } from '../../../doctor/machine.ts';
import type { ProbeTimeSync } from '../../../platform/time-sync.ts';
import type { ClockSection } from '../../config.ts';
import { report } from '../findings/catalogue.ts';

const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');

/** Whether a unit of our name starts the agent of the older installation. `root`: `/`, or what stands for it. */
export async function olderUnit(unit: string, properties: UnitProperties, root: string): Promise<Finding | undefined> {
  const { ExecStart: start = '', FragmentPath: path = unit } = properties;
  const program = /path=(\S+)/.exec(start)?.[1];
  if (program?.endsWith('/techtemp-device') !== true || !(await isNative(join(root, program)))) return undefined;
  const command = /argv\[\]=([^;]*)/.exec(start)?.[1]?.trim() ?? program;
  return report('unit.older-agent', { unit, command, path });
}

async function isNative(path: string): Promise<boolean> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(ELF_MAGIC.length), 0, ELF_MAGIC.length, 0);
      return bytesRead === ELF_MAGIC.length && buffer.equals(ELF_MAGIC);
    } finally {
      await file.close();
    }
  } catch {
    // Not there, or not for us to read: a program under a folder `build` is how the older installation left it.
    return path.includes('/build/');
  }
}

/** Bits of `vcgencmd get_throttled` (Raspberry Pi documentation, "vcgencmd"). */
const UNDER_VOLTAGE_NOW = 1 << 0;
const UNDER_VOLTAGE_SINCE_BOOT = 1 << 16;

/** A weak supply is behind many a bus error and many a damaged SD card, and only the Pi's firmware knows. */
export function powerExamination({ runProgram }: Pick<Machine, 'runProgram'>): Examination {
  return {
    id: 'power',
    title: 'Power supply',
    run: async () => {
      const answer = await runProgram('vcgencmd', ['get_throttled']);
      if (answer.state === 'missing') return [report('power.no-pi')];
      if (answer.state === 'silent') return [report('power.unknown', { problem: answer.problem })];
      const flags = /^throttled=(0x[0-9a-f]+)/i.exec(answer.output)?.[1];
      if (flags === undefined) {
        const [said = 'nothing'] = `${answer.output}${answer.errors}`.trim().split('\n');
        return [report('power.unknown', { problem: `vcgencmd says: ${said === '' ? 'nothing' : said}` })];
      }
      const bits = Number(flags);
      if ((bits & UNDER_VOLTAGE_NOW) !== 0) return [report('power.low-now', { flags })];
      if ((bits & UNDER_VOLTAGE_SINCE_BOOT) !== 0) return [report('power.low-before', { flags })];
      return [report('power.ok')];
    },
  };
}

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

/** What it means to the agent whether its clock is synchronised. */
export async function synchronisationFinding(
  time: string,
  {
    probe,
    settings,
    configFile,
  }: {
    readonly probe: ProbeTimeSync;
    readonly settings: ClockSection | undefined;
    readonly configFile: string;
  },
): Promise<Finding> {
  if (settings?.source === 'trust') return report('clock.trusted', { time });
  switch (await probe()) {
    case 'synced':
      return report('clock.ok', { time });
    case 'unsynced':
      return report('clock.unsynchronised', { time });
    case 'no-answer':
      return report('clock.no-answer', { time });
    case 'unknown':
      return report('clock.unknown', { time, file: configFile });
  }
}
