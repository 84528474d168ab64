import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { FastifyServerOptions } from 'fastify';
import type { Random } from '../../platform/clock.ts';
import type { HttpSection } from '../config.ts';
import { ApiError, errorBody } from './errors.ts';
import { CONNECTION_LIMITS, SERVER_LIMITS } from './security/limits.ts';

/** A TLS file that can't be used. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError';
  readonly code = 'TLS_FILE';
}

/** Random text that names a request in answers and log lines; letters that are not mistaken for each other. */
const REFERENCE_LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const REFERENCE_LENGTH = 10;

/** What the parser of HTTP complains about before there is a request. */
const CONNECTION_FAULTS: Readonly<
  Record<string, readonly [status: number, reason: string, code: string, message: string]>
> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'REQUEST_TIMEOUT', 'the request took too long to arrive'],
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'HEADERS_TOO_LARGE', 'the headers are too large'],
};

/** How Fastify is made. @throws TlsFileError when a configured file is missing or unreadable */
export async function serverOptions(settings: HttpSection, random: Random): Promise<FastifyServerOptions> {
  const tls = await readTlsFiles(settings);
  return {
    ...SERVER_LIMITS,
    // Nothing is logged behind our back: a request's headers and address must not reach a log.
    logger: false,
    trustProxy: settings.trustProxy.length === 0 ? false : [...settings.trustProxy],
    requestIdHeader: false,
    genReqId: () => reference(random),
    rewriteUrl: (request) => withoutTrailingSlash(withoutPrefix(request.url ?? '/', settings.basePath)),
    clientErrorHandler: answerConnectionFault,
    // One of both, by what Fastify looks at; its types know one at a time.
    ...(tls === undefined ? { http: CONNECTION_LIMITS } : ({ https: { ...CONNECTION_LIMITS, ...tls } } as object)),
  };
}

/**
 * `http.base_path` is where people see the server. A proxy may take the prefix away before it passes a request on, or leave it: both
 * are understood, so that the proxy's configuration can be either. What the server says about its own address always has it.
 */
export function withoutPrefix(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest === '' || rest.startsWith('?')) return `/${rest}`;
  return rest.startsWith('/') ? rest : url;
}

/** `/api/v1/devices/` is `/api/v1/devices`, as with the older server. The pages keep theirs: their addresses are relative. */
export function withoutTrailingSlash(url: string): string {
  return url.replace(/^(\/api\/v1\/[^?]*[^/?]|\/health|\/ready|\/metrics)\/(?=\?|$)/, '$1');
}

async function readTlsFiles({
  tlsCertFile,
  tlsKeyFile,
}: HttpSection): Promise<{ readonly cert: Buffer; readonly key: Buffer } | undefined> {
  if (tlsCertFile === '' && tlsKeyFile === '') return undefined;
  if (tlsCertFile === '' || tlsKeyFile === '') {
    throw new TlsFileError('http.tls_cert_file and http.tls_key_file belong together: give both or none');
  }
  return { cert: await readPem('tls_cert_file', tlsCertFile), key: await readPem('tls_key_file', tlsKeyFile) };
}

async function readPem(key: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new TlsFileError(
      `http.${key}: ${path} cannot be read (${(cause as Error).message}); check path and permissions`,
      { cause },
    );
  }
}

function answerConnectionFault(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason, code, message] = CONNECTION_FAULTS[error.code ?? ''] ?? [
    400,
    'Bad Request',
    'BAD_REQUEST',
    'this is not an HTTP request that can be understood',
  ];
  const body = JSON.stringify(errorBody(new ApiError(status, code, message)));
  const head = `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
  // A peer that never closes its end must not keep ours.
  socket.end(head + body, () => socket.destroy());
}

function reference(random: Random): string {
  const letters = Array.from(
    { length: REFERENCE_LENGTH },
    () => REFERENCE_LETTERS[Math.floor(random() * REFERENCE_LETTERS.length)],
  );
  return letters.join('');
}
