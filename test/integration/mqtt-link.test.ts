import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createOpenLink } from '../../src/device/mqtt/client.ts';
import { LinkError, type LinkErrorCode, type LinkOptions, type LinkSession } from '../../src/device/mqtt/session.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { linkOptions } from '../support/link-options.ts';
import { freePort } from '../support/ports.ts';
import { type Manners, ScriptedBroker } from '../support/scripted-broker.ts';
import { until } from '../support/until.ts';

const openLink = createOpenLink({ clock: createSystemClock() });
const never = new AbortController().signal;
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function scripted(manners: Partial<Manners> = {}): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start(manners);
  closing.push(async () => broker.stop());
  return broker;
}

async function connected(port: number, changes: Partial<LinkOptions> = {}): Promise<LinkSession> {
  const session = await openLink(linkOptions(port, changes), never);
  closing.push(async () => session.end(0));
  return session;
}

async function failure(promise: Promise<unknown>): Promise<LinkError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LinkError);
  return error as LinkError;
}

describe('a connection to the broker', () => {
  it('says in CONNECT who it is, and leaves a retained will of QoS 1 with its properties', async () => {
    const broker = await scripted();
    await connected(broker.port, { username: 'u', password: 'p', keepaliveMs: 30_000 });
    expect(broker.connects[0]).toMatchObject({
      clientId: 'techtemp-test',
      protocolVersion: 5,
      clean: true,
      keepalive: 30,
      username: 'u',
      will: { topic: 'home/h/sensors/u/status', qos: 1, retain: true },
    });
    expect(broker.connects[0]?.will?.payload.toString()).toBe('{"state":"offline"}');
    expect(broker.connects[0]?.will?.properties).toMatchObject({ contentType: 'application/json' });
  });

  it('speaks MQTT 3.1.1 when told to', async () => {
    const broker = await scripted({ only: 4 });
    const session = await connected(broker.port, { protocolVersion: 4 });
    await session.publish({ topic: 'a', payload: 'x', retain: false });
    expect(session).toMatchObject({ protocolVersion: 4, receiveMaximum: 65_535, maximumPacketSize: Infinity });
    expect(broker.connects[0]).toMatchObject({ protocolVersion: 4 });
    expect(broker.received).toEqual([{ topic: 'a', payload: 'x', retain: false, dup: false }]);
  });

  it('X7: reads Receive Maximum and Maximum Packet Size, which mqtt.js ignores', async () => {
    const broker = await scripted({ receiveMaximum: 3, maximumPacketSize: 512 });
    const session = await connected(broker.port);
    expect(session).toMatchObject({ receiveMaximum: 3, maximumPacketSize: 512 });
  });

  it('sends nothing that is larger than the broker takes, to the byte', async () => {
    const broker = await scripted({ maximumPacketSize: 300 });
    const session = await connected(broker.port);
    // Fixed header 3 (length of two bytes), topic 2 + 1, packet id 2, properties 1.
    await session.publish({ topic: 't', payload: 'x'.repeat(300 - 3 - 6), retain: false });
    const error = await failure(session.publish({ topic: 't', payload: 'x'.repeat(300 - 3 - 5), retain: false }));
    expect(error.code).toBe('LINK_TOO_LARGE');
    expect(error.message).toContain('301 bytes on t: the broker takes at most 300');
    expect(broker.violations).toEqual([]);
    expect(broker.received).toHaveLength(1);
  });

  it('hands on messages in order, and tells which ones had been retained', async () => {
    const broker = await scripted();
    const messages: unknown[] = [];
    await connected(broker.port, { onMessage: (...message) => messages.push(message) });
    broker.send('a', 'one', { retain: true });
    broker.send('b', 'zwölf °C');
    await until('both messages came', () => messages.length === 2);
    expect(messages).toEqual([
      ['a', 'one', true],
      ['b', 'zwölf °C', false],
    ]);
  });
});

