import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { type Told, told } from './http-rig.ts';

/** A request over a real connection, each with one of its own. Headers go out as given, `Host` too. */
export async function request(
  url: string,
  options: RequestOptions & { readonly body?: string | Buffer; readonly ca?: string } = {},
): Promise<Told> {
  const { body, ...rest } = options;
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return await new Promise((resolve, reject) => {
    const sent = send(url, { agent: false, ...rest }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        resolve(told(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString('utf8')));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** Sends bytes as they are; resolves with everything that came back once the other side has ended the connection. */
export async function rawExchange(port: number, bytes: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('error', reject);
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}
