import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LinkError, linkError } from '../../../src/mqtt/errors.ts';
import { runSessions, type SessionEnd } from '../../../src/mqtt/session-loop.ts';
import { createLiveValue, type LiveValue } from '../../../src/platform/live.ts';
import { LoopHeartbeat } from '../../../src/platform/systemd.ts';
import type { MqttSection } from '../../../src/server/config.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { serverMqtt } from '../../support/ingest-rig.ts';
import { recordingProgress } from '../../support/recording.ts';

const PEER = { host: '127.0.0.1', port: 1883 };
const LONGEST_MS = 600_000;

let clock: FakeClock;
let mqtt: LiveValue<MqttSection>;
let stop: AbortController;
let running: Promise<void>;
/** Versions of the attempts, in order. */
let attempts: (4 | 5)[];
let ends: (SessionEnd | undefined)[];
/** Why an attempt with that version fails; undefined where it does not. */
let refusal: (version: 4 | 5) => LinkError | undefined;
/** Ends the session that is open. */
let endIt: (error: LinkError) => void;

beforeEach(() => {
  clock = new FakeClock();
  mqtt = createLiveValue(serverMqtt(1883, { protocol: 'auto', reconnectMinMs: 1_000, reconnectMaxMs: LONGEST_MS }));
  stop = new AbortController();
  attempts = [];
  ends = [];
  refusal = () => undefined;
});

afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await running;
});

async function start(): Promise<void> {
  running = runSessions<{ readonly mqtt: MqttSection }, string>(
    {
      clock,
      // The shortest pause that may be.
      random: () => 0,
      heartbeat: new LoopHeartbeat(clock, recordingProgress(), Number.POSITIVE_INFINITY),
      sections: [mqtt],
      settings: () => ({ mqtt: mqtt.current }),
      identity: (settings) => [settings.mqtt.instance],
      open: (_settings, version) => {
        attempts.push(version);
        const error = refusal(version);
        return error === undefined ? Promise.resolve('session') : Promise.reject(error);
      },
      run: async (_session, _settings, signal) =>
        await new Promise((resolve) => {
          endIt = resolve;
          signal.addEventListener('abort', () => resolve(undefined), { once: true });
        }),
      onConnected: () => undefined,
      onEnded: (_settings, end) => void ends.push(end),
    },
    stop.signal,
  );
  await clock.advance(0);
}

describe('the loop of sessions', () => {
  it('tries the older protocol at once where the broker hangs up on the newer one', async () => {
    refusal = (version) =>
      version === 5 ? linkError('LINK_CLOSED_EARLY', PEER, 'hung up before it answered') : undefined;
    await start();
    expect(attempts).toEqual([5, 4]);
  });

  it('keeps a session when only the pauses between attempts change, and takes them from then on', async () => {
    await start();
    mqtt.set({ ...mqtt.current, reconnectMinMs: 5_000 });
    await clock.advance(1_000);
    expect(ends).toEqual([]);
    endIt(linkError('LINK_OFFLINE', PEER, 'the broker closed the connection'));
    await clock.advance(4_999);
    expect(attempts).toHaveLength(1);
    await clock.advance(1);
    expect(attempts).toHaveLength(2);
  });

  it('makes another connection when the config names another client', async () => {
    await start();
    mqtt.set({ ...mqtt.current, instance: 'other' });
    await clock.advance(0);
    expect(attempts).toHaveLength(2);
    expect(ends).toEqual([undefined]);
  });

  it('ends a pause at any change of the config', async () => {
    refusal = () => linkError('LINK_CREDENTIALS', PEER, 'wrong password');
    await start();
    await clock.advance(LONGEST_MS / 2 - 1);
    expect(attempts).toHaveLength(1);
    mqtt.set({ ...mqtt.current, reconnectMaxMs: LONGEST_MS - 1 });
    await clock.advance(0);
    expect(attempts).toHaveLength(2);
  });

  it('is patient where another client pushes us out, since both come back each time', async () => {
    await start();
    endIt(linkError('LINK_OFFLINE', PEER, 'taken over (code 142)', undefined, 0x8e));
    await clock.advance(LONGEST_MS / 2 - 1);
    expect(attempts).toHaveLength(1);
    await clock.advance(1);
    expect(attempts).toHaveLength(2);
    expect(ends).toMatchObject([{ lastedMs: 0 }]);
  });
});