describe('an attempt that fails', () => {
  const refusals: readonly (readonly [4 | 5, number, LinkErrorCode, string])[] = [
    [4, 1, 'LINK_PROTOCOL_VERSION', 'version of MQTT'],
    [4, 2, 'LINK_REFUSED', 'client id'],
    [4, 3, 'LINK_REFUSED', 'not available'],
    [4, 4, 'LINK_CREDENTIALS', 'username and password'],
    [4, 5, 'LINK_NOT_AUTHORIZED', 'username and password'],
    [5, 0x80, 'LINK_REFUSED', 'refused the connection'],
    [5, 0x84, 'LINK_PROTOCOL_VERSION', 'version of MQTT'],
    [5, 0x85, 'LINK_REFUSED', 'client id'],
    [5, 0x86, 'LINK_CREDENTIALS', 'username and password'],
    [5, 0x87, 'LINK_NOT_AUTHORIZED', 'username and password'],
    [5, 0x88, 'LINK_REFUSED', 'not available'],
    [5, 0x89, 'LINK_REFUSED', 'busy'],
    [5, 0x97, 'LINK_REFUSED', 'quota'],
    [5, 0x9f, 'LINK_REFUSED', 'too many connections'],
  ];
  for (const [protocolVersion, refuse, code, words] of refusals) {
    it(`X2: says ${code} for CONNACK ${refuse} of version ${protocolVersion}, and what to do`, async () => {
      const broker = await scripted({ connect: { refuse } });
      const error = await failure(openLink(linkOptions(broker.port, { protocolVersion }), never));
      expect(error).toMatchObject({ code, reasonCode: refuse });
      expect(error.message).toContain(`MQTT broker 127.0.0.1:${broker.port}: `);
      expect(error.message).toContain(words);
      await until('the connection is gone', () => broker.connections() === 0);
    });
  }

  it('knows a 3.1.1 broker that answers MQTT 5 in its own format', async () => {
    const broker = await scripted({ only: 4 });
    const error = await failure(openLink(linkOptions(broker.port), never));
    expect(error.code).toBe('LINK_PROTOCOL_VERSION');
  });

  it('tells a broker that hangs up before it answers from one that is not there', async () => {
    const broker = await scripted({ connect: 'close' });
    expect(await failure(openLink(linkOptions(broker.port), never))).toMatchObject({ code: 'LINK_CLOSED_EARLY' });
    const nobody = await failure(openLink(linkOptions(await freePort()), never));
    expect(nobody).toMatchObject({ code: 'LINK_CONNECTION_REFUSED' });
    expect(nobody.message).toContain('broker_port');
  });

  it('says LINK_DNS for a name that does not exist', async () => {
    const error = await failure(openLink(linkOptions(1883, { host: 'no-such-host.invalid' }), never));
    expect(error.code).toBe('LINK_DNS');
    expect(error.message).toContain('no-such-host.invalid:1883');
  });

  it('gives up on a port that accepts and says nothing', async () => {
    const broker = await scripted({ connect: 'silent' });
    const error = await failure(openLink(linkOptions(broker.port, { connectTimeoutMs: 200 }), never));
    expect(error).toMatchObject({ code: 'LINK_TIMEOUT' });
    expect(error.message).toContain('no MQTT answer within 0.2 s');
    await until('the connection is gone', () => broker.connections() === 0);
  });

  it('survives something that is no broker at all', async () => {
    const server = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(async () => new Promise((resolve) => server.close(() => resolve())));
    const { port } = server.address() as { port: number };
    const error = await failure(openLink(linkOptions(port), never));
    expect(['LINK_CLOSED_EARLY', 'LINK_OFFLINE']).toContain(error.code);
  });

  it('says so when the broker takes no QoS 1', async () => {
    const broker = await scripted({ maximumQoS: 0 });
    const error = await failure(openLink(linkOptions(broker.port), never));
    expect(error).toMatchObject({ code: 'LINK_REFUSED' });
    expect(error.message).toContain('QoS 1');
  });

  it('is called off by its signal, and leaves no connection behind', async () => {
    const broker = await scripted({ connect: 'silent' });
    const stop = new AbortController();
    const attempt = openLink(linkOptions(broker.port), stop.signal);
    await until('the broker saw it', () => broker.connects.length === 1);
    stop.abort(new Error('enough'));
    await expect(attempt).rejects.toThrow('enough');
    await until('the connection is gone', () => broker.connections() === 0);
  });
});

