/** The retained word of a device about itself, on `status`. Additions are always allowed; readers ignore what they do not know. */
export interface DeviceStatus {
  readonly state: 'online' | 'offline';
  readonly uid?: string;
  readonly label?: string;
  readonly room?: string;
  readonly version?: string;
  /** Epoch ms at which this was said. */
  readonly ts?: number;
  readonly interval_s?: number;
  readonly delivery?: 'receipt' | 'broker';
  readonly sensor?: {
    readonly state: 'ok' | 'fault' | 'starting';
    readonly description: string;
    readonly error?: string;
    readonly failures: number;
    readonly crc_errors: number;
    readonly missed: number;
  };
  readonly journal?: {
    readonly epoch: string;
    readonly state: 'ok' | 'memory';
    readonly buffered: number;
    readonly dropped: number;
    readonly error?: string;
  };
  readonly clock?: {
    readonly state: 'synced' | 'unsynced' | 'waiting';
    readonly last_step_ms?: number;
  };
  readonly config?: { readonly state: 'ok' | 'rejected'; readonly error?: string };
  readonly last_error?: string;
}

/** What the broker says for a device that vanished. */
export const OFFLINE_STATUS: DeviceStatus = { state: 'offline' };

export function encodeStatus(status: DeviceStatus): string {
  return JSON.stringify(status);
}
