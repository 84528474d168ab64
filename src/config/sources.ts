import { nearestName } from '../platform/nearest-name.ts';
import { type ConfigText, type IniEntry, lineOrigin, readConfigText } from './ini.ts';
import { oddCharacters, oddNote } from './odd-characters.ts';
import type { ConfigProblem, Origin } from './problem.ts';
import { type ConfigSchema, environmentVariable, type KeySpec, keyOf, retiredKeyOf, sectionOf } from './schema.ts';

/** A known key with the text that it was given. */
export interface Assignment {
  readonly section: string;
  readonly key: string;
  readonly text: string;
  readonly origin: Origin;
}

export interface Assignments {
  /** In order of precedence: a later one for the same key wins. */
  readonly assignments: readonly Assignment[];
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** Everything a configuration is made of, already in memory. */
export interface ConfigSources {
  /** Absent: only defaults, environment and flags. */
  readonly file?: ConfigText;
  readonly env: NodeJS.ProcessEnv;
  /** `section.key` -> text, from `--set section.key=text`. */
  readonly flags: Readonly<Record<string, string>>;
  /** Variables of `env` that an older version had. */
  readonly older?: OlderVariables;
}

/** Environment variables of an older version, by name: still understood, weaker than our own and stronger than the file. */
export type OlderVariables = Readonly<Record<string, OlderVariable>>;

/** Says what a variable means today. Pure. An empty variable counts as absent and is never given to it. */
export type OlderVariable = (text: string) => OlderMeaning;

export interface OlderMeaning {
  /** `section.key` -> text. */
  readonly sets?: Readonly<Record<string, string>>;
  /** Why it cannot be used; must not repeat a secret. */
  readonly error?: string;
  /** What its owner should know; must not repeat a secret. */
  readonly warning?: string;
}

/** Collects what file, environment and flags assign to keys of the schema, and what they say beside it. Pure. */
export function readAssignments(schema: ConfigSchema, sources: ConfigSources): Assignments {
  const { file, env, flags, older = {} } = sources;
  const assignments: Assignment[] = [];
  const problems: ConfigProblem[] = [];
  const warnings: ConfigProblem[] = [];

  /** Sorts one key = text into what is used, what is old and what is wrong. */
  const take = (section: string, key: string, text: string, origin: Origin): void => {
    const spec = sectionOf(schema, section);
    if (spec === undefined) {
      problems.push(unknownSection(schema, section, origin));
      return;
    }
    const name = `${section}.${key}`;
    const keySpec = keyOf(spec, key);
    if (keySpec !== undefined) {
      const given = origin.kind === 'file' ? { text } : fromOutside(keySpec, text);
      const doubt = given.doubt ?? (keySpec.sensitive === true ? secretDoubt(text) : undefined);
      if (doubt !== undefined) warnings.push({ origin, key: name, complaint: doubt });
      if (given.text !== undefined) assignments.push({ section, key, text: given.text, origin });
      return;
    }
    const retired = retiredKeyOf(spec, key);
    if (retired === undefined) problems.push(unknownKey(schema, section, key, origin));
    else if (retired.silentFor?.includes(text) !== true) {
      warnings.push({ origin, key: name, complaint: `has no effect any more: ${retired.reason}` });
    }
  };

  if (file !== undefined) {
    const document = readConfigText(file);
    problems.push(...document.problems);
    for (const { name, line } of document.sections) {
      if (sectionOf(schema, name) === undefined) problems.push(unknownSection(schema, name, lineOrigin(file, line)));
    }
    for (const entry of document.entries) {
      const { section, key, value, line } = entry;
      if (sectionOf(schema, section) === undefined) continue;
      take(section, key, value, lineOrigin(file, line));
      const doubt = commentDoubt(schema, entry);
      if (doubt !== undefined) {
        warnings.push({ origin: lineOrigin(file, line), key: `${section}.${key}`, complaint: doubt });
      }
    }
  }
  for (const [variable, meaning] of Object.entries(older)) {
    const text = env[variable];
    if (text === undefined || text === '') continue;
    const origin: Origin = { kind: 'environment', variable };
    const { sets = {}, error, warning } = meaning(unquoted(text) ?? text);
    // A password of its own is kept as it is: quotes and white space may be meant.
    const isPassword = Object.keys(sets).join() === 'mqtt.password';
    if (error !== undefined) problems.push({ origin, complaint: error });
    if (warning !== undefined) warnings.push({ origin, complaint: warning });
    for (const [name, value] of Object.entries(sets)) take(...sectionAndKey(name), isPassword ? text : value, origin);
  }
  takeEnvironment(schema, env, take, warnings);
  for (const [flag, text] of Object.entries(flags)) {
    const origin: Origin = { kind: 'flag', flag };
    if (flag.indexOf('.') > 0) take(...sectionAndKey(flag), text, origin);
    else problems.push({ origin, complaint: 'must be written section.key=value', ...nearest(flag, allNames(schema)) });
  }
  return { assignments, problems, warnings };
}

/** What Docker (`--link`) and Kubernetes put into `NAME_PORT` for a service that is called NAME. */
const LINKED_SERVICE = /^(?:tcp|udp|sctp):\/\/\S+:\d+$/;

/**
 * A value from the environment or the command line as the file would have it: without the white space around it, and without the quotes
 * that an env file of Docker keeps. No text: it is not meant for us.
 */
function fromOutside(spec: KeySpec, text: string): { readonly text?: string; readonly doubt?: string } {
  if (spec.sensitive === true) {
    if (unquoted(text) !== undefined) return { text, doubt: 'begins and ends with a quote: is that part of it?' };
    return { text, ...(text !== text.trim() && { doubt: 'begins or ends with white space: is that part of it?' }) };
  }
  if (spec.format === 'integer' && LINKED_SERVICE.test(text.trim())) {
    return { doubt: 'has no effect: it was set by Docker or Kubernetes for a service of that name' };
  }
  const bare = unquoted(text);
  return bare === undefined
    ? { text: text.trim() }
    : { text: bare, doubt: 'stands in quotes, which its env file should not have: they were taken off' };
}

/** Undefined where no quotes stand around it. */
function unquoted(text: string): string | undefined {
  const trimmed = text.trim();
  return /^(?:"[^"]*"|'[^']*')$/.test(trimmed) ? trimmed.slice(1, -1) : undefined;
}

function secretDoubt(text: string): string | undefined {
  const odd = oddCharacters(text);
  return odd === undefined ? undefined : `holds ${odd}: is that part of it?`;
}

function sectionAndKey(name: string): [section: string, key: string] {
  const dot = name.indexOf('.');
  return [name.slice(0, dot), name.slice(dot + 1)];
}

/** Where a comment may have swallowed the end of a value. */
function commentDoubt(schema: ConfigSchema, { section, key, comment }: IniEntry): string | undefined {
  const spec = sectionOf(schema, section);
  const secret = spec !== undefined && keyOf(spec, key)?.sensitive === true;
  if (comment === 'none' || (comment === 'spaced' && !secret)) return undefined;
  return 'what follows the white space and # (or ;) was taken for a comment; if it belongs to the value, quote the value';
}

type Take = (section: string, key: string, text: string, origin: Origin) => void;

/** Variables of our own prefix that mean nothing are only warned about: other programs may use them. */
function takeEnvironment(schema: ConfigSchema, env: NodeJS.ProcessEnv, take: Take, warnings: ConfigProblem[]): void {
  const known = new Map<string, readonly [section: string, key: string]>();
  for (const [section, { keys, retired = {} }] of Object.entries(schema)) {
    for (const key of [...Object.keys(keys), ...Object.keys(retired)]) {
      known.set(environmentVariable(section, key), [section, key]);
    }
  }
  for (const [variable, text] of Object.entries(env)) {
    const origin: Origin = { kind: 'environment', variable };
    const target = known.get(variable);
    if (text === undefined) continue;
    if (target !== undefined) take(...target, text, origin);
    else if (Object.keys(schema).some((section) => variable.startsWith(environmentVariable(section, '')))) {
      warnings.push({ origin, complaint: 'is the name of no key', ...nearest(variable, [...known.keys()]) });
    }
  }
}

function unknownSection(schema: ConfigSchema, section: string, origin: Origin): ConfigProblem {
  const near = nearestName(section, Object.keys(schema));
  const complaint = `there is no such section${oddNote(section)}`;
  return { origin, key: `[${section}]`, complaint, ...(near !== undefined && { nearest: `[${near}]` }) };
}

function unknownKey(schema: ConfigSchema, section: string, key: string, origin: Origin): ConfigProblem {
  const problem = { origin, key: `${section}.${key}`, complaint: `there is no such key${oddNote(key)}` };
  const elsewhere = Object.keys(schema).find(
    (other) => keyOf(schema[other] ?? { doc: '', keys: {} }, key) !== undefined,
  );
  if (elsewhere !== undefined) return { ...problem, complaint: `belongs to section [${elsewhere}]` };
  return { ...problem, ...nearest(key, Object.keys(schema[section]?.keys ?? {})) };
}

function nearest(word: string, names: readonly string[]): { nearest?: string } {
  const name = nearestName(word, names);
  return name === undefined ? {} : { nearest: name };
}

function allNames(schema: ConfigSchema): readonly string[] {
  return Object.entries(schema).flatMap(([section, { keys }]) => Object.keys(keys).map((key) => `${section}.${key}`));
}
