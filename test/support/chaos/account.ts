/**
 * Where each conversion of the sensor is at the end, from the places themselves and without believing any part. Pure.
 *
 * Rules: a conversion is in the record once, in quarantine, in the journal, in a record that was set aside by name, or within what a
 * gap record tells; one for each agent that was killed may have been under way. Everything else is lost without a word. In the
 * record twice, or stored and never measured, is always wrong.
 */

/** A number of an epoch, and the conversion that has it: none for a gap record, or where it cannot be seen. */
export interface Numbered {
  readonly epoch: string;
  readonly seq: number;
  readonly sample?: number;
}

/** What a gap record says. */
export interface Told {
  readonly ofEpoch: string;
  readonly from: number;
  readonly to?: number;
  readonly count?: number;
}

export interface Evidence {
  /** What the sensor gave, in order, when (CLOCK_MONOTONIC), and the process that got it. */
  readonly given: readonly { readonly sample: number; readonly pid: number; readonly ns: number }[];
  readonly record: readonly Numbered[];
  /** Other places: quarantine, journal, set aside. */
  readonly elsewhere: Readonly<Record<string, readonly Numbered[]>>;
  readonly gaps: readonly Told[];
  /** Numbers that were seen on the wire, from the device or in a receipt. */
  readonly seen: readonly Numbered[];
  readonly killed: ReadonlySet<number>;
}

export interface Account {
  /** How many conversions each place has; a conversion counts at the first place that has it. */
  readonly found: Readonly<Record<string, number>>;
  readonly told: number;
  readonly underWay: number;
  readonly doubled: readonly string[];
  readonly foreign: readonly string[];
  /** Conversions that are nowhere, as runs that follow each other. */
  readonly lost: readonly string[];
  readonly lostSamples: readonly number[];
  /** Numbers that were given, are nowhere, and of which no record tells: `epoch/number`. */
  readonly holes: readonly string[];
}

export function accountOf(evidence: Evidence): Account {
  const { given, record, elsewhere, gaps, seen, killed } = evidence;
  const places = { record, ...elsewhere };
  const bySample = new Map<number, Numbered & { readonly place: string }>();
  const present = new Set<string>();
  for (const [place, entries] of Object.entries(places)) {
    for (const entry of entries) {
      present.add(keyOf(entry));
      if (entry.sample !== undefined && !bySample.has(entry.sample)) bySample.set(entry.sample, { ...entry, place });
    }
  }
  const known = new Set(given.map(({ sample }) => sample));
  const found: Record<string, number> = {};
  for (const { sample } of given) {
    const place = bySample.get(sample)?.place;
    if (place !== undefined) found[place] = (found[place] ?? 0) + 1;
  }
  const last = lastNumbers([...Object.values(places).flat(), ...seen]);
  const isTold = (epoch: string, seq: number): boolean => gaps.some((gap) => tells(gap, epoch, seq));
  const holes = [...last].flatMap(([epoch, highest]) =>
    range(1, highest)
      .filter((seq) => !present.has(keyOf({ epoch, seq })) && !isTold(epoch, seq))
      .map((seq) => keyOf({ epoch, seq })),
  );
  const lastOfKilled = new Set(
    [...killed].flatMap((pid) => {
      const sample = given.findLast((frame) => frame.pid === pid)?.sample;
      return sample === undefined ? [] : [sample];
    }),
  );
  let [told, underWay] = [0, 0];
  const lost: string[] = [];
  const lostSamples: number[] = [];
  for (const run of runsOf(given, (sample) => !bySample.has(sample))) {
    const before = bySample.get(given[run.at - 1]?.sample ?? -1);
    const after = bySample.get(given[run.at + run.samples.length]?.sample ?? -1);
    const free = run.samples.filter((sample) => lastOfKilled.has(sample)).length;
    const covered = Math.min(run.samples.length, coverage(before, after, { gaps, present, last, bySample }));
    told += covered;
    const left = run.samples.length - covered;
    underWay += Math.min(left, free);
    if (left <= free) continue;
    lostSamples.push(...run.samples);
    lost.push(
      `conversions ${run.samples[0]} to ${run.samples.at(-1)}: gap records tell of ${covered}, ${free} may have been under way; ` +
        `before is ${inWords(before)}, after is ${inWords(after)}`,
    );
  }
  return {
    found,
    told,
    underWay,
    doubled: doublesOf(record),
    foreign: foreignOf(record, known),
    lost,
    lostSamples,
    holes,
  };
}

