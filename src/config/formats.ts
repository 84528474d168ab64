import { isIP } from 'node:net';
import { isTimeZone, nearestTimeZone } from '../calendar/zones.ts';
import { ID_RULE, isId } from '../contract/topics.ts';
import { LOG_LEVELS } from '../platform/log.ts';
import { oddTextComplaint } from './odd-characters.ts';
import { oneOf, plainNumber, size, time } from './quantities.ts';
import type { ConfigValue, KeySpec } from './schema.ts';
import {
  badElement,
  type ElementRule,
  isUrlPrefix,
  NAME_RULE,
  NETWORK_RULE,
  ORIGIN_RULE,
  readList,
  readUrlPrefix,
  URL_PREFIX_RULE,
} from './web-formats.ts';

type FormatName = KeySpec['format'];
type SpecOf<F extends FormatName> = KeySpec extends infer Spec
  ? Spec extends { readonly format: infer Formats }
    ? F extends Formats
      ? Spec
      : never
    : never
  : never;

/**
 * One way of writing values. `read` takes a text and gives a value, or the text itself when it is none of this format;
 * `complain` then says why, and so checks the limits of the key. Pure.
 */
export interface Format<F extends FormatName = FormatName> {
  readonly read: (text: string) => ConfigValue;
  /** What is wrong with what `read` gave; undefined when it is right. */
  readonly complain: (value: unknown, spec: SpecOf<F>) => string | undefined;
  /** What is allowed, to follow "must be". */
  readonly allowed: (spec: SpecOf<F>) => string;
  readonly print: (value: ConfigValue) => string;
}

const YES = new Set(['true', 'yes', 'on', '1']);
const NO = new Set(['false', 'no', 'off', '0']);
const TOPIC_RULE = 'a topic without + # and spaces, with no / at its ends';
const TIME_ZONE_RULE = 'the name of a time zone, such as Europe/Paris';
const TIME_OF_DAY_RULE = 'a time of day, such as 03:10, or never';
const HOST_RULE = 'a host name or an IP address';
const YES_NO_RULE = 'yes or no (also true/false, on/off, 1/0)';
/** Names that the older agent, syslog and Python give to levels. */
const LOG_LEVEL_ALIASES: ReadonlyMap<string, string> = new Map([
  ['warning', 'warn'],
  ['critical', 'fatal'],
  ['notice', 'info'],
]);
/** RFC 1123 with the underscore that containers and Windows machines have; each label at most 63 characters. */
const HOST_LABEL = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/;
const MAX_HOST_LENGTH = 253;
/** Longer than any sensible label or password; a line that is longer is a mistake. */
const MAX_TEXT_LENGTH = 1024;
/** Linux' PATH_MAX. */
const MAX_PATH_LENGTH = 4096;

