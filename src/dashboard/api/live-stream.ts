import type { Platform } from '../platform.ts';
import { type ApiClient, ApiError } from './api-client.ts';

/** One event of a stream as the HTML standard defines it ("Server-sent events", event stream interpretation). */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly type: string;
  readonly data: string;
}

export interface SseParser {
  /** Takes text in pieces of any length and returns the events that are complete. */
  push(text: string): StreamEvent[];
  /** The id to continue from. The server also sends it without an event, at the beginning of a stream. */
  readonly lastEventId: string | undefined;
}

/** For streams read with `fetch`: unlike EventSource it can send a token, and a dead connection can be noticed. */
export function createSseParser(): SseParser {
  let rest = '';
  let id: string | undefined;
  let lastEventId: string | undefined;
  let type = '';
  let data: string[] = [];

  const takeLine = (line: string, events: StreamEvent[]): void => {
    if (line === '') {
      lastEventId = id;
      if (data.length > 0) {
        events.push({ id, type: type === '' ? 'message' : type, data: data.join('\n') });
      }
      type = '';
      data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') {
      data.push(value);
    } else if (field === 'event') {
      type = value;
    } else if (field === 'id' && !value.includes('\0')) {
      id = value;
    }
  };

  return {
    get lastEventId() {
      return lastEventId;
    },
    push(text) {
      const events: StreamEvent[] = [];
      rest += text;
      // A CR at the very end may be half of a CRLF.
      const lines = rest.replace(/\r\n|\r(?!$)/g, '\n').split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        takeLine(line, events);
      }
      return events;
    },
  };
}

export interface LiveStreamOptions {
  readonly client: Pick<ApiClient, 'open'>;
  readonly platform: Pick<Platform, 'sleep' | 'random' | 'every' | 'monotonicMs'>;
  /** `isResumed`: the server will send the events that were missed. Otherwise they are not known. */
  readonly onOpen: (isResumed: boolean) => void;
  readonly onEvent: (event: StreamEvent) => void;
  /** Any byte came, also a heartbeat. */
  readonly onAlive: () => void;
  readonly onLost: (error: unknown) => void;
}

/** Follows the server's events until the signal is aborted. It reconnects by itself and continues where it stopped. */
export interface LiveStream {
  run(signal: AbortSignal): Promise<void>;
  /** The machine woke up or got its network back: the open connection is probably dead, so connect again at once. */
  reconnect(): void;
}

/** The server sends heartbeats more often. After a laptop's sleep a connection is dead without an error. */
const SILENCE_LIMIT_MS = 40_000;
const CHECK_MS = 5_000;
const BACK_OFF_MS = { first: 1_000, most: 30_000 };

export function createLiveStream(options: LiveStreamOptions): LiveStream {
  const { client, platform, onOpen, onEvent, onAlive, onLost } = options;
  let lastEventId: string | undefined;
  let waiting = new AbortController();
  let connection = new AbortController();

  const follow = async (signal: AbortSignal): Promise<void> => {
    const headers = { accept: 'text/event-stream', ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
    const { body } = await client.open('events', { headers, signal });
    if (body === null) throw new ApiError(0, 'UNREACHABLE', 'the stream has no body');
    onOpen(lastEventId !== undefined);
    const parser = createSseParser();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let aliveMs = platform.monotonicMs();
    platform.every(CHECK_MS, signal, () => {
      if (platform.monotonicMs() - aliveMs > SILENCE_LIMIT_MS) connection.abort(new Error('the stream went silent'));
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      aliveMs = platform.monotonicMs();
      onAlive();
      for (const event of parser.push(value)) onEvent(event);
      lastEventId = parser.lastEventId ?? lastEventId;
    }
  };

  return {
    async run(signal) {
      let failures = 0;
      const isOver = (): boolean => signal.aborted;
      while (!isOver()) {
        connection = new AbortController();
        const abort = (): void => connection.abort(signal.reason);
        signal.addEventListener('abort', abort, { once: true });
        const startedMs = platform.monotonicMs();
        let error: unknown = new Error('the server ended the stream');
        try {
          await follow(connection.signal);
        } catch (thrown) {
          error = thrown;
        }
        connection.abort();
        signal.removeEventListener('abort', abort);
        if (isOver()) return;
        failures = platform.monotonicMs() - startedMs > SILENCE_LIMIT_MS ? 0 : failures + 1;
        onLost(error);
        waiting = new AbortController();
        const limit = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.max(0, failures - 1));
        await platform.sleep(limit / 2 + (limit / 2) * platform.random(), AbortSignal.any([waiting.signal, signal]));
      }
    },
    reconnect() {
      connection.abort(new Error('connected again'));
      waiting.abort();
    },
  };
}
