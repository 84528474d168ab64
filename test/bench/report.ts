/** One line of the report: a figure beside what it is compared with, their ratio, and the goal for it. */
export function row(what: string, figure: string, beside: string, ratioText: string, goal: string): void {
  const cells = [what.padEnd(54), figure.padStart(14), beside.padStart(28), `x ${ratioText}`.padStart(9)];
  process.stdout.write(`${cells.join('  ')}${goal === '' ? '' : `  (goal ${goal})`}\n`);
}

export function ratio(a: number, b: number): string {
  return (a / b).toFixed(2);
}
