import compress from '@fastify/compress';
import type { App } from './app.ts';

/**
 * A year of ten rooms is over a megabyte of JSON and a tenth of that compressed; the fastest level takes nearly all of it, and
 * a Pi's time is dear. Level 1 of zlib (https://www.zlib.net/manual.html#Basic).
 */
const ZLIB_LEVEL = 1;
/** Less than this fits into one packet as it is. */
const LEAST_BYTES = 1_024;
/** Not the event stream: an event has to leave when it happens, not when a block is full. */
const TYPES = /^(?:application\/(?:.+\+)?json|application\/x-ndjson|text\/csv)(?:;|$)/;

/** Answers of the routes added after it go out compressed to whom can read that; also streamed ones, in constant memory. */
export async function compressAnswers(app: App): Promise<void> {
  await app.register(compress, {
    encodings: ['gzip'],
    zlibOptions: { level: ZLIB_LEVEL },
    threshold: LEAST_BYTES,
    customTypes: TYPES,
    // A compressed request could be a bomb, and nobody has so much to say.
    globalDecompression: false,
  });
}
