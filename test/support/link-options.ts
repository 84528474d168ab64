import type { LinkOptions } from '../../src/device/mqtt/session.ts';

/** Options of a connection to a broker of the test. */
export function linkOptions(port: number, changes: Partial<LinkOptions> = {}): LinkOptions {
  return {
    host: '127.0.0.1',
    port,
    clientId: 'techtemp-test',
    keepaliveMs: 60_000,
    protocolVersion: 5,
    will: { topic: 'home/h/sensors/u/status', payload: '{"state":"offline"}', retain: true },
    connectTimeoutMs: 10_000,
    publishTimeoutMs: 10_000,
    onMessage: () => undefined,
    ...changes,
  };
}
