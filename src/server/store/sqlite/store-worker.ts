// One side of the store on a thread of its own, so that a slow disk never holds up the event loop of the service.
import { parentPort, workerData } from 'node:worker_threads';
import { createSystemClock } from '../../../platform/clock.ts';
import { loadSqlite } from './database.ts';
import {
  type FromWorker,
  receivedArgsOf,
  sentErrorOf,
  sentResultOf,
  type ToWorker,
  type WorkerTask,
} from './messages.ts';
import { type OpenSide, openReaderSide, openWriterSide, type Role } from './sides.ts';

const port = parentPort;
if (port === null) throw new Error('store-worker runs as a worker thread only');
const say = (message: FromWorker): void => port.postMessage(message);

/** Carries out what is asked, in order; ends with the port. */
function serve(open: OpenSide<Role>): void {
  const side = open.side as unknown as Readonly<Record<string, (...args: unknown[]) => unknown>>;
  port?.on('message', (message: ToWorker) => {
    if (message.kind === 'close') {
      open.close();
      port.close();
      return;
    }
    const { id, method, args } = message;
    try {
      const call = side[method];
      if (call === undefined) throw new Error(`The ${method} of a store is not known here`);
      const result = call(...receivedArgsOf(method, args));
      say({ kind: 'result', id, result: sentResultOf(method, result) });
    } catch (error) {
      say({ kind: 'error', id, error: sentErrorOf(error) });
    }
  });
}

try {
  const { role, record: options } = workerData as WorkerTask;
  const sqlite = await loadSqlite();
  const open =
    role === 'writer' ? openWriterSide(sqlite, options, createSystemClock()) : openReaderSide(sqlite, options);
  serve(open);
  const { migrated, record } = open;
  say({ kind: 'ready', ...(migrated !== undefined && { migrated }), ...(record !== undefined && { record }) });
} catch (error) {
  say({ kind: 'failed', error: sentErrorOf(error) });
  port.close();
}
