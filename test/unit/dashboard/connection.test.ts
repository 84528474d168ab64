import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError, createApiClient, createTokens } from '../../../src/dashboard/api/api-client.ts';
import { changeFromWire } from '../../../src/dashboard/api/from-wire.ts';
import { createLiveStream, createSseParser, type StreamEvent } from '../../../src/dashboard/api/live-stream.ts';
import { createServerClock } from '../../../src/dashboard/platform.ts';
import { until } from '../../support/until.ts';

function memory() {
  const kept = new Map<string, string>();
  return {
    get: (key: string) => kept.get(key) ?? null,
    set: (key: string, value: string) => void kept.set(key, value),
    remove: (key: string) => void kept.delete(key),
  };
}

describe('event streams', () => {
  const EXAMPLE =
    ': hello\nretry: 3000\n\nid: b-1\nevent: reading\ndata: {"a":\ndata: 1}\n\nid: b-2\r\nevent: device\r\ndata:x\r\n\r\nevent: empty\n\ndata: last\r\r';
  const EVENTS: StreamEvent[] = [
    { id: 'b-1', type: 'reading', data: '{"a":\n1}' },
    { id: 'b-2', type: 'device', data: 'x' },
    { id: 'b-2', type: 'message', data: 'last' },
  ];

  it('are read as the standard says, wherever they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: EXAMPLE.length }), { maxLength: 30 }), (cuts) => {
        const parser = createSseParser();
        const edges = [0, ...cuts.sort((a, b) => a - b), EXAMPLE.length];
        const pieces = edges.slice(1).map((to, index) => EXAMPLE.slice(edges[index], to));
        // A last CR could be half of a line end: what comes next tells.
        expect([...pieces, '\n'].flatMap((piece) => parser.push(piece))).toEqual(EVENTS);
      }),
      { seed: 13, numRuns: 300 },
    );
  });

  it('say what changed; what a newer server says beyond that is no error', () => {
    const reading =
      '{"device_id":"a","room_id":null,"received_at":"2026-11-21T12:00:01.000Z","ts":"2026-11-21T12:00:00.000Z","temperature":0,"humidity":0}';
    expect(changeFromWire({ id: '1', type: 'reading', data: reading })).toEqual({
      kind: 'reading',
      receivedMs: Date.parse('2026-11-21T12:00:01Z'),
      reading: { deviceUid: 'a', tsMs: Date.parse('2026-11-21T12:00Z'), celsius: 0, percent: 0 },
    });
    expect(changeFromWire({ id: '1', type: 'surprise', data: '?' })).toBeUndefined();
  });
});

describe('the server’s clock', () => {
  it('counts by what the server says, not by a phone that is two hours off', () => {
    let monotonic = 1000;
    const clock = createServerClock({ nowMs: () => Date.parse('2026-11-21T10:00:00Z'), monotonicMs: () => monotonic });
    clock.tell('Sat, 21 Nov 2026 12:00:00 GMT');
    expect(Math.abs(clock.nowMs() - Date.parse('2026-11-21T12:00:00Z'))).toBeLessThanOrEqual(500);
    monotonic += 60_000;
    const minuteLater = clock.nowMs();
    clock.tell('Sat, 21 Nov 2026 12:01:00 GMT');
    expect(clock.nowMs()).toBe(minuteLater);
    clock.tell(null);
    clock.tell('nonsense');
    expect(clock.nowMs()).toBe(minuteLater);
  });
});