interface Facts {
  readonly gaps: readonly Told[];
  readonly present: ReadonlySet<string>;
  readonly last: ReadonlyMap<string, number>;
  readonly bySample: ReadonlyMap<number, Numbered>;
}

/** How many conversions between two that were found can be what gap records tell of. */
function coverage(before: Numbered | undefined, after: Numbered | undefined, facts: Facts): number {
  const { gaps, present, last, bySample } = facts;
  const absentAndTold = (epoch: string, from: number, to: number): number =>
    range(from, to).filter((seq) => !present.has(keyOf({ epoch, seq })) && gaps.some((gap) => tells(gap, epoch, seq)))
      .length;
  const tail = (epoch: string, from: number): number => {
    const isOpen = gaps.some(({ ofEpoch, to }) => ofEpoch === epoch && to === undefined);
    if (isOpen) return Number.POSITIVE_INFINITY;
    const ends = gaps.filter(({ ofEpoch }) => ofEpoch === epoch).map(({ to }) => to ?? 0);
    return absentAndTold(epoch, from, Math.max(last.get(epoch) ?? 0, ...ends));
  };
  if (before !== undefined && before.epoch === after?.epoch) {
    return absentAndTold(before.epoch, before.seq + 1, after.seq - 1);
  }
  const withReadings = new Set([...bySample.values()].map(({ epoch }) => epoch));
  const others = new Set(gaps.map(({ ofEpoch }) => ofEpoch).filter((epoch) => !withReadings.has(epoch)));
  return (
    (before === undefined ? 0 : tail(before.epoch, before.seq + 1)) +
    (after === undefined ? 0 : absentAndTold(after.epoch, 1, after.seq - 1)) +
    [...others].reduce((sum, epoch) => sum + tail(epoch, 1), 0)
  );
}

function tells({ ofEpoch, from, to }: Told, epoch: string, seq: number): boolean {
  return ofEpoch === epoch && from <= seq && (to === undefined || to >= seq);
}

function runsOf(
  given: Evidence['given'],
  isMissing: (sample: number) => boolean,
): readonly { readonly at: number; readonly samples: number[] }[] {
  const runs: { at: number; samples: number[] }[] = [];
  given.forEach(({ sample }, at) => {
    if (!isMissing(sample)) return;
    const run = runs.at(-1);
    if (run !== undefined && run.at + run.samples.length === at) run.samples.push(sample);
    else runs.push({ at, samples: [sample] });
  });
  return runs;
}

function doublesOf(record: readonly Numbered[]): readonly string[] {
  const doubles = (keys: readonly string[]): string[] => keys.filter((key, at) => keys.indexOf(key) !== at);
  const samples = record.flatMap(({ sample }) => (sample === undefined ? [] : [`conversion ${sample}`]));
  return [...doubles(record.map(keyOf)), ...doubles(samples)];
}

function foreignOf(record: readonly Numbered[], known: ReadonlySet<number>): readonly string[] {
  return record.filter(({ sample }) => sample !== undefined && !known.has(sample)).map(inWords);
}

function lastNumbers(entries: readonly Numbered[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const { epoch, seq } of entries) last.set(epoch, Math.max(seq, last.get(epoch) ?? 0));
  return last;
}

function keyOf({ epoch, seq }: Numbered): string {
  return `${epoch}/${seq}`;
}

function inWords(entry: Numbered | undefined): string {
  return entry === undefined ? 'nothing' : `${keyOf(entry)} (conversion ${entry.sample ?? 'unknown'})`;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
