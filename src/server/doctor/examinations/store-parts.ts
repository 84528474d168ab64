/** What the examinations of the store work with. */
export interface StoreParts {
  /** The database file, resolved. */
  readonly path: string;
  readonly minFreeBytes: number;
  readonly configFile: string;
  /** `techtemp-server.service` */
  readonly unit: string;
  /** Whether it belongs to the service's own user, so that being kept out of it says nothing about the server. */
  readonly isPrivate: boolean;
}

const BYTES_PER_MB = 1024 * 1024;

export function megabytes(bytes: number): number {
  return Math.round(bytes / BYTES_PER_MB);
}
