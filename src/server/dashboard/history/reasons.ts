import type { GapReason } from '../../../contract/reading.ts';
import type { TextKey, Translate } from '../text/texts.ts';

const WORDS = {
  thinned: 'reasonThinned',
  dropped: 'reasonDropped',
  damaged: 'reasonDamaged',
  'lost-in-memory': 'reasonLostInMemory',
} as const satisfies Record<GapReason, TextKey>;

/** A newer device may give a reason that this page doesn't know: then its own word. */
export function reasonText(reason: GapReason, t: Translate): string {
  return reason in WORDS ? t(WORDS[reason]) : reason;
}
