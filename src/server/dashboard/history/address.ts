import { PERIODS, type Period, type View } from './range.ts';

/** What a chart can show. */
export const QUANTITIES = ['temperature', 'humidity', 'dew-point', 'absolute-humidity'] as const;
export type Quantity = (typeof QUANTITIES)[number];

/** What is in a chart: whatever stood in a room, or one device wherever it stood. `room:kitchen`, `device:aht20-a1b2c3`. */
export type SourceKey = `${'room' | 'device'}:${string}`;

export interface HistoryAddress {
  /** Undefined: all that there are. */
  readonly sources: readonly SourceKey[] | undefined;
  readonly quantity: Quantity;
  readonly view: View;
}

const DEFAULT_PERIOD: Period = '24h';
/** Eight-digit years and the like are typing errors, not history. */
const EARLIEST_MS = Date.UTC(1990, 0);
const LATEST_MS = Date.UTC(2200, 0);

/** Reads `?show=room:kitchen&show=…&q=humidity&last=7d` or `&from=…&to=…`. What it doesn't understand it leaves out. */
export function readHistoryAddress(search: string): HistoryAddress {
  const query = new URLSearchParams(search);
  const sources = query.getAll('show').filter(isSourceKey);
  return {
    sources: sources.length === 0 ? undefined : [...new Set(sources)],
    quantity: QUANTITIES.find((quantity) => quantity === query.get('q')) ?? 'temperature',
    view: readView(query),
  };
}

export function writeHistoryAddress({ sources, quantity, view }: HistoryAddress): string {
  const query = new URLSearchParams();
  for (const source of sources ?? []) {
    query.append('show', source);
  }
  if (quantity !== 'temperature') {
    query.set('q', quantity);
  }
  if (view.kind === 'last') {
    query.set('last', view.period);
  } else {
    query.set('from', new Date(view.fromMs).toISOString());
    query.set('to', new Date(view.toMs).toISOString());
  }
  // Colons are allowed in a query and easier to read than %3A.
  return `?${query.toString().replaceAll('%3A', ':')}`;
}

function readView(query: URLSearchParams): View {
  const fromMs = Date.parse(query.get('from') ?? '');
  const toMs = Date.parse(query.get('to') ?? '');
  if (fromMs < toMs && fromMs >= EARLIEST_MS && toMs <= LATEST_MS) {
    return { kind: 'fixed', fromMs, toMs };
  }
  return { kind: 'last', period: PERIODS.find((period) => period === query.get('last')) ?? DEFAULT_PERIOD };
}

function isSourceKey(text: string): text is SourceKey {
  return /^(room|device):[A-Za-z0-9_-]{1,50}$/.test(text);
}
