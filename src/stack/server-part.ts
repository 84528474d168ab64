import { ConfigError } from '../config/problem.ts';
import type { ProcessSignals } from '../platform/signals.ts';
import { loadServerConfig } from '../server/config.ts';
import { isPortTaken } from './broker.ts';

/** The server as a part of `npm start`. */
export interface ServerPart {
  /** Where the API answers; undefined where the server could not start (its log says why). */
  readonly url: string | undefined;
  /** Why it is not the port that was asked for; absent when it is. */
  readonly portNote?: string;
  /** Resolves with its exit code. */
  readonly ended: Promise<number>;
}

export interface ServerPartOptions {
  readonly configPath: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
}

/** Starts the server and resolves once it answers or has ended. A port that is taken is answered by taking any other. */
export async function startServerPart(options: ServerPartOptions, signals: ProcessSignals): Promise<ServerPart> {
  const portNote = await portNoteFor(options);
  const flags = portNote === undefined ? options.flags : { ...options.flags, 'http.port': '0' };
  // Loaded here and not before: without the packages of the server the rest works all the same.
  const { runService } = await import('../server/commands/run.ts');
  let isListening: (url: string | undefined) => void = () => undefined;
  const listening = new Promise<string | undefined>((resolve) => (isListening = resolve));
  const ended = runService(
    { ...options, flags, screen: { format: 'pretty', program: 'server' }, onListening: ({ url }) => isListening(url) },
    signals,
  ).finally(() => isListening(undefined));
  const url = await listening;
  return {
    url,
    ended,
    ...(portNote !== undefined && url !== undefined && { portNote: `${portNote}, so this one took another` }),
  };
}

async function portNoteFor({ configPath: path, env, flags }: ServerPartOptions): Promise<string | undefined> {
  try {
    const { host, port } = (await loadServerConfig({ path, env, flags })).config.http;
    return port !== 0 && (await isPortTaken(host, port)) ? `port ${port} is in use` : undefined;
  } catch (error) {
    // The server says itself what is wrong with its file.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
