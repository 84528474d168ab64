import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { UnitProperties } from '../../../common/doctor/examinations/unit.ts';
import type { Finding } from '../../../common/doctor/finding.ts';
import { report } from '../finding.ts';

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
