import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { textTable, visibleText } from '../../cli/listing.ts';
import { ConfigError } from '../../config/problem.ts';
import { serverTopic } from '../../contract/topics.ts';
import { stateDirectory } from '../../platform/files.ts';
import { isDirectoryLocked } from '../journal/directory-lock.ts';
import { type KnownServer, SOME_SERVER } from '../publisher/known-servers.ts';
import { requestedForgetting, requestForgetting } from '../publisher/servers.ts';
import { loadState } from '../publisher/state-file.ts';
import { type CommandIo, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, type ExitCode } from './command-io.ts';
import { type ConfigOptions, journalFolder, loadConfigOrDefaults, serviceEnvironment } from './config.ts';

export interface ServersListOptions extends ConfigOptions {
  readonly json: boolean;
}

export interface ServersForgetOptions extends ConfigOptions {
  readonly name: string;
}

/** A running agent carries out a request at once; after this it hangs, or may not read what we wrote. */
const CARRIED_OUT_LIMIT_MS = 5_000;
const LOOK_AGAIN_MS = 50;
const MOST_NAME_CHARACTERS = 50;

interface Place {
  readonly statePath: string;
  readonly journals: string;
  readonly brokerHost: string;
  readonly brokerPort: number;
}

/** Prints the servers for whose receipts the agent waits. Reads what is on disk; an agent that runs may know more for some seconds. */
export async function runServersList(options: ServersListOptions, io: CommandIo): Promise<ExitCode> {
  return await withPlace(options, io, async ({ statePath }) => {
    const { state, problem } = await loadState(statePath);
    if (problem !== undefined) {
      io.stderr.write(`${problem}\n`);
      return EXIT_FAILED;
    }
    const leaving = await requestedForgetting(statePath);
    if (options.json) {
      const servers = state.servers.map((server) => ({
        ...jsonOf(server),
        to_be_forgotten: leaving.includes(server.name),
      }));
      io.stdout.write(`${JSON.stringify({ path: statePath, servers }, undefined, 2)}\n`);
    } else io.stdout.write(listOf(state.servers, leaving));
    return EXIT_OK;
  });
}

/** Asks the agent to forget a server: at once where it runs, else when it starts. */
export async function runServersForget({ name, ...options }: ServersForgetOptions, io: CommandIo): Promise<ExitCode> {
  return await withPlace(options, io, async ({ statePath, journals, brokerHost, brokerPort }) => {
    const { state } = await loadState(statePath);
    if (!state.servers.some((server) => server.name === name)) {
      const known = state.servers.map((server) => visibleText(server.name, MOST_NAME_CHARACTERS)).join(', ');
      io.stderr.write(
        `no server "${visibleText(name, MOST_NAME_CHARACTERS)}" is known; known: ${known === '' ? 'none' : known}\n`,
      );
      return EXIT_FAILED;
    }
    await requestForgetting(statePath, [name]);
    // Where the lock cannot be looked at it is not known whether an agent runs; whether it answers is seen all the same.
    const runs = await isDirectoryLocked(journals).catch(() => undefined);
    const isDone = runs !== false && (await carriedOut(statePath, io));
    if (runs === true && !isDone) {
      io.stderr.write(
        `the agent has not taken the request within ${CARRIED_OUT_LIMIT_MS / 1000} s; it does when it starts again: $ sudo systemctl restart techtemp-device\n`,
      );
      return EXIT_FAILED;
    }
    const waits = runs === undefined ? 'The agent has not answered' : 'The agent does not run';
    io.stdout.write(
      `${isDone ? `The agent has forgotten the server ${name}.` : `${waits}; it forgets the server ${name} when it starts.`}\n`,
    );
    io.stdout.write('Its readings stay in the journal until another server, or the broker, has them.\n');
    if (name !== SOME_SERVER) {
      io.stdout.write(
        'If it is still announced at the broker, the agent hears of it again with its next connection. To take it out there, for all devices:\n' +
          `  mosquitto_pub -h ${brokerHost} -p ${brokerPort} -r -n -t ${serverTopic(name)}\n` +
          '(with -u and -P where the broker wants a user)\n',
      );
    }
    return EXIT_OK;
  });
}

async function carriedOut(statePath: string, { clock, signal }: CommandIo): Promise<boolean> {
  const endMs = clock.monotonicMs() + CARRIED_OUT_LIMIT_MS;
  while ((await requestedForgetting(statePath)).length > 0) {
    if (clock.monotonicMs() > endMs) return false;
    await clock.sleep(LOOK_AGAIN_MS, signal);
  }
  return true;
}

function listOf(servers: readonly KnownServer[], leaving: readonly string[]): string {
  if (servers.length === 0) return 'No server is known: a reading counts as delivered when the broker has it.\n';
  const rows = servers.map((server) => [
    server.name === SOME_SERVER ? '? (a server that has no name yet)' : visibleText(server.name, MOST_NAME_CHARACTERS),
    server.seenMs === 0 ? 'not known' : `${new Date(server.seenMs).toISOString().slice(0, 16)}Z`,
    server.gaveReceipts ? 'yes' : 'no',
    server.record ?? '-',
    leaving.includes(server.name) ? 'to be forgotten when the agent starts' : '',
  ]);
  const table = textTable([['SERVER', 'LAST ONLINE', 'GAVE RECEIPTS', 'RECORD', ''], ...rows]);
  return `${table.join('\n')}\nReadings stay in the journal until one of them has stored them.\n`;
}

function jsonOf({ name, accepts, seenMs, gaveReceipts, record }: KnownServer): object {
  return {
    name,
    accepts,
    last_online: seenMs === 0 ? null : new Date(seenMs).toISOString(),
    gave_receipts: gaveReceipts,
    record: record ?? null,
  };
}

async function withPlace(
  options: ConfigOptions,
  io: CommandIo,
  act: (place: Place) => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    const { loaded } = await loadConfigOrDefaults(options, io);
    const { brokerHost, brokerPort } = loaded.config.mqtt;
    const statePath = join(stateDirectory(serviceEnvironment(options, io)), 'delivery.json');
    await access(statePath, constants.R_OK).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
    return await act({ statePath, journals: journalFolder(loaded, options, io), brokerHost, brokerPort });
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException;
    if (error instanceof ConfigError) {
      io.stderr.write(`${error.message}\n`);
      return EXIT_CONFIG;
    }
    if (code === undefined) throw error;
    const isForbidden = code === 'EACCES' || code === 'EPERM';
    io.stderr.write(
      isForbidden
        ? `only root and the agent may do this: $ sudo techtemp-device servers (${path ?? message})\n`
        : `${message}\n`,
    );
    return EXIT_FAILED;
  }
}
