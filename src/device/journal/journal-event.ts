/** Something that people may want to know of; the composition root logs it. */
export interface JournalEvent {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly path?: string;
  readonly err?: unknown;
}

export type OnJournalEvent = (event: JournalEvent) => void;
