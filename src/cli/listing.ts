import type { CommandIo } from './command-io.ts';

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

/** Rows of cells as aligned lines, two spaces between columns; the first row is usually the heading. */
export function textTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** A text with every control character (line breaks, escapes of terminals) made visible, cut to a length. */
export function visibleText(text: string, maxCharacters: number): string {
  const visible = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return SHORT[character] ?? `\\u{${code.toString(16)}}`;
  });
  return visible.length > maxCharacters ? `${visible.slice(0, maxCharacters - 1)}…` : visible;
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
