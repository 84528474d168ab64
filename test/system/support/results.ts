import { appendFileSync } from 'node:fs';
import type { Target } from './target.ts';

/** A figure or an observation: printed, and kept in the file that TECHTEMP_SYSTEM_RESULTS names. */
export function note(target: Target, text: string): void {
  const line = `${new Date().toISOString()} ${text}\n`;
  process.stdout.write(`    ${text}\n`);
  if (target.settings.results !== undefined) appendFileSync(target.settings.results, line);
}

/** What a command left on the screen. */
export function noteTranscript(target: Target, title: string, text: string): void {
  note(target, `${title}:\n${text.trimEnd().replace(/^/gm, '      | ')}`);
}