/** Every format by its name. */
export const FORMATS: { readonly [F in FormatName]: Format<F> } = {
  text: {
    read: (text) => text,
    complain: (value, spec) =>
      value === '' && !isOptional(value, spec)
        ? 'must not be empty'
        : textComplaint(value, MAX_TEXT_LENGTH, spec.sensitive),
    allowed: () => 'a text on one line',
    print: String,
  },
  id: {
    read: (text) => text,
    complain: (value, spec) =>
      (isString(value) && isId(value)) || isOptional(value, spec) || (spec.orAll === true && value === '+')
        ? undefined
        : `must be ${idRule(spec)}`,
    allowed: idRule,
    print: String,
  },
  'time-zone': { read: (text) => text, complain: timeZoneComplaint, allowed: () => TIME_ZONE_RULE, print: String },
  'time-of-day': {
    read: (text) => lowerCase(text).replace(/^(\d):/, '0$1:'),
    complain: (value) =>
      isString(value) && /^((?:[01]\d|2[0-3]):[0-5]\d|never)$/.test(value) ? undefined : `must be ${TIME_OF_DAY_RULE}`,
    allowed: () => TIME_OF_DAY_RULE,
    print: String,
  },
  'url-prefix': {
    read: readUrlPrefix,
    complain: (value, spec) =>
      isString(value) && isUrlPrefix(value) && (value !== '' || isOptional(value, spec))
        ? undefined
        : `must be ${URL_PREFIX_RULE}`,
    allowed: () => URL_PREFIX_RULE,
    print: String,
  },
  'origin-list': listFormat(ORIGIN_RULE),
  'network-list': listFormat(NETWORK_RULE),
  'name-list': listFormat(NAME_RULE),
  host: { read: hostOf, complain: hostComplaint, allowed: () => HOST_RULE, print: String },
  path: { read: (text) => text, complain: pathComplaint, allowed: () => 'the path of a file or folder', print: String },
  topic: {
    read: (text) => text,
    complain: (value) =>
      isString(value) && value.length <= MAX_HOST_LENGTH && value.split('/').every((level) => /^[^+#\s]+$/.test(level))
        ? undefined
        : `must be ${TOPIC_RULE}`,
    allowed: () => TOPIC_RULE,
    print: String,
  },
  number: plainNumber('number'),
  integer: plainNumber('integer'),
  address: plainNumber('address'),
  seconds: time('seconds'),
  'whole-seconds': time('whole-seconds'),
  kB: size('kB'),
  MB: size('MB'),
  'yes-no': {
    read: (text) => yesNo(text) ?? text,
    complain: (value) => (typeof value === 'boolean' ? undefined : `must be ${YES_NO_RULE}`),
    allowed: () => YES_NO_RULE,
    print: yesOrNo,
  },
  'auto-yes-no': {
    read: (text) => {
      const answer = yesNo(text);
      return answer === undefined ? lowerCase(text) : yesOrNo(answer);
    },
    complain: (value) => (isOneOf(['auto', 'yes', 'no'], value) ? undefined : 'must be auto, yes or no'),
    allowed: () => 'auto, yes or no',
    print: String,
  },
  choice: {
    read: lowerCase,
    complain: (value, spec) => (isOneOf(spec.values, value) ? undefined : `must be ${oneOf(spec.values)}`),
    allowed: (spec) => oneOf(spec.values),
    print: String,
  },
  'log-level': {
    read: (text) => LOG_LEVEL_ALIASES.get(lowerCase(text)) ?? lowerCase(text),
    complain: (value) => (isOneOf(LOG_LEVELS, value) ? undefined : `must be ${oneOf(LOG_LEVELS)}`),
    allowed: () => oneOf(LOG_LEVELS),
    print: String,
  },
};

/** The format of a key, for callers that do not know which it is. */
export function formatOf(spec: KeySpec): Format {
  // Sound because a format is only ever given specs of its own name.
  return FORMATS[spec.format];
}

function textComplaint(value: unknown, maxLength: number, isSecret?: boolean): string | undefined {
  if (!isString(value)) return 'must be a text';
  if (value.length > maxLength) return `is longer than ${maxLength} characters`;
  // Only the environment and flags can bring a line break; a file is read line by line.
  if (/[\0-\x1f\x7f]/.test(value)) return 'holds control characters, such as a line break';
  // In a password anything may be meant; its owner is warned.
  return isSecret === true ? undefined : oddTextComplaint(value);
}

function idRule({ orAll }: SpecOf<'id'>): string {
  return orAll === true ? `${ID_RULE}, or + for all` : ID_RULE;
}

function listFormat<F extends 'origin-list' | 'network-list' | 'name-list'>(rule: ElementRule): Format<F> {
  return {
    read: (text) => readList(text, rule),
    complain: (value) => {
      const bad = isString(value) ? badElement(value, rule) : String(value);
      return bad === undefined ? undefined : `must be ${rule.allowed}; ${JSON.stringify(bad)} is none`;
    },
    allowed: () => rule.allowed,
    print: String,
  };
}

function timeZoneComplaint(value: unknown, spec: SpecOf<'time-zone'>): string | undefined {
  if (isOptional(value, spec) || (isString(value) && isTimeZone(value))) return undefined;
  const near = isString(value) ? nearestTimeZone(value) : undefined;
  return `must be ${TIME_ZONE_RULE}${near === undefined ? '' : `; did you mean ${near}?`}`;
}

/** An IPv6 address may stand in the brackets that URLs want. */
function hostOf(text: string): string {
  return /^\[.*\]$/.test(text) ? text.slice(1, -1) : text;
}

function hostComplaint(value: unknown, spec: SpecOf<'host'>): string | undefined {
  if (isOptional(value, spec) || (isString(value) && isHost(value))) return undefined;
  const rule = `must be ${HOST_RULE}`;
  const scheme = isString(value) ? /^[^\n]*?:\/\//.exec(value)?.[0] : undefined;
  if (scheme !== undefined) return `${rule}, without the ${scheme} before it`;
  if (isString(value) && /^[^:]+:\d+$/.test(value)) return `${rule}; its port is a key of its own`;
  return rule;
}

function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).split('.');
  // A name whose last label is a number is an IPv4 address with a typing error (RFC 1123, 2.1).
  const endsInNumber = /^\d+$/.test(labels.at(-1) ?? '');
  return text.length <= MAX_HOST_LENGTH && !endsInNumber && labels.every((label) => HOST_LABEL.test(label));
}

function pathComplaint(value: unknown, spec: SpecOf<'path'>): string | undefined {
  if (isString(value) && /^~(?:\/|$)/.test(value)) return 'must be the whole path: ~ means nothing to a service';
  if (value === '' && !isOptional(value, spec)) return 'must not be empty';
  return textComplaint(value, MAX_PATH_LENGTH);
}

function yesNo(text: string): boolean | undefined {
  const word = lowerCase(text);
  if (YES.has(word)) return true;
  return NO.has(word) ? false : undefined;
}

function yesOrNo(value: ConfigValue): string {
  return value === true ? 'yes' : 'no';
}

function isOptional(value: unknown, spec: { readonly default: string }): boolean {
  return value === '' && spec.default === '';
}

function isOneOf(values: readonly string[], value: unknown): boolean {
  return isString(value) && values.includes(value);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function lowerCase(text: string): string {
  return text.trim().toLowerCase();
}
