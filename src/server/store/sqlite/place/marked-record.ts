import { existsSync } from 'node:fs';
import type { Clock } from '../../../../platform/clock.ts';
import type { Database } from '../database.ts';
import { sqliteCodeOf } from '../errors.ts';
import { type Identity, writeIdentity } from './identity-file.ts';
import { realPathOf } from './look.ts';
import { PlaceLostError, RecordPlace } from './place.ts';

/** Who opens a record. The server makes it, marks it and keeps its identity; a command uses what is there. */
export type OpenedBy = 'server' | 'command';

export interface RecordOptions {
  readonly path: string;
  readonly openedBy: OpenedBy;
  /** Where the identity is kept, too, when the database lies in another folder. */
  readonly stateFolder?: string | undefined;
  /** The record that was open before, when it is opened again: no other one will do. */
  readonly mustBe?: string | undefined;
}

/** Between two marks: a copy that is younger than this cannot be told from the record. */
const MARK_EVERY_MS = 300_000;

export interface RecordRow {
  readonly id: string;
  readonly generation: number;
  readonly createdMs: number;
}

/** Keeps the mark in the database and the file beside it in step; never says more than is on the disk. */
export class MarkedRecord {
  readonly #db: Database;
  readonly #options: RecordOptions;
  readonly #clock: Clock;
  readonly #bump: () => void;
  #identity: Identity | undefined;
  #place: RecordPlace | undefined;
  #notedSalt: number | undefined;
  #markedMs = 0;
  #isLost = false;
  /** The file beside it says that something is missing. */
  #hasNotedLoss = false;

  constructor(db: Database, options: RecordOptions, clock: Clock, identity: Identity | undefined) {
    this.#db = db;
    this.#options = options;
    this.#clock = clock;
    this.#identity = identity;
    const count = db.prepare("UPDATE record SET generation = printf('%012d', CAST(generation AS INTEGER) + 1)");
    const application = db.pragma('application_id', { simple: true }) as number;
    // The application id goes with it because that writes the first page: only then does the file's own counter move.
    const bump = db.transaction(() => {
      count.run();
      db.pragma(`application_id = ${application}`);
    });
    this.#bump = () => bump.immediate();
  }

  row(): RecordRow {
    return rowOf(this.#db);
  }

  begin(): void {
    const { path, openedBy } = this.#options;
    const row = this.row();
    if (openedBy === 'server') {
      // So that the log, from here on, holds the newest mark: without the log the database is seen to be older.
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
      unlessBusy(this.#bump);
    }
    const pageSize = this.#db.pragma('page_size', { simple: true }) as number;
    const markPage = this.#db
      .prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'record'")
      .pluck()
      .get() as number;
    const pages = (): number => this.#db.pragma('page_count', { simple: true }) as number;
    const facts = { id: row.id, markPage, pageSize, pages };
    const least = { id: row.id, generation: this.#identity?.file?.generation ?? 0 };
    this.#place = new RecordPlace(path, realPathOf(path) ?? path, facts, least);
    if (openedBy === 'server') this.#note();
    this.#place.prove();
  }

  readonly beforeWrite = (): void => {
    // Once it is lost nothing more is written, until the files are back.
    if (this.#isLost) this.#prove();
    else this.#proving(() => this.#place?.proveLogLength());
    if (this.#options.openedBy === 'command') this.#noteCommandsLog();
  };

  readonly afterWrite = (): void => {
    this.#prove();
    if (this.#options.openedBy !== 'server') return;
    const isDue = this.#clock.monotonicMs() - this.#markedMs >= MARK_EVERY_MS;
    const firstSalt = this.#place?.firstSalt();
    if (!isDue && !this.#hasNotedLoss && (firstSalt === undefined || firstSalt === this.#notedSalt)) return;
    unlessBusy(this.#bump);
    this.#note();
  };

  readonly logBytes = (): number => this.#place?.logBytes() ?? 0;

  readonly close = (): void => {
    const { path, openedBy, stateFolder } = this.#options;
    const identity = this.#identity;
    const isOurs = identity !== undefined && !this.#isLost && (openedBy === 'server' || identity.log === 'any');
    const generation = isOurs && this.#db.open ? generationOf(this.#db) : undefined;
    this.#db.close();
    this.#place?.close();
    if (!isOurs || existsSync(`${realPathOf(path) ?? path}-wal`) || !existsSync(path)) return;
    // It was the last connection, so all is in the database. Where that cannot be noted, the next start only knows less.
    ignoringFileErrors(() =>
      writeIdentity(path, stateFolder, {
        ...identity,
        generation: Math.max(generation ?? 0, identity.generation),
        log: 'none',
      }),
    );
  };

  #prove(): void {
    this.#proving(() => this.#place?.prove());
  }

  #proving(look: () => void): void {
    try {
      look();
      this.#isLost = false;
    } catch (error) {
      this.#isLost = true;
      if (error instanceof PlaceLostError && !error.isWhole) this.#noteLoss();
      throw error;
    }
  }

  /** What is left may look as after a power cut. The next start must know that there was more: receipts were given for it. */
  #noteLoss(): void {
    const { path, openedBy, stateFolder } = this.#options;
    const identity = this.#identity;
    if (this.#hasNotedLoss || identity === undefined || openedBy !== 'server') return;
    this.#hasNotedLoss = true;
    ignoringFileErrors(() => writeIdentity(path, stateFolder, { ...identity, generation: identity.generation + 1 }));
  }

  /** Writes down what the record is now. */
  #note(): void {
    const { path, stateFolder } = this.#options;
    const place = this.#place;
    if (place === undefined) return;
    const { id, generation, createdMs } = this.row();
    const state = place.fileState();
    const file =
      state?.mark.id === id
        ? { page: state.page, generation: state.mark.generation, changeCounter: state.changeCounter }
        : null;
    const salts = place.logSalts();
    this.#identity = { id, createdMs, generation, file, log: salts ?? 'any' };
    this.#hasNotedLoss = false;
    writeIdentity(path, stateFolder, this.#identity);
    if (file !== null) place.atLeast({ id, generation: file.generation });
    this.#notedSalt = salts === undefined ? undefined : firstSaltOf(salts);
    this.#markedMs = this.#clock.monotonicMs();
  }

  /** A log that a command begins while no server runs is not a stranger's. */
  #noteCommandsLog(): void {
    const { path, stateFolder } = this.#options;
    const identity = this.#identity;
    if (identity === undefined || identity.log === 'any' || this.#place?.logSalts() !== undefined) return;
    this.#identity = { ...identity, log: 'any' };
    writeIdentity(path, stateFolder, this.#identity);
  }
}

/** As a number, of the salts in hex. */
function firstSaltOf(salts: string): number {
  return Number.parseInt(salts.slice(0, 8), 16);
}

function generationOf(db: Database): number | undefined {
  try {
    return rowOf(db).generation;
  } catch {
    return undefined;
  }
}

/** A mark that has to wait for another process comes with the next one. */
function unlessBusy(work: () => void): void {
  try {
    work();
  } catch (error) {
    const code = sqliteCodeOf(error);
    if (code?.startsWith('SQLITE_BUSY') !== true && code?.startsWith('SQLITE_LOCKED') !== true) throw error;
  }
}

function ignoringFileErrors(work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
  }
}

/** The one row that says which record it is. */
export function rowOf(db: Database): RecordRow {
  return db
    .prepare<[], RecordRow>(
      'SELECT id, CAST(generation AS INTEGER) AS generation, created_ms AS createdMs FROM record WHERE one = 1',
    )
    .get() as RecordRow;
}
