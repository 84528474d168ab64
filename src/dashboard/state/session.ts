import type { Api } from '../api/api.ts';
import { type ApiClient, ApiError } from '../api/api-client.ts';
import { changeFromWire } from '../api/from-wire.ts';
import { createLiveStream } from '../api/live-stream.ts';
import type { Platform, ServerClock } from '../platform.ts';
import type { Connection } from './model.ts';
import { NOTHING_KNOWN, type Question, RECENT_MS, reduce, type SiteState, withDevices } from './site-state.ts';
import type { SnapshotStore } from './snapshot.ts';
import { createWatched, type Watched } from './store.ts';

export interface SessionOptions {
  readonly api: Api;
  readonly client: ApiClient;
  readonly platform: Platform;
  readonly clock: ServerClock;
  readonly snapshots: SnapshotStore;
}

/** Keeps what the page shows in step with the server. */
export interface Session {
  readonly site: Watched<SiteState>;
  readonly connection: Watched<Connection>;
  /** When the server last answered, by its own clock; null: never. */
  readonly heardMs: () => number | null;
  /** Counts what changed in the past: a chart that shows it asks again. */
  readonly pastChanges: Watched<number>;
  /** Follows the server until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  setPaused(isPaused: boolean): void;
  /** A hidden page keeps no connection: a browser has only six for each server. */
  setVisible(isVisible: boolean): void;
  /** The network is back, or the reader asked for it. */
  retry(): void;
  /** After a change was saved: shows it without waiting for the stream. */
  refresh(): Promise<void>;
}

/** The stream is opened first, so that nothing falls between it and the first answers; but a slow one delays nothing. */
const STREAM_FIRST_MS = 700;
/** Changes come in bursts: one request covers them all. */
const GATHER_MS = 300;
const SAVE_MS = 30_000;

export function createSession({ api, client, platform, clock, snapshots }: SessionOptions): Session {
  const site = createWatched<SiteState>(snapshots.load() ?? NOTHING_KNOWN);
  const connection = createWatched<Connection>({ kind: 'connecting' });
  const pastChanges = createWatched(0);
  const hasStarted = createWatched(false);
  const isWanted = createWatched({ paused: false, visible: true });
  let heardMs: number | null = null;
  let asked = new Set<Question>();
  let isAsking = false;
  let ending = new AbortController().signal;

  const isOver = (): boolean => ending.aborted;

  const lose = (error: unknown): void => {
    const isFull = error instanceof ApiError && error.code === 'TOO_MANY_WATCHERS';
    if (isFull) {
      connection.set({ kind: 'polling' });
      ask('everything');
    } else if (connection.get().kind !== 'lost') {
      connection.set({ kind: 'lost', sinceMs: clock.nowMs(), error });
      snapshots.save(site.get());
    }
  };

  const loadRecent = async (): Promise<void> => {
    const { devices, site: known } = site.get();
    const nowMs = clock.nowMs();
    const uids = devices.filter(({ state }) => state === 'active').map(({ uid }) => uid);
    if (uids.length === 0) return;
    const recent = await api.recent(uids, { fromMs: nowMs - RECENT_MS, toMs: nowMs }, known?.timeZone, ending);
    site.update((state) => ({ ...state, recent: { ...state.recent, ...recent } }));
  };

  const load = async (questions: ReadonlySet<Question>): Promise<void> => {
    if (questions.has('everything') || questions.has('devices')) {
      const [known, devices, rooms] = await Promise.all([
        questions.has('everything') ? api.site(ending) : site.get().site,
        api.devices(ending),
        api.rooms(ending),
      ]);
      site.update((state) => withDevices({ ...state, site: known, rooms, loadedMs: clock.nowMs() }, devices));
    }
    if (questions.has('everything') || questions.has('recent')) {
      await loadRecent();
      pastChanges.update((count) => count + 1);
    }
    snapshots.save(site.get());
  };

  const ask = (question: Question): void => {
    asked.add(question);
    if (!isAsking) {
      isAsking = true;
      // Ends by itself; what goes wrong is shown as a lost connection.
      void answer();
    }
  };
  const answer = async (): Promise<void> => {
    while (asked.size > 0 && !isOver()) {
      const questions = asked;
      asked = new Set();
      try {
        await load(questions);
        if (connection.get().kind === 'lost') connection.set({ kind: 'connecting' });
      } catch (error) {
        if (!isOver()) lose(error);
      }
      if (asked.size > 0) await platform.sleep(GATHER_MS, ending);
    }
    isAsking = false;
  };

  const stream = createLiveStream({
    client,
    platform,
    onOpen(isResumed) {
      heardMs = clock.nowMs();
      hasStarted.set(true);
      if (!isResumed || connection.get().kind === 'lost' || site.get().loadedMs === null) ask('everything');
      connection.set({ kind: 'live' });
    },
    onAlive() {
      heardMs = clock.nowMs();
    },
    onEvent(event) {
      const change = changeFromWire(event);
      if (change === undefined) return;
      const { state, ask: question } = reduce(site.get(), change);
      site.set(state);
      if (change.kind === 'history' || change.kind === 'gap') pastChanges.update((count) => count + 1);
      if (question !== undefined) ask(question);
    },
    onLost: lose,
  });

  const followWhileWanted = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const turn = new AbortController();
      const stop = isWanted.watch(() => turn.abort());
      const { paused, visible } = isWanted.get();
      if (!paused && visible) {
        await stream.run(AbortSignal.any([turn.signal, signal]));
      } else {
        if (paused) connection.set({ kind: 'paused' });
        await platform.sleep(2 ** 31 - 1, AbortSignal.any([turn.signal, signal]));
        if (!isWanted.get().paused) connection.set({ kind: 'connecting' });
      }
      stop();
    }
  };

  return {
    site,
    connection,
    pastChanges,
    heardMs: () => heardMs,
    async run(signal) {
      ending = signal;
      platform.every(SAVE_MS, signal, () => {
        if (connection.get().kind === 'live') snapshots.save({ ...site.get(), loadedMs: clock.nowMs() });
      });
      const following = followWhileWanted(signal);
      const opened = new AbortController();
      const stop = hasStarted.watch(() => opened.abort());
      await platform.sleep(STREAM_FIRST_MS, AbortSignal.any([opened.signal, signal]));
      stop();
      if (!hasStarted.get()) ask('everything');
      await following;
    },
    setPaused: (paused) => isWanted.update((wanted) => ({ ...wanted, paused })),
    setVisible: (visible) =>
      isWanted.update((wanted) => (wanted.visible === visible ? wanted : { ...wanted, visible })),
    retry() {
      ask('everything');
      stream.reconnect();
    },
    async refresh() {
      await load(new Set<Question>(['devices']));
    },
  };
}
