import type { Log } from '../platform/log.ts';
import type { JournalEvent, OnJournalEvent } from './journal/journal.ts';

const FULL_WITHOUT_SERVER =
  'no program subscribes to the readings, so the journal is full. It keeps as many as its limits allow; gap records name the others. ' +
  'This is normal with Home Assistant only. A TechTemp server that is installed later gets what the journal keeps';

/**
 * Logs what the journal tells. A full journal is a loss, and a warning each hour, while a server should have taken the readings. Where
 * there is none, it is normal: said once, as information; the status counts what went all the same.
 */
export function createJournalLog(log: Log, isWithoutServer: () => boolean): OnJournalEvent {
  let isSaid = false;
  return ({ level, message, what, ...fields }: JournalEvent) => {
    if (what !== 'full') {
      log[level](fields, message);
      return;
    }
    const isNormal = isWithoutServer();
    if (!isNormal) log[level](fields, message);
    else if (!isSaid) log.info(fields, FULL_WITHOUT_SERVER);
    isSaid = isNormal;
  };
}
