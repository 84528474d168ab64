import type { Clock } from '../../platform/clock.ts';
import type { Examination } from '../doctor.ts';
import type { Finding } from '../finding.ts';
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
  /** Whether the package can be loaded, as src/platform/systemd.ts finds it. */
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

/** No true clock says a time before this program was written. */
const WRITTEN: Evidence = { tsMs: Date.UTC(2026, 10, 1), what: 'TechTemp was written later than that' };
/** NTP slews by 0.5 ms a second at most (adjtimex(2)); what moves the clock further in half a second is a step. */
const WINDOW_MS = 500;
const STEP_MS = 50;
/** A file that was written a moment ago by a machine whose clock is a little ahead proves nothing. */
const TOLERANCE_MS = 60_000;

/** Something that has certainly happened, and when: a clock that says less is in the past. */
export interface Evidence {
  readonly tsMs: number;
  /** For people: `server.conf was changed on …`. */
  readonly what: string;
}

export interface ClockParts {
  readonly clock: Clock;
  /** Whether the time is confirmed, and what it means to this program when it is not. */
  readonly synchronisation: (time: string) => Promise<Finding>;
  /** What the machine's files prove about the time. */
  readonly evidence: () => Promise<readonly Evidence[]>;
}

/** The wall clock: standing still against the monotonic clock, plausible, synchronised. */
export function clockExamination({ clock, synchronisation, evidence }: ClockParts): Examination {
  return {
    id: 'clock',
    title: 'Clock',
    run: async (signal) => {
      const time = new Date(clock.nowMs()).toISOString();
      const before = clock.nowMs() - clock.monotonicMs();
      await clock.sleep(WINDOW_MS, signal);
      const stepMs = Math.round(clock.nowMs() - clock.monotonicMs() - before);
      if (Math.abs(stepMs) > STEP_MS) return [report('clock.jumping', { stepMs, windowMs: WINDOW_MS })];

      const proofs = [WRITTEN, ...(await evidence())].filter(({ tsMs }) => tsMs > clock.nowMs() + TOLERANCE_MS);
      const proof = proofs.at(-1);
      if (proof !== undefined) return [report('clock.past', { time, evidence: proof.what })];
      return [await synchronisation(time)];
    },
  };
}
