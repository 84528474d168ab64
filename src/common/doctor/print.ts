import type { Diagnosis, Summary } from './doctor.ts';
import type { Finding } from './finding.ts';
import type { Verdict } from './verdict.ts';

const WORDS: Readonly<Record<Verdict, string>> = { ok: 'ok', warn: 'WARN', fail: 'FAIL', skipped: '-' };
const VERDICT_WIDTH = 6;
const TITLE_WIDTH = 18;
const MARGIN = ' '.repeat(2 + VERDICT_WIDTH + TITLE_WIDTH);
const LABEL_WIDTH = 8;

/** One examination's part of the report, newline at the end. */
export function printDiagnosis({ examination, findings }: Diagnosis): string {
  return findings.map((finding) => printFinding(examination.title, finding)).join('');
}

/** `14 ok, 1 warning, 2 failures, 3 not examined` */
export function printSummary(summary: Summary): string {
  return [
    `${summary.ok} ok`,
    counted(summary.warn, 'warning'),
    counted(summary.fail, 'failure'),
    `${summary.skipped} not examined`,
  ].join(', ');
}

function printFinding(title: string, { verdict, found, cause, remedy }: Finding): string {
  const head = `  ${WORDS[verdict].padEnd(VERDICT_WIDTH)}${title.padEnd(TITLE_WIDTH)}`;
  const [first = '', ...rest] = found.split('\n');
  const lines = [head + first, ...rest.map((line) => MARGIN + line)];
  if (cause !== undefined) lines.push(...labelled('cause', [cause]));
  if (remedy !== undefined) lines.push(...labelled('remedy', remedy));
  return `${lines.join('\n')}\n`;
}

function labelled(label: string, texts: readonly string[]): readonly string[] {
  return texts.map((text, index) => MARGIN + (index === 0 ? label : '').padEnd(LABEL_WIDTH) + text);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
