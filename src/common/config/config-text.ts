import type { ConfigProblem, Origin } from './config-problem.ts';
import { type IniDocument, type IniProblem, parseIni } from './ini.ts';

/** The bytes of a configuration file. */
export interface ConfigText {
  /** For messages. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export type ConfigDocument = Omit<IniDocument, 'problems'> & { readonly problems: readonly ConfigProblem[] };

/** A settings file of this size is something else. */
export const MAX_CONFIG_BYTES = 256 * 1024;

/** Reads the bytes of a file as INI in UTF-8. Pure; never throws, the problems are in the result. */
export function readConfigText(file: ConfigText): ConfigDocument {
  const { path, bytes } = file;
  const unusable = (complaint: string, line?: number): ConfigDocument => {
    const origin: Origin = { kind: 'file', file: path, ...(line !== undefined && { line }) };
    return { sections: [], entries: [], problems: [{ origin, complaint }], endsInMidLine: false };
  };
  if (bytes.length > MAX_CONFIG_BYTES) {
    return unusable(`is larger than ${MAX_CONFIG_BYTES / 1024} KiB; is it the right file?`);
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) return unusable('is not UTF-8; save the file in that encoding', firstBadLine(bytes));
  const document = parseIni(text);
  if (document.sections.length === 0 && document.problems.length === 0) {
    // Cut off or lost in a power cut far more often than meant: a file of defaults still has its [section] lines.
    return unusable('is empty; it must hold at least one [section]');
  }
  const lastLine = document.endsInMidLine ? text.split('\n').length : 0;
  return { ...document, problems: document.problems.map((problem) => problemOf(file, problem, lastLine)) };
}

export function lineOrigin(file: ConfigText, line: number): Origin {
  return { kind: 'file', file: file.path, line };
}

function problemOf(file: ConfigText, { line, key, complaint }: IniProblem, cutLine: number): ConfigProblem {
  const hint = line === cutLine ? ' (the file ends in the middle of this line: was it cut off?)' : '';
  return { origin: lineOrigin(file, line), complaint: complaint + hint, ...(key !== undefined && { key }) };
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A line break is one byte in UTF-8 and in what is mistaken for it, so lines can be tried one by one. */
function firstBadLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const end = bytes.indexOf(0x0a, start);
    const stop = end === -1 ? bytes.length : end;
    if (decodeUtf8(bytes.subarray(start, stop)) === undefined) return line;
    start = stop + 1;
  }
  return line;
}
