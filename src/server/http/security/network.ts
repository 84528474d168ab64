import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** What proxies add to a request that they pass on. */
const FORWARDING_HEADERS = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
  'via',
];

/** Whether a name or address to listen on is reached from this machine only. A name other than localhost may mean anything. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (name === 'localhost') return true;
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === '::1' || /^::ffff:127\.\d+\.\d+\.\d+$/.test(name);
}

/** Whether a proxy passed this request on. Whoever claims it falsely only gives up rights of his own. */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  return FORWARDING_HEADERS.some((name) => headers[name] !== undefined);
}

/** The name or address in a Host header, without its port, brackets and final dot. */
export function hostName(host: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(host) ?? [];
  return (bracketed ?? host.replace(/:\d*$/, '').replace(/\.$/, '')).toLowerCase();
}
