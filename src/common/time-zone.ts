import { nearestName } from './config/nearest-name.ts';

/** The zone that this machine is set to, as an IANA name: `Europe/Brussels`; `UTC` where it is not set. */
export function machineTimeZone(): string {
  return Intl.DateTimeFormat('en').resolvedOptions().timeZone;
}

/**
 * Whether a text names a time zone with its history of offsets. `+05:30` names none: newer versions of Node.js take it, older
 * ones do not, and it knows no daylight-saving time.
 */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
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
