import type { Examination } from '../examination.ts';
import { report } from '../findings/catalogue.ts';
import type { Machine } from '../machine.ts';

/** `engines` of package.json; a test keeps them equal. */
export const OLDEST_NODE = '20.19.0';

/** The Node.js that runs this. Bundled code for 20.19 often still starts on an older one, and fails later. */
export function nodeExamination(machine: Pick<Machine, 'nodeVersion'>): Examination {
  return {
    id: 'node',
    title: 'Node.js',
    run: () => {
      const version = machine.nodeVersion;
      return Promise.resolve([
        isOlder(version, OLDEST_NODE)
          ? report('node.too-old', { version, needed: OLDEST_NODE })
          : report('node.ok', { version }),
      ]);
    },
  };
}

export interface NotifyPackageParts {
  /** Whether the package can be loaded, as src/common/notify.ts finds it. */
  readonly canNotify: () => Promise<boolean>;
  /** Whether systemd runs on this machine, and so will wait for READY=1. */
  readonly systemdRuns: () => Promise<boolean>;
  /** Where TechTemp is installed. */
  readonly folder: string;
}

/** The optional native package without which a Type=notify unit never becomes ready. */
export function notifyPackageExamination({ canNotify, systemdRuns, folder }: NotifyPackageParts): Examination {
  return {
    id: 'notify-package',
    title: 'systemd package',
    run: async () => {
      if (await canNotify()) return [report('notify-package.ok')];
      return [
        (await systemdRuns()) ? report('notify-package.missing', { folder }) : report('notify-package.not-needed'),
      ];
    },
  };
}

function isOlder(version: string, needed: string): boolean {
  const [have, want] = [version, needed].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const differing = want.findIndex((part, index) => part !== have[index]);
  return differing >= 0 && (have[differing] ?? 0) < (want[differing] ?? 0);
}
