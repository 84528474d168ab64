import { Readable } from 'node:stream';
import { exportFileName, exportReadings } from '../../export/export-readings.ts';
import type { RouteFile } from '../app.ts';
import { createOpenAnswers } from '../open-answers.ts';
import { errors } from '../schemas/common.ts';
import { ExportQuery } from '../schemas/export.ts';
import { scopeOf } from '../scope.ts';
import { streamed } from '../streamed.ts';
import { parseRange } from '../time-range.ts';

const CONTENT_TYPES = { csv: 'text/csv; charset=utf-8; header=present', jsonl: 'application/x-ndjson; charset=utf-8' };

/** Text that waits for a slow reader, at most; pages of the store come on top, one at a time. */
const BUFFERED_BYTES = 64 * 1024;

/** Readings as a file. */
export const addExportRoutes: RouteFile = (app, { store, clock }) => {
  const exports = createOpenAnswers(app.closing);

  app.get(
    '/export',
    {
      // A HEAD request would read all of it to throw it away.
      exposeHeadRoute: false,
      schema: {
        tags: ['readings'],
        summary: 'Readings as a file',
        description:
          'Oldest first, as many as there are; streamed. A transfer that ends without its last chunk is not whole. In CSV, texts that ' +
          "a spreadsheet would take for a formula begin with an apostrophe ('); numbers are numbers.",
        querystring: ExportQuery,
        response: {
          200: streamed('The file', ['text/csv', 'application/x-ndjson']),
          ...errors,
        },
      },
    },
    async ({ query }, reply) => {
      const range = parseRange(query, clock.nowMs());
      const asked = { scope: await scopeOf(store, query), ...range };
      const file = Readable.from(exportReadings(store, asked, query.format), {
        objectMode: false,
        highWaterMark: BUFFERED_BYTES,
      });
      const forget = exports.add(() => file.destroy(new Error('the server closes')));
      file.once('close', forget);
      return reply
        .type(CONTENT_TYPES[query.format])
        .header('content-disposition', `attachment; filename="${exportFileName(asked, query.format)}"`)
        .header('cache-control', 'no-store')
        .send(file);
    },
  );
};
