import type { Clock, Random } from '../../common/clock.ts';
import type { Live } from '../../common/live.ts';
import type { Log } from '../../common/log.ts';
import type { HouseSection, HttpSection, StoreSection } from '../config/server-config.ts';
import type { IngestState } from '../ingest/ingest.ts';
import type { LiveFeed } from '../live/live-feed.ts';
import type { ServerMetrics } from '../metrics/server-metrics.ts';
import type { Store } from '../store/store.ts';
import type { ServerTime } from '../store/time-judgement.ts';
import type { ClockState } from '../trusted-clock.ts';
import type { VerdictKeeper } from '../verify/verdict-keeper.ts';

/** Everything that the HTTP side is made of; the composition root gives it, tests too. */
export interface HttpParts {
  readonly store: Store;
  readonly feed: LiveFeed;
  readonly ingest: () => IngestState;
  readonly metrics: ServerMetrics;
  readonly http: Live<HttpSection>;
  readonly house: Live<HouseSection>;
  readonly storeSettings: Live<StoreSection>;
  readonly clock: Clock;
  readonly times: HttpTimes;
  readonly random: Random;
  readonly log: Log;
  readonly version: string;
  /** Absent: nobody keeps a verdict about the record, and the API says so. */
  readonly verdicts?: VerdictKeeper;
}

/** What is known of this server's clock, and of what waits because of times. */
export interface HttpTimes {
  readonly clockState: () => ClockState;
  readonly now: () => ServerTime;
  /** How much may wait in quarantine. */
  readonly maxQuarantine: () => number;
}
