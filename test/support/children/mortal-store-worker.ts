import { parentPort } from 'node:worker_threads';

// The store's worker thread, which ends when it is asked for a room named `die`; listens first, so that the call is never answered.
parentPort?.on('message', ({ method, args }: { readonly method?: string; readonly args?: readonly unknown[] }) => {
  if (method === 'addRoom' && JSON.stringify(args).includes('die')) process.exit(7);
});
await import('../../../src/server/store/sqlite/store-worker.ts');
