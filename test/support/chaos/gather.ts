import { existsSync } from 'node:fs';
import { inspectEntries, inspectJournals } from '../../../src/device/journal/inspect.ts';
import { createNodeJournalFs } from '../../../src/device/journal/journal-fs.ts';
import { deliveredFrames } from '../emulator-log.ts';
import { Sqlite } from '../sqlite.ts';
import type { Evidence, Numbered, Told } from './account.ts';
import { type ChaosWorld, sampleOf, UID } from './world.ts';

interface Gathered {
  readonly evidence: Evidence;
  /** Epochs that the record knows. */
  readonly epochs: ReadonlySet<string>;
  readonly quarantined: number;
}

/** Looks into the sensor's log, the database and the journal; agent and server have ended. */
export async function gather(world: ChaosWorld): Promise<Gathered> {
  const record = readDatabase(world.recordPath);
  const aside = world.setAside.filter((path) => existsSync(path)).map(readDatabaseIfWhole);
  const journal: Numbered[] = [];
  const gaps: Told[] = [...record.gaps];
  const seen: Numbered[] = [...world.tap.sent, ...world.tap.receipted];
  const fs = createNodeJournalFs();
  if (existsSync(world.journalFolder)) {
    for await (const { epoch, entry, released } of inspectEntries(world.journalFolder, fs)) {
      seen.push({ epoch, seq: entry.seq });
      if (released) continue;
      if (entry.kind === 'gap') gaps.push(entry.gap);
      journal.push({
        epoch,
        seq: entry.seq,
        ...(entry.kind === 'reading' && { sample: sampleOf(entry.temperatureCelsius) }),
      });
    }
    for (const { losses } of await inspectJournals(world.journalFolder, fs)) gaps.push(...losses);
  }
  const given = deliveredFrames(await world.emulator.log()).map(({ sample, pid, ns }) => ({ sample, pid, ns }));
  const elsewhere = {
    quarantine: record.quarantine,
    journal,
    'set aside': aside.flatMap(({ readings, quarantine }) => [...readings, ...quarantine]),
  };
  const evidence = { given, record: record.readings, elsewhere, gaps, seen, killed: world.killed };
  return { evidence, epochs: new Set(record.epochs), quarantined: record.quarantine.length };
}

interface Database {
  readonly readings: readonly Numbered[];
  readonly quarantine: readonly Numbered[];
  readonly gaps: readonly Told[];
  readonly epochs: readonly string[];
}

function readDatabase(path: string): Database {
  const db = new Sqlite(path, { readonly: true });
  const all = <T>(sql: string): T[] => db.prepare(sql).all(UID) as T[];
  const ofDevice = 'JOIN devices d ON d.id = x.device_id LEFT JOIN epochs e ON e.id = x.epoch_id WHERE d.uid = ?';
  try {
    const readings = all<{ epoch: string; seq: number; temperature: number }>(
      `SELECT e.epoch, x.seq, x.temperature FROM readings x ${ofDevice} ORDER BY e.epoch, x.seq`,
    );
    const gaps = all<{
      epoch: string;
      seq: number;
      of_epoch: string;
      from_seq: number;
      to_seq: number | null;
      count: number | null;
    }>(`SELECT e.epoch, x.seq, x.of_epoch, x.from_seq, x.to_seq, x.count FROM gaps x ${ofDevice}`);
    const quarantine = all<{ epoch: string; seq: number; item: string }>(
      `SELECT e.epoch, x.seq, x.item FROM quarantine x ${ofDevice} AND x.reason = 'bad-time'`,
    );
    return {
      readings: [
        ...readings.map(({ epoch, seq, temperature }) => ({ epoch, seq, sample: sampleOf(temperature) })),
        ...gaps.map(({ epoch, seq }) => ({ epoch, seq })),
      ],
      quarantine: quarantine.map(({ epoch, seq, item }) => {
        const { temperature_c } = JSON.parse(item) as { temperature_c?: number };
        return { epoch, seq, ...(temperature_c !== undefined && { sample: sampleOf(temperature_c) }) };
      }),
      gaps: gaps.map(({ of_epoch, from_seq, to_seq, count }) => ({
        ofEpoch: of_epoch,
        from: from_seq,
        ...(to_seq !== null && { to: to_seq }),
        ...(count !== null && { count }),
      })),
      epochs: all<{ epoch: string }>(
        'SELECT x.epoch FROM epochs x JOIN devices d ON d.id = x.device_id WHERE d.uid = ?',
      ).map(({ epoch }) => epoch),
    };
  } finally {
    db.close();
  }
}

/** What was set aside may be damaged: that is why it was. */
function readDatabaseIfWhole(path: string): Database {
  try {
    return readDatabase(path);
  } catch {
    return { readings: [], quarantine: [], gaps: [], epochs: [] };
  }
}
