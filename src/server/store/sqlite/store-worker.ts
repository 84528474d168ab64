// One connection of the store on a thread of its own, so that a slow disk never holds up the event loop of the service.
import { parentPort, workerData } from 'node:worker_threads';
import { createSystemClock } from '../../../platform/clock.ts';
import type { Connection } from './calls.ts';
import { loadSqlite } from './database.ts';
import { openReader } from './reader.ts';
import { type FromWorker, receivedArgsOf, sentErrorOf, sentResultOf, type ToWorker, type WorkerTask } from './rpc.ts';
import { type OpenWriter, openWriter } from './writer.ts';

const port = parentPort;
if (port === null) throw new Error('store-worker runs as a worker thread only');
const say = (message: FromWorker): void => port.postMessage(message);

/** Carries out what is asked, in order; ends with the port. */
function serve(connection: Connection<object>): void {
  const calls = new Map(Object.entries(connection.calls) as [string, (...args: unknown[]) => unknown][]);
  port?.on('message', (message: ToWorker) => {
    if (message.kind === 'close') {
      connection.close();
      port.close();
      return;
    }
    const { id, method, args } = message;
    try {
      const call = calls.get(method);
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
  const connection: Connection<object> & Partial<Pick<OpenWriter, 'migrated' | 'record'>> =
    role === 'writer' ? openWriter(sqlite, options, createSystemClock()) : openReader(sqlite, options);
  serve(connection);
  const { calls, migrated, record } = connection;
  say({ kind: 'ready', calls: Object.keys(calls), migrated, record });
} catch (error) {
  say({ kind: 'failed', error: sentErrorOf(error) });
  port.close();
}
