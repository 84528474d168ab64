import type { Finding, Verdict } from './finding.ts';
import { report } from './findings/catalogue.ts';

/**
 * One thing that the doctor looks at. Small, independent of the others, harmless to a running service, bounded in time.
 * What it needs of the machine is passed to the factory that makes it.
 */
export interface Examination {
  readonly id: string;
  /** Two or three words; the left column of the report. */
  readonly title: string;
  /** Never rejects for a fault that it can name: that is a finding. @throws the signal's reason */
  run(signal: AbortSignal): Promise<readonly Finding[]>;
}

export interface Diagnosis {
  readonly examination: Examination;
  readonly findings: readonly Finding[];
}

/** Runs the examinations one after the other and yields each as it ends. @throws the signal's reason */
export async function* examine(examinations: readonly Examination[], signal: AbortSignal): AsyncGenerator<Diagnosis> {
  for (const examination of examinations) {
    signal.throwIfAborted();
    yield { examination, findings: await runOne(examination, signal) };
  }
}

/** One examination that fails does not stop the others. */
async function runOne(examination: Examination, signal: AbortSignal): Promise<readonly Finding[]> {
  try {
    return await examination.run(signal);
  } catch (error) {
    signal.throwIfAborted();
    const problem = error instanceof Error ? error.message : String(error);
    return [report('check.stumbled', { examination: examination.id, problem })];
  }
}

export type Summary = Readonly<Record<Verdict, number>>;

export function summarise(diagnoses: readonly Diagnosis[]): Summary {
  const summary = { ok: 0, warn: 0, fail: 0, skipped: 0 };
  for (const { findings } of diagnoses) {
    for (const { verdict } of findings) summary[verdict] += 1;
  }
  return summary;
}

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
