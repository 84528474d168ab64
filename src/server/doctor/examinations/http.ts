import { access, constants } from 'node:fs/promises';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createServer } from 'node:net';
import { isLoopbackHost } from '../../../config/web-formats.ts';
import { asRecord, parseJson, WireError } from '../../../contract/json.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import type { HttpSection } from '../../config.ts';
import type { Token } from '../../store/store.ts';
import { report } from '../findings/catalogue.ts';

const ANSWER_LIMIT_MS = 5_000;
const MAX_ANSWER_BYTES = 65_536;
/** Errors that say that nothing answered, and not that another server is there. */
const NO_ANSWER: readonly string[] = [
  'NO_ANSWER',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
];

class NoAnswerError extends Error {
  readonly code = 'NO_ANSWER';

  constructor() {
    super(`no answer within ${ANSWER_LIMIT_MS} ms`);
  }
}

/** What answers where our server should. */
export type HttpLook =
  | { readonly state: 'ours'; readonly isReady: boolean; readonly parts: string }
  | { readonly state: 'other'; readonly problem: string }
  /** Something is there, or may be, that did not say what it is. */
  | { readonly state: 'silent'; readonly problem: string }
  | { readonly state: 'nobody' };

export interface HttpParts {
  readonly http: HttpSection;
  readonly configFile: string;
  readonly unit: string;
  readonly look: () => Promise<HttpLook>;
}

/** Our own server where it should answer, or whether it could. */
export function httpExamination({ http, configFile: file, unit, look }: HttpParts): Examination {
  const { host, port } = http;
  return {
    id: 'http',
    title: 'HTTP',
    run: async () => {
      if (port === 0) return [report('http.any-port')];
      const found = await look();
      if (found.state === 'other') return [report('http.taken', { host, port, problem: found.problem, file })];
      const obstacle = found.state === 'ours' ? undefined : await listenProblem(host, port);
      if (found.state === 'silent' && obstacle?.includes('EADDRNOTAVAIL') !== true) {
        return [report('http.silent', { host, port, problem: found.problem, unit })];
      }
      if (found.state === 'ours') {
        const { isReady, parts } = found;
        return [
          isReady
            ? report('http.ready', { url: urlOf(http, '') })
            : report('http.not-ready', { url: urlOf(http, ''), parts, unit }),
        ];
      }
      return [
        obstacle === undefined
          ? report('http.free', { host, port })
          : report('http.bad-address', { host, port, problem: obstacle, file }),
      ];
    },
  };
}

export interface ExposureParts {
  readonly http: HttpSection;
  readonly configFile: string;
  readonly nowMs: number;
  /** Undefined where the store cannot be asked. */
  readonly tokens: () => Promise<readonly Token[] | undefined>;
}

/** Who can reach the server, and what protects it. */
export function exposureExamination({ http, configFile, nowMs, tokens }: ExposureParts): Examination {
  const { host, tlsCertFile, tlsKeyFile, reading, writing } = http;
  return {
    id: 'exposure',
    title: 'Exposure',
    run: async () => {
      const isLocal = isLoopbackHost(host);
      const findings: Finding[] = [];
      const files = [tlsCertFile, tlsKeyFile].filter((file) => file !== '');
      for (const file of files) {
        const problem = await access(file, constants.R_OK).then(() => undefined, errorCode);
        if (problem !== undefined) findings.push(report('exposure.tls-file', { file, problem }));
      }
      if (!isLocal && files.length === 0) findings.push(report('exposure.no-tls', { host, file: configFile }));
      const inForce = (await tokens())?.filter(
        ({ revokedMs, expiresMs }) => revokedMs === null && (expiresMs === null || expiresMs > nowMs),
      );
      const needed = { write: writing === 'token' || !isLocal, read: reading === 'token' };
      const canWrite = inForce?.some(({ scope }) => scope === 'write') ?? true;
      if (needed.write && !canWrite) findings.push(report('exposure.no-token', { what: 'write', scope: 'write' }));
      else if (needed.read && inForce?.length === 0) {
        findings.push(report('exposure.no-token', { what: 'read', scope: 'read' }));
      }
      if (findings.length > 0) return findings;
      if (isLocal) return [report('exposure.loopback', { host })];
      return [report('exposure.guarded', { host, tokens: inForce?.length ?? 'an unknown number of' })];
    },
  };
}

/** Asks whatever listens there whether it is our server, and ready. Never rejects. */
export async function lookAtHttp(http: HttpSection): Promise<HttpLook> {
  if (http.port === 0) return { state: 'nobody' };
  try {
    const { status, body } = await get(urlOf(http, '/ready'));
    const answer = asRecord(parseJson(body), 'an answer');
    const parts = asRecord(answer['parts'], 'parts');
    return { state: 'ours', isReady: status === 200, parts: problemsOf(parts) };
  } catch (error) {
    if (error instanceof WireError)
      return { state: 'other', problem: 'its answer does not come from a TechTemp server' };
    const code = errorCode(error);
    if (code === 'ECONNREFUSED' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return { state: 'nobody' };
    const problem = error instanceof Error ? error.message : code;
    return { state: NO_ANSWER.includes(code) ? 'silent' : 'other', problem };
  }
}

function problemsOf(parts: Readonly<Record<string, unknown>>): string {
  const problems = Object.entries(parts).flatMap(([name, part]) => {
    const { ok, problem } = asRecord(part, name);
    if (ok === true) return [];
    return [typeof problem === 'string' ? `${name}: ${problem}` : name];
  });
  return problems.join('; ');
}

async function get(url: string): Promise<{ readonly status: number; readonly body: string }> {
  return await new Promise((resolve, reject) => {
    const take = (response: IncomingMessage): void => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > MAX_ANSWER_BYTES) response.destroy();
      });
      response.on('close', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    };
    const options = { timeout: ANSWER_LIMIT_MS, headers: { accept: 'application/json' } };
    const request = url.startsWith('https:')
      ? // Only whether it answers: whom its certificate convinces is the visitors' business.
        requestHttps(url, { ...options, rejectUnauthorized: false }, take)
      : requestHttp(url, options, take);
    request.on('timeout', () => request.destroy(new NoAnswerError()));
    request.on('error', reject);
    request.end();
  });
}

/** Why it was not possible to listen there; the port is taken for a moment and given back. */
async function listenProblem(host: string, port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** An address for everybody is asked on loopback. */
function urlOf({ host, port, basePath, tlsCertFile }: HttpSection, path: string): string {
  const asked = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const name = asked.includes(':') ? `[${asked}]` : asked;
  return `${tlsCertFile === '' ? 'http' : 'https'}://${name}:${port}${basePath}${path}`;
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);
}
