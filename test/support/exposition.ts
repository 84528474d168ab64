/** One metric of a Prometheus text exposition. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly string[];
}

export interface Exposition {
  readonly families: ReadonlyMap<string, Family>;
  /** What breaks https://prometheus.io/docs/instrumenting/exposition_formats/, line by line. */
  readonly problems: readonly string[];
  /** Of one sample, by name and labels as written; undefined where there is none. */
  readonly value: (sample: string) => number | undefined;
}

const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (NaN|[+-]Inf|[-+0-9.eE]+)$/;
const SUFFIXES = /_(bucket|sum|count)$/;

/** Reads the text format strictly, independently of the library that wrote it. */
export function parseExposition(text: string): Exposition {
  const families = new Map<string, { type: string; help: string; samples: string[] }>();
  const values = new Map<string, number>();
  const problems: string[] = [];
  if (!text.endsWith('\n')) problems.push('the last line does not end');
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (families.has(name)) problems.push(`${name} comes twice`);
      families.set(name, { type: '', help: rest, samples: [] });
    } else if (keyword === 'TYPE') {
      const family = families.get(name);
      if (family === undefined || family.type !== '') problems.push(`TYPE out of place: ${line}`);
      else family.type = rest;
    } else {
      const [, sample = '', labels = '', value] = SAMPLE.exec(line) ?? [];
      const family = families.get(sample) ?? families.get(sample.replace(SUFFIXES, ''));
      if (value === undefined || family === undefined) problems.push(`not a sample of a metric: ${line}`);
      else family.samples.push(line);
      if (values.has(sample + labels)) problems.push(`twice: ${sample}${labels}`);
      values.set(sample + labels, Number(value?.replace('Inf', 'Infinity')));
    }
  }
  for (const [name, { type, help }] of families) {
    if (!['counter', 'gauge', 'histogram', 'summary'].includes(type)) problems.push(`${name} has no type`);
    if (help === '') problems.push(`${name} has no help`);
  }
  return { families, problems, value: (sample) => values.get(sample) };
}
