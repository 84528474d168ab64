interface Entry {
  /** CLOCK_MONOTONIC. */
  readonly ns: number;
  readonly unixMs: number;
  /** The client, or the control tool. */
  readonly pid: number;
}

/** A value of the source and what became of it. */
interface Value {
  /** Counts triggers that were obeyed, from 1; 0: none yet. */
  readonly conversion: number;
  readonly kind: 'measured' | 'uncalibrated' | 'frozen' | 'none';
  /** Counts the sources that were set. */
  readonly series: number;
  /** Index in this source. */
  readonly sample: number;
  /** Row of the CSV file, -1 for other sources and before the first conversion. */
  readonly row: number;
  /** The 40 bits in the chip, as hex digits. */
  readonly raw: string;
  /** The truth in °C and %RH, before the chip made 20 bits of it. */
  readonly temperature: number;
  readonly humidity: number;
}

/** A trigger was obeyed. `endNs` is when the conversion is over, if no reset or power cut comes before. */
export interface ConversionEntry extends Entry, Value {
  readonly event: 'conversion';
  readonly startNs: number;
  readonly endNs: number;
}

/** A read of six bytes or more: `bytes` is what the client got. */
export interface FrameEntry extends Entry, Value {
  readonly event: 'frame';
  readonly bytes: string;
  readonly busy: boolean;
  /** The first time that this conversion was given whole and unspoiled: its sample counts as delivered. */
  readonly first: boolean;
  readonly fault: string | null;
}

/** A shorter read. */
export interface StatusEntry extends Entry {
  readonly event: 'status';
  readonly bytes: string;
  readonly busy: boolean;
  readonly fault: string | null;
}

/** The answer to a selected register 1B, 1C or 1E. */
export interface RegisterEntry extends Entry {
  readonly event: 'register';
  readonly bytes: string;
}

export interface WriteEntry extends Entry {
  readonly event: 'write';
  readonly bytes: string;
  readonly effect:
    | 'addressed'
    | 'trigger'
    | 'init'
    | 'init-without-effect'
    | 'reset'
    | 'register-selected'
    | 'register-written'
    | 'register-wrong-value'
    | 'registers-done'
    | 'registers-without-effect'
    | 'ignored'
    | 'ignored-busy'
    | 'busy-for-ever'
    | 'nack';
}

/** A transfer that never came to the chip: a fault on the wires, or the chip not ready or without power. */
export interface WireEntry extends Entry {
  readonly event: 'wire';
  readonly fault: string;
  readonly address: number;
  readonly direction: 'read' | 'write';
  readonly count: number;
  readonly bytes: string;
}

/** A fault of the device file: open, stat, access, I2C_SLAVE. */
export interface FileEntry extends Entry {
  readonly event: 'file';
  readonly fault: string;
}

/** A command of the test. */
export interface ControlEntry extends Entry {
  readonly event: 'control';
  readonly command: string;
}

/** One line of the emulator's log: the ground truth. */
export type LogEntry =
  | ConversionEntry
  | FrameEntry
  | StatusEntry
  | RegisterEntry
  | WriteEntry
  | WireEntry
  | FileEntry
  | ControlEntry;

/**
 * The readings that the sensor gave in good form, each once, in order. A client that is killed after the line was
 * written and before its call returned leaves a frame that was never received: the next client gets its sample again, and
 * the later line counts.
 */
export function deliveredFrames(log: readonly LogEntry[]): readonly FrameEntry[] {
  const delivered = new Map<string, FrameEntry>();
  for (const entry of log) {
    if (entry.event !== 'frame' || !entry.first) continue;
    const key = `${entry.series}:${entry.sample}`;
    delivered.delete(key);
    delivered.set(key, entry);
  }
  return [...delivered.values()];
}
