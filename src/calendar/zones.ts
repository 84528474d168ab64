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
  /** What is wrong with TZ, so that UTC is used in its place. */
  readonly problem?: string;
}

/**
 * The zone of this machine. Node.js itself returns what ICU makes of TZ: for `:/etc/localtime`, and for an empty or unknown TZ, that
 * is not a name that it accepts as a zone. So TZ is read here as the C library reads it (`man 3 tzset`), except for rules that are
 * written out (`CET-1CEST`): they name no zone with a history. `root`: `/`, or a folder used in its place.
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
 * Whether a text names a time zone with its history of offsets. `+05:30` does not: newer versions of Node.js accept it, older
 * ones do not, and it has no daylight-saving time.
 */
export function isTimeZone(name: string): boolean {
  // ICU's name for an empty TZ. Some versions accept it as a zone, but without any offsets.
  if (!/^[A-Za-z]/.test(name) || name === 'Etc/Unknown') return false;
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The known name that is nearest to an unknown one. */
export function nearestTimeZone(name: string): string | undefined {
  return nearestName(name.replaceAll(' ', '_'), Intl.supportedValuesOf('timeZone'));
}
