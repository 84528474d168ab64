/** One event of a stream as the HTML standard defines it ("Server-sent events", event stream interpretation). */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly type: string;
  readonly data: string;
}

export interface SseParser {
  /** Text as it comes, cut anywhere; gives the events that are complete. */
  push(text: string): StreamEvent[];
  /** Where to go on from; also told without an event, at the beginning of a stream. */
  readonly lastEventId: string | undefined;
}

/** For streams read with `fetch`, which unlike EventSource can carry a token and be told apart from a dead one. */
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
