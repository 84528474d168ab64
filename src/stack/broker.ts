import { createServer, type Server } from 'node:net';
import { Aedes } from 'aedes';

export async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** In use, or below 1024 without the right to it. */
export function isTaken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EADDRINUSE' || code === 'EACCES';
}

/** Whether a port can't be listened on at this moment because another program has it. */
export async function isPortTaken(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    await listen(server, host, port);
    return false;
  } catch (error) {
    return isTaken(error);
  } finally {
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
}

/** A broker in this process, for trying things out: MQTT 3.1.1, on loopback, nothing kept beyond the process. */
export interface EmbeddedBroker {
  readonly host: string;
  readonly port: number;
  /** Why it is not the port that was asked for, for people; absent when it is. */
  readonly portNote?: string;
  /** Each message that passes through, in order. */
  onMessage(handler: (topic: string, payload: string) => void): void;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** Starts on the wanted port or, when that is taken, on any free one, and says so. @throws what listening throws otherwise */
export async function startEmbeddedBroker(wantedPort: number): Promise<EmbeddedBroker> {
  const aedes = await Aedes.createBroker();
  const server = createServer((socket) => {
    aedes.handle(socket);
  });
  const taken = await listen(server, LOOPBACK, wantedPort).then(
    () => false,
    async (error: unknown) => {
      if (!isTaken(error)) throw error;
      await listen(server, LOOPBACK, 0);
      return true;
    },
  );
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : wantedPort;
  return {
    host: LOOPBACK,
    port,
    ...(taken && { portNote: `port ${wantedPort} is in use (a broker of your own?), so this one listens on ${port}` }),
    onMessage(handler) {
      aedes.on('publish', (packet) => {
        if (!packet.topic.startsWith('$SYS/')) handler(packet.topic, packet.payload.toString());
      });
    },
    async close() {
      await new Promise<void>((resolve) => aedes.close(resolve));
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