describe('publishing', () => {
  for (const code of [0x80, 0x83, 0x87, 0x90, 0x97, 0x99]) {
    it(`rejects when PUBACK says ${code}, and the session goes on`, async () => {
      const broker = await scripted({ puback: (topic) => (topic === 'bad' ? code : 0) });
      const session = await connected(broker.port);
      const error = await failure(session.publish({ topic: 'bad', payload: '', retain: false }));
      expect(error).toMatchObject({ code: 'LINK_PUBLISH_REFUSED', reasonCode: code });
      expect(error.message).toContain('bad');
      await session.publish({ topic: 'good', payload: '', retain: false });
    });
  }

  it('takes 0x10 (no matching subscribers) for success', async () => {
    const broker = await scripted({ puback: () => 0x10 });
    const session = await connected(broker.port);
    await session.publish({ topic: 'a', payload: '', retain: false });
  });

  it('X9: settles what is pending when the socket drops', async () => {
    const broker = await scripted({ puback: 'never' });
    const session = await connected(broker.port);
    const publishes = ['a', 'b', 'c'].map(async (topic) =>
      failure(session.publish({ topic, payload: '', retain: false })),
    );
    await until('they arrived', () => broker.received.length === 3);
    broker.cut('reset');
    for (const error of await Promise.all(publishes)) expect(error.code).toBe('LINK_OFFLINE');
    expect((await session.closed).code).toBe('LINK_OFFLINE');
  });

  it('X4, X6, X11: keeps nothing for later once the connection is over', async () => {
    const broker = await scripted();
    const session = await connected(broker.port);
    broker.cut();
    await session.closed;
    expect(await failure(session.publish({ topic: 'a', payload: '', retain: false }))).toMatchObject({
      code: 'LINK_OFFLINE',
    });
    expect(await failure(session.subscribe(['a']))).toMatchObject({ code: 'LINK_OFFLINE' });
    await until('the connection is gone', () => broker.connections() === 0);
    expect(broker.received).toEqual([]);
    expect(broker.connects).toHaveLength(1);
  });

  it('ends the session when a broker never acknowledges', async () => {
    const broker = await scripted({ puback: 'never' });
    const session = await connected(broker.port, { publishTimeoutMs: 150 });
    const error = await failure(session.publish({ topic: 'a', payload: '', retain: false }));
    expect(error).toMatchObject({ code: 'LINK_TIMEOUT' });
    expect((await session.closed).code).toBe('LINK_TIMEOUT');
  });

  it('X1: never relies on DUP: what is sent again is sent by us, on a new connection', async () => {
    const broker = await scripted({ puback: 'never' });
    const first = await connected(broker.port);
    const lost = failure(first.publish({ topic: 'a', payload: '1', retain: false }));
    await until('it arrived', () => broker.received.length === 1);
    broker.cut('reset');
    await lost;
    const second = await connected(broker.port);
    const again = failure(second.publish({ topic: 'a', payload: '1', retain: false }));
    await until('it arrived again', () => broker.received.length === 2);
    expect(broker.connects).toHaveLength(2);
    broker.cut();
    await again;
  });
});

describe('reason codes of MQTT 5', () => {
  it('A8: tells apart that nobody is subscribed', async () => {
    const broker = await scripted({ puback: (topic) => (topic === 'nobody' ? 0x10 : 0) });
    const session = await connected(broker.port);
    const said = ['nobody', 'somebody', 'nobody'].map(async (topic) =>
      session.publish({ topic, payload: '', retain: false }),
    );
    expect(await Promise.all(said)).toEqual(['by-nobody', 'taken', 'by-nobody']);
  });

  it('C2: names a message that is too large for the broker, and the connection goes on', async () => {
    const broker = await scripted({ puback: (topic) => (topic === 'large' ? 0x95 : 0) });
    const session = await connected(broker.port);
    const error = await failure(session.publish({ topic: 'large', payload: 'x', retain: false }));
    expect(error).toMatchObject({ code: 'LINK_TOO_LARGE', reasonCode: 0x95 });
    expect(error.message).toContain('larger than the broker takes');
    await session.publish({ topic: 'small', payload: '', retain: false });
    expect(broker.connects).toHaveLength(1);
  });

  it('C2: no code ends the connection that is about one message or one filter, whatever it is', async () => {
    const broker = await scripted({ puback: (topic) => Number(topic), suback: (filter) => Number(filter) });
    const session = await connected(broker.port);
    const codes = Array.from({ length: 256 }, (_, code) => code);
    const outcome = async (promise: Promise<unknown>): Promise<unknown> =>
      promise.then(
        () => undefined,
        (error: unknown) => (error instanceof LinkError ? error.reasonCode : error),
      );
    const refusedOnly = codes.map((code) => (code >= 0x80 ? code : undefined));
    const publishing = codes.map((code) => session.publish({ topic: String(code), payload: '', retain: false }));
    expect(await Promise.all(publishing.map(outcome))).toEqual(refusedOnly);
    const subscribing = codes.map(async (code) => session.subscribe([String(code)]));
    expect(await Promise.all(subscribing.map(outcome))).toEqual(refusedOnly);
    expect(broker.connects).toHaveLength(1);
  });

  it('C2: a goodbye with a code that nobody knows is passed on with its number', async () => {
    const broker = await scripted();
    const session = await connected(broker.port);
    broker.sendBytes(Buffer.from([0xe0, 0x02, 0xf1, 0x00]));
    expect(await session.closed).toMatchObject({ code: 'LINK_OFFLINE', reasonCode: 0xf1 });
  });
});

