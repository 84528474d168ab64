import { type ExecFileException, execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { BrokerSettings } from '../mqtt/socket.ts';
import type { Clock } from '../platform/clock.ts';
import { withDeadline } from '../platform/tasks.ts';
import type { Finding } from './finding.ts';
import { report } from './findings/catalogue.ts';

/** What the doctor asks of the machine besides buses and brokers. Tests give it another root and other programs. */
export interface Machine {
  /** `/`, or a folder that holds a tree of `proc`, `sys`, `run` to be looked at in its place. */
  readonly root: string;
  /** As `process.versions.node`. */
  readonly nodeVersion: string;
  /** Effective user id; 0 is root. */
  readonly uid: number;
  readonly runProgram: RunProgram;
}

/** What became of a program that was asked. Only `missing` means that it is not there: a program that is silent has said nothing. */
export type ProgramAnswer =
  | { readonly state: 'ended'; readonly exitCode: number; readonly output: string; readonly errors: string }
  | { readonly state: 'missing' }
  /** `problem` for people: `systemctl gave no answer within 10 s`. */
  | { readonly state: 'silent'; readonly problem: string };

/** Runs a program for at most a few seconds. Never rejects. */
type RunProgram = (program: string, args: readonly string[]) => Promise<ProgramAnswer>;

const PROGRAM_LIMIT_MS = 10_000;

/** This machine. `path` is the search path for programs. */
export function createMachine(env: NodeJS.ProcessEnv): Machine {
  return {
    root: '/',
    nodeVersion: process.versions.node,
    uid: process.geteuid?.() ?? 0,
    runProgram: (program, args) => runProgram(program, args, env),
  };
}

async function runProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<ProgramAnswer> {
  // Programs translate their words: what is parsed here is asked for in the untranslated form.
  const options = { env: { ...env, LC_ALL: 'C' }, timeout: PROGRAM_LIMIT_MS, encoding: 'utf8' } as const;
  return await new Promise((resolve) => {
    execFile(program, [...args], options, (error, output, errors) => {
      if (error === null) resolve({ state: 'ended', exitCode: 0, output, errors });
      else if (typeof error.code === 'number') resolve({ state: 'ended', exitCode: error.code, output, errors });
      else if (error.code === 'ENOENT') resolve({ state: 'missing' });
      else resolve({ state: 'silent', problem: problemOf(program, error) });
    });
  });
}

function problemOf(program: string, { killed, code, signal }: ExecFileException): string {
  if (killed === true) return `${program} gave no answer within ${PROGRAM_LIMIT_MS / 1000} s`;
  return `${program} could not be run (${code ?? signal ?? 'no reason is known'})`;
}

/** Magic numbers of statfs(2): what is stored there is gone with the power. */
const VOLATILE_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x01021994: 'tmpfs',
  0x858458f6: 'ramfs',
  0x794c7630: 'overlay',
};

/** A folder in which a program keeps what must last. */
export type FolderLook =
  /** An error code, or which part of its path is a file. */
  | { readonly state: 'unreachable'; readonly problem: string }
  | {
      readonly state: 'seen';
      /** Whether it is there; else the rest is about the nearest folder above it. */
      readonly exists: boolean;
      /** Kind of the file system, where it is one in memory. */
      readonly volatile?: string;
      readonly freeBytes: number;
      readonly hasInodes: boolean;
      /** Why it may not be written to: an error code. */
      readonly writeProblem?: string;
    };

/** Only looks: `access` asks the kernel without writing anything. */
export async function lookAtFolder(folder: string): Promise<FolderLook> {
  const place = await nearestFolder(folder);
  if ('problem' in place) return { state: 'unreachable', problem: place.problem };
  const { type, bavail, bsize, files, ffree } = await statfs(place.existing);
  const volatile = VOLATILE_FILE_SYSTEMS[type];
  const writeProblem = await access(place.existing, constants.W_OK | constants.X_OK).then(() => undefined, errorCode);
  return {
    state: 'seen',
    exists: place.existing === folder,
    freeBytes: bavail * bsize,
    hasInodes: files === 0 || ffree > 0,
    ...(volatile !== undefined && { volatile }),
    ...(writeProblem !== undefined && { writeProblem }),
  };
}

/** The folder itself or, before the program's first start, the nearest one above it. */
async function nearestFolder(folder: string): Promise<{ readonly existing: string } | { readonly problem: string }> {
  for (let candidate = folder; ; candidate = dirname(candidate)) {
    try {
      const found = await stat(candidate);
      return found.isDirectory() ? { existing: candidate } : { problem: `${candidate} is a file` };
    } catch (error) {
      const problem = errorCode(error);
      if (problem === 'ENOTDIR') continue;
      if (problem !== 'ENOENT' || candidate === dirname(candidate)) return { problem };
    }
  }
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** Where systemd looks for what LoadCredential= names without a path, first come first (systemd.exec(5)). */
const FOLDERS = ['etc/credstore', 'run/credstore', 'usr/local/lib/credstore', 'usr/lib/credstore'];

export interface CredentialParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `/`, or what stands for it. */
  readonly root: string;
  /** Of the service, as its LoadCredential= has it: `techtemp.mqtt-password`. */
  readonly credential: string;
  /** For the remedy: `techtemp-server`. */
  readonly program: string;
}

/**
 * The password that systemd hands to the service is not in our environment when a person runs the doctor: it is taken from where
 * the unit takes it. Answers a finding where that cannot be read by us: the broker would refuse us, and it would say nothing about
 * the service.
 */
export async function withStoredPassword<Settings extends BrokerSettings>(
  mqtt: Settings,
  { env, root, credential, program }: CredentialParts,
): Promise<Settings | Finding> {
  const isGiven = mqtt.password !== '' || mqtt.passwordFile !== '' || (env['CREDENTIALS_DIRECTORY'] ?? '') !== '';
  if (mqtt.username === '' || isGiven) return mqtt;
  for (const folder of FOLDERS) {
    const plain = join(root, folder, credential);
    const access = await accessTo(plain);
    if (access === 'allowed') return { ...mqtt, passwordFile: plain };
    if (access === 'denied') return report('connection.password-private', { file: plain, program });
    const encrypted = join(root, `${folder}.encrypted`, credential);
    if ((await accessTo(encrypted)) !== 'none') {
      return report('connection.password-encrypted', { file: encrypted, program });
    }
  }
  return mqtt;
}

async function accessTo(file: string): Promise<'allowed' | 'denied' | 'none'> {
  try {
    await access(file, constants.R_OK);
    return 'allowed';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'denied' : 'none';
  }
}

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
