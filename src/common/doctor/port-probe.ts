import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '../clock.ts';
import { withDeadline } from '../deadline.ts';

/** What a port turned out to speak. `silent`: it takes the connection, but says nothing that could be recognised. */
export type Speech = 'mqtt' | 'tls' | 'http' | 'ssh' | 'mail' | 'silent' | 'unknown';

const ANSWER_LIMIT_MS = 3_000;
const CLIENT_ID = 'techtemp-check-port';
/** CONNACK (MQTT 3.1.1, 3.2.1): packet type 2. Any return code proves a broker. */
const CONNACK = 0x20;
/** TLS records: alert and handshake (RFC 8446, 5.1). */
const TLS_RECORDS: readonly number[] = [0x15, 0x16];

/**
 * Finds out what listens on a port, once the attempt to use it as a broker has failed without a clear reason: says hello
 * in MQTT and looks at the first bytes that come back, then tries a TLS handshake without believing any certificate.
 * Never rejects but with the signal's reason.
 */
export async function probePort(
  host: string,
  port: number,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<Speech> {
  const limits = { clock, limitMs: ANSWER_LIMIT_MS, what: 'the answer', signal };
  const socket = connectTcp({ host, port });
  try {
    const answer = await withDeadline(firstBytes(socket), limits).catch(() => Buffer.alloc(0));
    signal.throwIfAborted();
    if (answer.length > 0) return recognise(answer);
  } finally {
    socket.destroy();
  }
  const secure = connectTls({ host, port, rejectUnauthorized: false });
  try {
    return await withDeadline(handshake(secure), limits).catch(() => 'silent' as const);
  } finally {
    secure.destroy();
  }
}

/** The first bytes that come in answer to CONNECT; none where the connection ends without. */
async function firstBytes(socket: Socket): Promise<Buffer> {
  return await new Promise((resolve) => {
    socket.once('connect', () => socket.write(connectPacket()));
    socket.once('data', resolve);
    socket.once('error', () => resolve(Buffer.alloc(0)));
    socket.once('close', () => resolve(Buffer.alloc(0)));
  });
}

async function handshake(socket: Socket): Promise<Speech> {
  return await new Promise((resolve) => {
    socket.once('secureConnect', () => resolve('tls'));
    socket.once('error', () => resolve('silent'));
    socket.once('close', () => resolve('silent'));
  });
}

function recognise(answer: Buffer): Speech {
  const text = answer.toString('latin1');
  if (answer[0] === CONNACK && answer[1] === 2) return 'mqtt';
  if (TLS_RECORDS.includes(answer[0] ?? 0) && answer[1] === 3) return 'tls';
  if (text.startsWith('HTTP/') || /^<(!doctype|html)/i.test(text)) return 'http';
  if (text.startsWith('SSH-')) return 'ssh';
  if (/^220[ -]|^\* OK/.test(text)) return 'mail';
  return 'unknown';
}

/** CONNECT of MQTT 3.1.1 (3.1): clean session, keep-alive 10 s, no login. */
function connectPacket(): Buffer {
  const id = Buffer.from(CLIENT_ID);
  const body = Buffer.concat([Buffer.from([0, 4, ...Buffer.from('MQTT'), 4, 0b10, 0, 10, 0, id.length]), id]);
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}
