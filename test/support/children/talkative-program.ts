import { createSystemClock } from '../../../src/platform/clock.ts';
import { createLog } from '../../../src/platform/pino-log.ts';

/** Logs three lines and is killed by its own hand at once: whatever is not written by then is lost. */
const log = await createLog({ level: 'info', format: 'auto', clock: createSystemClock(), env: process.env });
for (const number of [1, 2, 3]) log.error({ number, password: 'not to be seen' }, 'last words');
process.kill(process.pid, 'SIGKILL');