describe('subscribing', () => {
  it('names the filters that were refused, and keeps the others', async () => {
    const broker = await scripted({ suback: (filter) => (filter.startsWith('secret') ? 0x87 : 1) });
    const session = await connected(broker.port);
    const error = await failure(session.subscribe(['a', 'secret/b', 'c']));
    expect(error).toMatchObject({ code: 'LINK_SUBSCRIBE_REFUSED', reasonCode: 0x87 });
    expect(error.message).toContain('secret/b; check');
    await session.subscribe(['d']);
    await session.unsubscribe(['a']);
  });

  it('understands the refusal of a 3.1.1 broker', async () => {
    const broker = await scripted({ only: 4, suback: () => 0x80 });
    const session = await connected(broker.port, { protocolVersion: 4 });
    expect(await failure(session.subscribe(['a']))).toMatchObject({ code: 'LINK_SUBSCRIBE_REFUSED', reasonCode: 0x80 });
  });
});

describe('the end of a connection', () => {
  it('X8: a broker that goes silent without a word is noticed by the keepalive', async () => {
    const broker = await scripted();
    const session = await connected(broker.port, { keepaliveMs: 1_000 });
    broker.manners.mute = true;
    const started = process.hrtime.bigint();
    const error = await session.closed;
    expect(error.code).toBe('LINK_OFFLINE');
    expect(Number(process.hrtime.bigint() - started) / 1e6).toBeGreaterThan(900);
  });

  it('X10: passes on why the broker said goodbye', async () => {
    const broker = await scripted({ disconnectAfterConnack: 0x8b });
    const error = await (await connected(broker.port)).closed;
    expect(error).toMatchObject({ code: 'LINK_OFFLINE', reasonCode: 0x8b });
    expect(error.message).toContain('shutting down');
  });

  it('says what to do when another client takes the same client id', async () => {
    const broker = await scripted({ disconnectAfterConnack: 0x8e });
    const error = await (await connected(broker.port)).closed;
    expect(error.message).toContain('client_id');
  });

  it('says goodbye, so that the broker drops the will', async () => {
    const broker = await scripted();
    const session = await connected(broker.port);
    await session.end(5_000);
    await session.end(5_000);
    expect(broker.goodbyes).toBe(1);
    await session.closed;
  });

  it('X3: is bounded although a message is never acknowledged', async () => {
    const broker = await scripted({ puback: 'never' });
    const session = await connected(broker.port);
    const pending = failure(session.publish({ topic: 'a', payload: '', retain: false }));
    await until('it arrived', () => broker.received.length === 1);
    await session.end(100);
    expect((await pending).code).toBe('LINK_OFFLINE');
    await until('the connection is gone', () => broker.connections() === 0);
  });

  it('leaves no timer that keeps an idle connection awake', async () => {
    const broker = await scripted();
    const sleeps: number[] = [];
    const clock = createSystemClock();
    const counting = createOpenLink({
      clock: {
        ...clock,
        sleep: async (ms, signal) => {
          sleeps.push(ms);
          await clock.sleep(ms, signal).finally(() => sleeps.pop());
        },
      },
    });
    const session = await counting(linkOptions(broker.port, { publishTimeoutMs: 3_600_000 }), never);
    closing.push(async () => session.end(0));
    for (let n = 0; n < 20; n += 1) await session.publish({ topic: 'a', payload: String(n), retain: false });
    await sleep(0);
    await until('the limits are called off', () => sleeps.length === 0);
  });
});
