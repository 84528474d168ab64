import { oddNote } from './odd-characters.ts';
import type { ConfigProblem, Origin } from './problem.ts';

/**
 * Our INI dialect. Not the `ini` package: it knows no line numbers, cuts values at every `#` and `;`, turns `true` and
 * `null` into something else, and forgets the first of two equal keys.
 *
 *     # a comment, also with ;
 *     [section]
 *     key = value            # a comment after white space
 *     key = "a # b"          quotes keep what is inside; '' and "" stand for the quote itself
 */
export interface IniDocument {
  readonly sections: readonly IniSection[];
  readonly entries: readonly IniEntry[];
  readonly problems: readonly IniProblem[];
  /** There is no line break at the end: an editor's habit, or the file was cut off there. */
  readonly endsInMidLine: boolean;
}

export interface IniSection {
  readonly name: string;
  readonly line: number;
}

export interface IniEntry {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly line: number;
  /** Text after an unquoted value that was taken for a comment; `glued` when no space follows its `#`. */
  readonly comment: 'none' | 'spaced' | 'glued';
}

/** Complaints never repeat a line's text: it could be a password. */
export interface IniProblem {
  readonly line: number;
  readonly key?: string;
  readonly complaint: string;
}

type Value = Pick<IniEntry, 'value' | 'comment'>;
type Line =
  | { readonly kind: 'section'; readonly name: string }
  | ({ readonly kind: 'entry'; readonly key: string } & Value)
  | { readonly kind: 'bad'; readonly key: string; readonly complaint: string };

const BYTE_ORDER_MARK = '\uFEFF';
/** All C0 controls but the tab, and DEL: damage (zeros after a power cut) or a file that is not text. */
const CONTROL_CHARACTER = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** Reads a text. Never throws; whatever is wrong is among the problems, and the rest is read on. */
export function parseIni(text: string): IniDocument {
  const body = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  const sections: IniSection[] = [];
  const entries: IniEntry[] = [];
  const problems: IniProblem[] = [];
  const firstLines = new Map<string, number>();
  let section: string | undefined;

  body.split('\n').forEach((rawLine, index) => {
    const line = index + 1;
    const read = readLine(rawLine.trim());
    if (read === undefined) return;
    const name = read.kind === 'section' ? `[${read.name}]` : `${section ?? ''}.${read.key}`;
    const first = firstLines.get(name) ?? line;
    firstLines.set(name, first);
    if (read.kind === 'section') {
      section = read.name;
      if (first === line) sections.push({ name: section, line });
      else problems.push({ line, key: name, complaint: `is already on line ${first}; put the keys of both into one` });
    } else if (read.kind === 'bad' && read.key === '') {
      problems.push({ line, complaint: read.complaint });
    } else if (section === undefined) {
      problems.push({ line, key: read.key, complaint: 'stands before the first [section]' });
    } else if (first !== line) {
      problems.push({ line, key: name, complaint: `is already set on line ${first}; keep one of the two` });
    } else if (read.kind === 'bad') {
      problems.push({ line, key: name, complaint: read.complaint });
    } else {
      entries.push({ section, key: read.key, line, value: read.value, comment: read.comment });
    }
  });
  return { sections, entries, problems, endsInMidLine: body !== '' && !body.endsWith('\n') };
}

/** Writes a value so that parseIni reads the same one. The value must fit on one line. */
export function quoteIni(value: string): string {
  const plain = value === value.trim() && !/^["'#;]/.test(value) && !/\s[#;]/.test(value);
  return plain ? value : `"${value.replaceAll('"', '""')}"`;
}

/** What one line says; undefined when it is blank or a comment. */
function readLine(content: string): Line | undefined {
  if (CONTROL_CHARACTER.test(content)) return bad('holds control characters; is the file damaged, or not a text?');
  if (content === '' || content.startsWith('#') || content.startsWith(';')) return undefined;
  if (content.startsWith('[')) {
    const name = /^\[([^[\]]+)\](?:\s+[#;].*)?$/.exec(content)?.[1]?.trim() ?? '';
    return name === '' ? bad('a section is written as [name] on a line of its own') : { kind: 'section', name };
  }
  const equals = content.indexOf('=');
  const key = content.slice(0, Math.max(equals, 0)).trim();
  if (key === '') {
    return bad(`must be [section], key = value, or a comment that begins with #${oddNote(content.slice(0, 1))}`);
  }
  const value = parseValue(content.slice(equals + 1));
  return typeof value === 'string' ? bad(value, key) : { kind: 'entry', key, ...value };
}

function bad(complaint: string, key = ''): Line {
  return { kind: 'bad', key, complaint };
}

/** The value, or what is wrong with it. */
function parseValue(raw: string): Value | string {
  const text = raw.trim();
  const first = text.charAt(0);
  if (first === '"' || first === "'") return parseQuoted(text, first);
  if (/^\s/.test(raw) && (first === '#' || first === ';')) {
    if (/^.(?:\s|$)/.test(text)) return { value: '', comment: 'spaced' };
    return `is it a value that begins with ${first}, or a comment? Quote the value, or put a space after the ${first}`;
  }
  const comment = text.search(/\s[#;]/);
  if (comment === -1) return { value: text, comment: 'none' };
  const spaced = /^\s.(?:\s|$)/.test(text.slice(comment));
  return { value: text.slice(0, comment).trimEnd(), comment: spaced ? 'spaced' : 'glued' };
}

function parseQuoted(text: string, quote: string): Value | string {
  let value = '';
  for (let at = 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character !== quote) {
      value += character;
    } else if (text.charAt(at + 1) === quote) {
      value += quote;
      at += 1;
    } else {
      const rest = text.slice(at + 1);
      if (/^(?:\s+[#;].*|\s*)$/.test(rest)) return { value, comment: 'none' };
      return `there is text after the closing ${quote}; inside quotes write ${quote}${quote} for the quote itself`;
    }
  }
  return `the ${quote} at its beginning is never closed`;
}

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
