import type { Examination } from './examination.ts';
import type { Finding } from './finding.ts';
import { report } from './findings/catalogue.ts';
import type { Verdict } from './verdict.ts';

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

/** A doctor that stumbles over one organ still looks at the others. */
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