describe('asking the server', () => {
  const clock = createServerClock({ nowMs: () => 0, monotonicMs: () => 0 });
  const denied = (status: number) => Response.json({ error: 'this needs a token', code: 'UNAUTHORIZED' }, { status });
  const clientOf = (answer: (request: Request) => Response | Promise<Response>) => {
    const tokens = createTokens(memory(), 'http://house/x/');
    const requests: Request[] = [];
    const fetch = async (url: unknown, init?: RequestInit) => {
      const request = new Request(String(url), { ...init, signal: null });
      requests.push(request);
      return await answer(request);
    };
    return { tokens, requests, client: createApiClient({ base: 'http://house/x/', fetch, tokens, clock }) };
  };

  it('stays under the prefix that the page came from, and repeats what is listed', async () => {
    const { client, requests } = clientOf(() => Response.json({ data: 1 }));
    await client.json('series', { query: { device: ['a', 'b'], room: [], tz: 'Europe/Brussels', after: undefined } });
    expect(requests[0]?.url).toBe('http://house/x/api/v1/series?device=a&device=b&tz=Europe%2FBrussels');
  });

  it('an error is what the server said, and silence is told as such', async () => {
    const { client } = clientOf(() =>
      Response.json({ error: 'there is no device "x"', code: 'DEVICE_NOT_FOUND' }, { status: 404 }),
    );
    await expect(client.json('devices/x')).rejects.toMatchObject({
      status: 404,
      code: 'DEVICE_NOT_FOUND',
      message: 'there is no device "x"',
    });
    const html = clientOf(() => new Response('<h1>Bad gateway</h1>', { status: 502 }));
    await expect(html.client.json('devices')).rejects.toMatchObject({ status: 502, isUnreachable: true });
    const gone = clientOf(() => Promise.reject(new TypeError('fetch failed')));
    await expect(gone.client.json('devices')).rejects.toMatchObject({ status: 0, isUnreachable: true });
  });

  it('asks for a token once for all that was refused, tries again with it, and keeps it', async () => {
    const { client, tokens, requests } = clientOf((request) =>
      request.headers.get('authorization') === 'Bearer right' ? Response.json({ data: 1 }) : denied(401),
    );
    let asked = 0;
    tokens.question.watch((question) => {
      asked += question === null ? 0 : 1;
      question?.answer('right', true);
    });
    await Promise.all([client.json('a'), client.json('b'), client.open('c', { method: 'PUT', body: {} })]);
    await client.json('d');
    expect(asked).toBe(1);
    expect(requests.at(-1)?.headers.get('authorization')).toBe('Bearer right');
  });

  it('says so when the token is wrong, and gives up when nobody has one', async () => {
    const { client, tokens } = clientOf(() => denied(401));
    const questions: boolean[] = [];
    const answers = ['wrong', undefined];
    tokens.question.watch((question) => {
      if (question === null) return;
      questions.push(question.isWrong);
      question.answer(answers[questions.length - 1], false);
    });
    await expect(client.json('a')).rejects.toBeInstanceOf(ApiError);
    expect(questions).toEqual([false, true]);
    await expect(client.json('a')).rejects.toMatchObject({ status: 401 });
    expect(questions).toHaveLength(2);
  });

  it('a token that may only read is asked about when something is written', async () => {
    const { client, tokens } = clientOf((request) =>
      request.headers.get('authorization') === 'Bearer writer' ? Response.json({}) : denied(403),
    );
    void tokens.invite();
    tokens.question.get()?.answer('reader', false);
    const whys: string[] = [];
    tokens.question.watch((question) => {
      if (question !== null) whys.push(`${question.why} ${question.isWrong}`);
      question?.answer('writer', false);
    });
    await client.open('devices/a', { method: 'DELETE' });
    expect(whys).toEqual(['write true']);
  });
});

describe('following the server', () => {
  /** A stream that ends when told, and a clock that only the test moves. */
  const rig = () => {
    const headers: (string | undefined)[] = [];
    const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
    let monotonic = 0;
    const timers: (() => void)[] = [];
    let refusals = 0;
    const log: string[] = [];
    const stream = createLiveStream({
      client: {
        open: async (_path, request) => {
          headers.push(request?.headers?.['last-event-id']);
          if (refusals > 0) {
            refusals -= 1;
            throw new ApiError(0, 'UNREACHABLE', 'away');
          }
          return await Promise.resolve(
            new Response(
              new ReadableStream<Uint8Array>({
                start(controller) {
                  streams.push(controller);
                  request?.signal?.addEventListener('abort', () => controller.error(request.signal?.reason));
                },
              }),
            ),
          );
        },
      },
      platform: {
        random: () => 0.5,
        monotonicMs: () => monotonic,
        sleep: (ms) => {
          log.push(`wait ${ms}`);
          return new Promise((resolve) => setImmediate(resolve));
        },
        every: (_ms, signal, callback) => {
          timers.push(() => !signal.aborted && callback());
        },
      },
      onOpen: () => log.push('open'),
      onEvent: ({ data }) => log.push(data),
      onAlive: () => undefined,
      onLost: () => log.push('lost'),
    });
    const say = (text: string) => streams.at(-1)?.enqueue(new TextEncoder().encode(text));
    return {
      stream,
      log,
      headers,
      say,
      end: () => streams.at(-1)?.close(),
      pass: (ms: number) => {
        monotonic += ms;
        for (const timer of timers) timer();
      },
      refuse: (times: number) => {
        refusals = times;
      },
      has: async (text: string, times = 1) =>
        await until(
          `${text} ${times} times in ${log.join()}`,
          () => log.filter((line) => line === text).length >= times,
        ),
    };
  };

  it('comes back by itself where it left off, and waits longer each time that fails', async () => {
    const { stream, log, headers, say, end, refuse, has } = rig();
    const ending = new AbortController();
    const running = stream.run(ending.signal);
    await has('open');
    say('retry: 3000\nid: b-6\n\ndata: first\n\nid: b-7\n\n');
    await has('first');
    refuse(3);
    end();
    await has('open', 2);
    expect(headers).toEqual([undefined, 'b-7', 'b-7', 'b-7', 'b-7']);
    expect(log.filter((line) => line.startsWith('wait'))).toEqual(['wait 750', 'wait 1500', 'wait 3000', 'wait 6000']);
    ending.abort();
    await running;
  });

  it('a connection without a byte for 40 seconds is dead, whatever it says', async () => {
    const { stream, say, pass, has, log } = rig();
    const ending = new AbortController();
    const running = stream.run(ending.signal);
    await has('open');
    pass(39_000);
    say(': heartbeat\n\n');
    say('data: alive\n\n');
    await has('alive');
    pass(39_000);
    expect(log).not.toContain('lost');
    pass(2_000);
    await has('open', 2);
    expect(log).toContain('lost');
    ending.abort();
    await running;
  });
});
