import { isIP } from 'node:net';

/** What the elements of a list must be. */
export interface ElementRule {
  /** The element as it is kept; undefined when it is none. */
  readonly read: (text: string) => string | undefined;
  /** Several of them, in words. */
  readonly allowed: string;
}

export const ORIGIN_RULE: ElementRule = {
  read: originOf,
  allowed: 'origins such as https://climate.example.org, divided by commas',
};

export const NAME_RULE: ElementRule = {
  read: (text) =>
    /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(text) ? text.toLowerCase() : undefined,
  allowed: 'names such as climate.example.org, without a port, divided by commas',
};

export const NETWORK_RULE: ElementRule = {
  read: networkOf,
  allowed:
    'IP addresses, networks such as 10.0.0.0/8, or the words loopback, linklocal, uniquelocal, divided by commas',
};

export const URL_PREFIX_RULE = 'a path such as /techtemp, or empty';

/** The names that proxies are trusted by, besides addresses (https://www.npmjs.com/package/@fastify/proxy-addr). */
const NETWORK_NAMES = ['loopback', 'linklocal', 'uniquelocal'];
const IPV4_BITS = 32;
const IPV6_BITS = 128;

/** The elements of a list as it is written: `a, b`. */
export function listElements(text: string): readonly string[] {
  return text
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** The list as it is kept; the text itself when an element is wrong. */
export function readList(text: string, { read }: ElementRule): string {
  const elements = listElements(text).map(read);
  return elements.includes(undefined) ? text : elements.join(', ');
}

/** The first element that is wrong. */
export function badElement(text: string, { read }: ElementRule): string | undefined {
  return listElements(text).find((element) => read(element) === undefined);
}

/** `/techtemp/` -> `/techtemp`, `/` -> nothing. */
export function readUrlPrefix(text: string): string {
  return text.replace(/\/+$/, '');
}

/** Only unreserved characters (RFC 3986, 2.3), so that it never has to be encoded; no segment that walks upwards. */
export function isUrlPrefix(text: string): boolean {
  return /^(?:\/[A-Za-z0-9._~-]+)*$/.test(text) && !/\/\.{1,2}(?:\/|$)/.test(text);
}

/** Scheme, host and port (RFC 6454), as browsers send it. */
function originOf(text: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\\]+\/?$/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).origin;
}

function networkOf(text: string): string | undefined {
  const name = text.toLowerCase();
  if (NETWORK_NAMES.includes(name)) return name;
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  if (bits === undefined) return address;
  const most = version === 4 ? IPV4_BITS : IPV6_BITS;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= most ? `${address}/${bits}` : undefined;
}

/** Whether a name or address to listen on is reached from this machine only. A name other than localhost may mean anything. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (name === 'localhost') return true;
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === '::1' || /^::ffff:127\.\d+\.\d+\.\d+$/.test(name);
}
