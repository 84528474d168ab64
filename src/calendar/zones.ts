import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { nearestName } from '../platform/nearest-name.ts';

const FALLBACK = 'UTC';
/** The link that says which zone a machine is set to, and Debian's file with the name in it (`man 5 localtime`). */
const LOCALTIME = 'etc/localtime';
const DEBIAN_NAME = 'etc/timezone';

/** The zone that the days of this machine are counted in. */
export interface MachineZone {
  /** An IANA name: `Europe/Brussels`. */
  readonly zone: string;
  /** Why it is not the one that somebody meant: what TZ says, and that UTC is taken in its place. */
  readonly problem?: string;
}

/**
 * The zone of this machine. Node.js itself passes on what ICU makes of TZ: for `:/etc/localtime`, an empty or an unknown one that is
 * nothing that it would take as a zone again. TZ is read as the C library reads it (`man 3 tzset`), but for rules that are written out
 * (`CET-1CEST`): they name no zone with a history. `root`: `/`, or what stands for it.
 */
export function machineTimeZone(env: Readonly<Record<string, string | undefined>>, root = '/'): MachineZone {
  const given = env['TZ'];
  if (given === undefined) {
    return { zone: knownZone(Intl.DateTimeFormat('en').resolvedOptions().timeZone) ?? zoneOfMachine(root) ?? FALLBACK };
  }
  // With the quotes that an env file of Docker keeps.
  const text = given
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2')
    .trim()
    .replace(/^:/, '');
  if (text === '') return { zone: FALLBACK, problem: `is empty, which means ${FALLBACK}` };
  const zone = text.startsWith('/') ? zoneOfFile(text, root) : knownZone(text.replace(/^(?:posix|right)\//, ''));
  if (zone !== undefined) return { zone };
  const near = nearestTimeZone(text);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return { zone: FALLBACK, problem: `names no time zone that is known here, so ${FALLBACK} is taken${hint}` };
}

function zoneOfFile(path: string, root: string): string | undefined {
  const name = /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/;
  const direct = knownZone(name.exec(path)?.[1]);
  if (direct !== undefined) return direct;
  if (path === `/${LOCALTIME}`) return zoneOfMachine(root);
  return knownZone(name.exec(unlessMissing(() => realpathSync(join(root, path))) ?? '')?.[1]);
}

function zoneOfMachine(root: string): string | undefined {
  const target = unlessMissing(() => realpathSync(join(root, LOCALTIME))) ?? '';
  const linked = knownZone(/\/zoneinfo\/(.+)$/.exec(target)?.[1]);
  return linked ?? knownZone(unlessMissing(() => readFileSync(join(root, DEBIAN_NAME), 'utf8'))?.trim());
}

function knownZone(name: string | undefined): string | undefined {
  return name !== undefined && isTimeZone(name) ? name : undefined;
}

function unlessMissing(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * Whether a text names a time zone with its history of offsets. `+05:30` names none: newer versions of Node.js take it, older
 * ones do not, and it knows no daylight-saving time.
 */
export function isTimeZone(name: string): boolean {
  // ICU's word for an empty TZ; some versions take it back, and then know nothing about it.
  if (!/^[A-Za-z]/.test(name) || name === 'Etc/Unknown') return false;
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The name that was probably meant by one that is none. */
export function nearestTimeZone(name: string): string | undefined {
  return nearestName(name.replaceAll(' ', '_'), Intl.supportedValuesOf('timeZone'));
}
