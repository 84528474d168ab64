import type { Clock } from '../../clock.ts';
import type { Examination } from '../examination.ts';
import type { Finding } from '../finding.ts';
import { report } from '../findings/catalogue.ts';

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
  /** Whether somebody vouches for the time, and what it means to this program when nobody does. */
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
