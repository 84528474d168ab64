import type { CommitResult, IngestBatch } from '../ingest-store.ts';
import { StoreError, type StoreErrorCode } from '../store.ts';
import type { Migrated } from './migrate.ts';
import {
  type PackedBatch,
  type PackedResult,
  packBatch,
  packResult,
  unpackBatch,
  unpackResult,
} from './packed-commit.ts';
import type { RecordOptions } from './place/marked-record.ts';
import type { RecordFacts } from './place/open-record.ts';
import { type LostPart, PlaceLostError } from './place/place.ts';
import type { ReaderCalls } from './reader.ts';
import type { WriterCalls } from './writer.ts';

/** The two connections of a store, each on a thread of its own where the store has threads. */
export interface CallsOf {
  readonly writer: WriterCalls;
  readonly reader: ReaderCalls;
}

export type Role = keyof CallsOf;

/** What a store's worker thread is given to begin with. */
export interface WorkerTask {
  readonly role: Role;
  readonly record: RecordOptions;
}

/** What a thread says of the connection that it has opened. */
export interface Opened {
  /** The names of its calls. */
  readonly calls: readonly string[];
  /** What was done to the file on opening; the reader does nothing. */
  readonly migrated?: Migrated | undefined;
  /** Of the record; the reader does not say. */
  readonly record?: RecordFacts | undefined;
}

export type ToWorker =
  | { readonly kind: 'call'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: 'close' };

export type FromWorker =
  | ({ readonly kind: 'ready' } & Opened)
  | { readonly kind: 'failed'; readonly error: SentError }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: SentError };

/** Commits are most of what goes between the threads, and go packed; the few other calls are cloned. */
const PACKED_METHOD = 'commit';

export function sentArgsOf(method: string, args: readonly unknown[]): readonly unknown[] {
  return method === PACKED_METHOD ? [packBatch(args[0] as IngestBatch)] : args;
}

export function receivedArgsOf(method: string, args: readonly unknown[]): readonly unknown[] {
  return method === PACKED_METHOD ? [unpackBatch(args[0] as PackedBatch)] : args;
}

export function sentResultOf(method: string, result: unknown): unknown {
  return method === PACKED_METHOD ? packResult(result as CommitResult) : result;
}

export function receivedResultOf(method: string, result: unknown): unknown {
  return method === PACKED_METHOD ? unpackResult(result as PackedResult) : result;
}

/** An error on its way between threads: a structured clone would lose class and code. */
export interface SentError {
  readonly code?: StoreErrorCode;
  /** Of a record that is not at its place. */
  readonly lost?: { readonly part: LostPart; readonly isWhole: boolean };
  readonly message: string;
  readonly stack?: string;
}

export function sentErrorOf(error: unknown): SentError {
  if (error instanceof PlaceLostError) {
    const { code, message, part, isWhole } = error;
    return { code, message, lost: { part, isWhole } };
  }
  if (error instanceof StoreError) return { code: error.code, message: error.message };
  if (!(error instanceof Error)) return { message: String(error) };
  return { message: error.message, ...(error.stack !== undefined && { stack: error.stack }) };
}

/** A StoreError where it was one; anything else is a bug and keeps the stack of the place where it happened. */
export function receivedErrorOf({ code, lost, message, stack }: SentError): Error {
  if (lost !== undefined && (code === 'STORE_MISSING' || code === 'STORE_REPLACED')) {
    return new PlaceLostError(code, lost, message);
  }
  if (code !== undefined) return new StoreError(code, message);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
