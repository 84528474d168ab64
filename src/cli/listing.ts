import type { CommandIo } from './command-io.ts';
import { textTable } from './text-table.ts';

/** What a command lists, in both of its forms. */
export interface Listing {
  /** The whole answer as JSON. */
  readonly record: object;
  /** For people; none: `empty` is said. */
  readonly lines: readonly string[];
  readonly empty: string;
  /** There are more than `--limit` allows. */
  readonly isCut?: boolean;
}

const MORE = 10;

/** Prints a list as JSON, or as lines, with how to see the rest. */
export function printListing(
  io: CommandIo,
  { json, limit }: { readonly json: boolean; readonly limit?: number },
  { record, lines, empty, isCut = false }: Listing,
): void {
  if (json) {
    io.stdout.write(`${JSON.stringify(record, undefined, 2)}\n`);
    return;
  }
  io.stdout.write(`${lines.length === 0 ? empty : lines.join('\n')}\n`);
  if (isCut && limit !== undefined) io.stdout.write(`there are more; --limit ${limit * MORE} shows them\n`);
}

/** A table with its heading; nothing where there are no rows. */
export function tableOf(heading: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return rows.length === 0 ? [] : textTable([heading, ...rows]);
}
