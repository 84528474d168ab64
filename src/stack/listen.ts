import { createServer, type Server } from 'node:net';

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

/** Whether a port can't be listened on at this moment because of somebody else. */
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
