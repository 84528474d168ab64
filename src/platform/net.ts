import { isIP } from 'node:net';

/** Whether a name or address to listen on is reached from this machine only. A name other than localhost may mean anything. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (name === 'localhost') return true;
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === '::1' || /^::ffff:127\.\d+\.\d+\.\d+$/.test(name);
}
