import type { SectionSpec } from './schema.ts';

/** [logging] of both programs. `debug` says what the level debug adds. */
export function loggingSection(parts: { readonly program: string; readonly unit: string; readonly debug: string }) {
  return {
    doc: `The log of the ${parts.program}. Under systemd, read it with "journalctl -u ${parts.unit}".`,
    keys: {
      log_level: {
        format: 'log-level',
        default: 'info',
        doc: `How much to write: info for every change of state, debug for ${parts.debug}.`,
      },
      log_format: {
        format: 'choice',
        values: ['auto', 'json', 'journald', 'pretty'],
        default: 'auto',
        doc: 'auto: for systemd if it listens, pretty on a terminal, otherwise one JSON object per line.',
      },
    },
  } as const satisfies SectionSpec;
}
