import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LinkError, linkError } from '../../../../src/mqtt/errors.ts';
import { LoopHeartbeat } from '../../../../src/platform/systemd.ts';
import type { MqttConnection } from '../../../../src/server/mqtt/connection.ts';
import { ConnectionLoop } from '../../../../src/server/mqtt/connection-loop.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { serverMqtt } from '../../../support/ingest-rig.ts';
import { recordingLog, recordingProgress, testLive } from '../../../support/recording.ts';

const PEER = { host: '127.0.0.1', port: 1883 };

let clock: FakeClock;
let log: ReturnType<typeof recordingLog>;
let stop: AbortController;
let running: Promise<void>;
let loop: ConnectionLoop;
/** Ends the connection that is open. */
let endIt: (error: LinkError) => void;
/** Why no connection can be made; undefined while one can. */
let refusal: LinkError | undefined;

beforeEach(() => {
  clock = new FakeClock();
  log = recordingLog();
  stop = new AbortController();
  refusal = undefined;
  loop = new ConnectionLoop({
    mqtt: testLive(serverMqtt(1883, { reconnectMinMs: 1_000, reconnectMaxMs: 1_000 })),
    clock,
    random: () => 1,
    log,
    heartbeat: new LoopHeartbeat(clock, recordingProgress(), Number.POSITIVE_INFINITY),
    env: {},
    openConnection: () => {
      const connection = { protocolVersion: 5, sessionPresent: true, end: () => Promise.resolve() };
      return refusal === undefined ? Promise.resolve(connection as unknown as MqttConnection) : Promise.reject(refusal);
    },
    receiveMaximum: 10,
    answerTimeoutMs: 1_000,
    will: () => ({ topic: 't', payload: '', retain: true }),
    incoming: { maxPayloadBytes: () => 1_000, onMessage: () => undefined, onRead: () => undefined },
    converse: async (_connection, _mqtt, signal) =>
      await new Promise((resolve) => {
        endIt = resolve;
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
      }),
  });
  running = loop.run(stop.signal);
});

afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await running;
});

async function endAfter(ms: number, error: LinkError): Promise<void> {
  await clock.advance(ms);
  endIt(error);
  await clock.advance(2_500);
}

const closed = (): LinkError => linkError('LINK_OFFLINE', PEER, 'the broker closed the connection');
const takenOver = (): LinkError => linkError('LINK_OFFLINE', PEER, 'taken over (code 142)', undefined, 0x8e);
const said = (level: string): string[] =>
  log.lines.filter((line) => line.level === level).map(({ message }) => message);

// C10
describe('two servers with one client id', () => {
  it('is told as a problem also while the connection is open, until one has lasted', async () => {
    await endAfter(1_000, takenOver());
    expect(loop.state().link).toBe('connected');
    expect(loop.state().instability).toContain('another client has logged in as techtemp-server-main');
    await clock.advance(29_000);
    expect(loop.state().instability).toBeUndefined();
  });

  it('is guessed where the broker gives no reason', async () => {
    for (let times = 0; times < 3; times += 1) await endAfter(1_000, closed());
    expect(loop.state().instability).toContain('two servers with instance = main');
  });
});

// B10
describe('a connection that is back', () => {
  it('is said at info after an outage', async () => {
    refusal = linkError('LINK_CONNECTION_REFUSED', PEER, 'nothing listens there');
    await endAfter(60_000, closed());
    await clock.advance(120_000);
    expect(log.lines.filter(({ level }) => level !== 'debug').at(-1)?.message).toContain('nothing listens there');
    refusal = undefined;
    await clock.advance(5_000);
    expect(log.lines.filter(({ level }) => level !== 'debug').at(-1)).toMatchObject({
      level: 'info',
      message: 'connected to the MQTT broker 127.0.0.1:1883',
    });
  });

  it('is said at info once it has lasted, where those before it ended at once', async () => {
    for (let times = 0; times < 5; times += 1) await endAfter(1_000, closed());
    const infos = said('info').length;
    await clock.advance(30_000);
    expect(said('info')).toHaveLength(infos + 1);
    expect(log.lines.at(-1)).toMatchObject({ level: 'info' });
  });
});
