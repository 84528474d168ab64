import { StoreError } from '../store/store.ts';
import { deviceNotFound, roomNotFound } from './api-error.ts';

/** Waits for what the store does with a device; says which one where the store knows none. */
export async function forDevice<T>(uid: string, work: Promise<T>): Promise<T> {
  return await orNotFound(work, () => deviceNotFound(uid));
}

/** The same of a room. */
export async function forRoom<T>(uid: string, work: Promise<T>): Promise<T> {
  return await orNotFound(work, () => roomNotFound(uid));
}

async function orNotFound<T>(work: Promise<T>, notFound: () => Error): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof StoreError && error.code === 'NOT_FOUND' ? notFound() : error;
  }
}
