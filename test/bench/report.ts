/** One line of the report: a figure beside what it is compared with. */
export function row(what: string, figure: string, beside: string, ratio: string, goal: string): void {
  const cells = [what.padEnd(52), figure.padStart(16), beside.padStart(26), ratio.padStart(8), goal.padStart(9)];
  process.stdout.write(`${cells.join('  ')}\n`);
}

export function heading(): void {
  row('what', 'figure', 'compared with', 'ratio', 'goal');
}

export function ratio(a: number, b: number): string {
  return (a / b).toFixed(2);
}
