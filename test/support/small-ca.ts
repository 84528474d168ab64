import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whether certificates can be made here. */
export const opensslInstalled = ['/usr/bin/openssl', '/usr/local/bin/openssl'].some((path) => existsSync(path));

export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface LeafOptions {
  readonly subjectAltName?: string;
  /** Validity, as openssl's `-not_before` and `-not_after` would say it: days from now, may be negative. */
  readonly fromDays?: number;
  readonly toDays?: number;
}

/** A certificate authority in a folder, made with openssl. */
export class SmallCa {
  readonly certFile: string;
  readonly #folder: string;
  readonly #keyFile: string;

  constructor(folder: string, name = 'ca') {
    this.#folder = folder;
    this.certFile = join(folder, `${name}.crt`);
    this.#keyFile = join(folder, `${name}.key`);
    openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', this.#keyFile]);
    const subject = ['-subj', `/CN=TechTemp test ${name}`];
    openssl(['req', '-x509', '-new', '-key', this.#keyFile, '-days', '30', ...subject, '-out', this.certFile]);
  }

  /** A certificate for a server or a client, signed by this authority. */
  issue(name: string, options: LeafOptions = {}): KeyPair {
    const path = (suffix: string): string => join(this.#folder, `${name}.${suffix}`);
    openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', path('key')]);
    openssl(['req', '-new', '-key', path('key'), '-subj', `/CN=${name}`, '-out', path('csr')]);
    writeFileSync(
      path('ext'),
      `basicConstraints=CA:FALSE\nsubjectAltName=${options.subjectAltName ?? 'IP:127.0.0.1'}\n`,
    );
    // `openssl ca` is the one command of OpenSSL 3.0 that takes dates; it wants a small data base.
    writeFileSync(path('db'), '');
    writeFileSync(path('serial'), `${Date.now().toString(16).padStart(12, '0')}\n`);
    writeFileSync(
      path('cnf'),
      [
        '[ca]\ndefault_ca=c\n[c]',
        `database=${path('db')}\nserial=${path('serial')}\nnew_certs_dir=${this.#folder}`,
        `certificate=${this.certFile}\nprivate_key=${this.#keyFile}`,
        'default_md=sha256\npolicy=p\nunique_subject=no\nemail_in_dn=no\nrand_serial=yes\n[p]\ncommonName=supplied\n',
      ].join('\n'),
    );
    const dates = ['-startdate', asn1Day(options.fromDays ?? -1), '-enddate', asn1Day(options.toDays ?? 30)];
    const files = ['-in', path('csr'), '-out', path('crt'), '-extfile', path('ext')];
    openssl(['ca', '-batch', '-notext', '-config', path('cnf'), ...dates, ...files]);
    return { certFile: path('crt'), keyFile: path('key') };
  }
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

function asn1Day(daysFromNow: number): string {
  const date = new Date(Date.now() + daysFromNow * 86_400_000);
  return `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
}
