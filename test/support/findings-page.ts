import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FindingCatalogue } from '../../src/doctor/finding.ts';

/** The code of all programs in which a finding may be reported. */
const COMMON_CODE = ['connection-faults', 'machine', 'doctor', 'check-command'];

/** A catalogue as the page FINDINGS.md. */
export function findingsPage(program: string, introduction: readonly string[], catalogue: FindingCatalogue): string {
  const rows = Object.entries(catalogue).map(([id, { verdict, found, cause = '', remedy = [] }]) => {
    const steps = remedy.map((step) => (step.startsWith('$ ') ? `\`${step.slice(2)}\`` : step));
    return `| ${[`\`${id}\``, verdict, found, cause, steps.join('<br>')].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    `# What \`${program} check\` can find`,
    '',
    ...introduction,
    '',
    '| id | verdict | found | cause | remedy |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** The code in which the findings of a program are reported. */
export function examiningCode(program: 'device' | 'server'): string {
  return [
    codeIn(`src/${program}/doctor/examinations`),
    codeIn(`src/${program}/commands`),
    codeIn('src/doctor/examinations'),
    ...COMMON_CODE.map((name) => readFileSync(`src/doctor/${name}.ts`, 'utf8')),
  ].join('\n');
}

/** Command lines among the remedies, which a person can paste. */
export function commandLines(catalogue: FindingCatalogue): readonly string[] {
  return Object.values(catalogue).flatMap(({ remedy = [] }) => remedy.filter((step) => step.startsWith('$ ')));
}

function codeIn(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}
