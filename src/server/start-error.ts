import type { HttpSection } from './config.ts';
import { TlsFileError } from './http/server-options.ts';
import { StoreError } from './store/store.ts';

/** Why the server cannot start: nothing is running, and the message says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError';
  /** `config`: correcting server.conf helps. `store`: a person has to look at the record. `other`: it may work later as it is. */
  readonly whose: 'config' | 'store' | 'other';

  constructor(whose: StartError['whose'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.whose = whose;
  }
}

/** What went wrong with the store at the start, as a StartError where its message is for a person. */
export function storeStartError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return new StartError(error.isTemporary ? 'other' : 'store', error.message, { cause: error });
}

/** What went wrong with certificate and key, as a StartError where its message is for a person. */
export function httpStartError(error: unknown): unknown {
  if (error instanceof TlsFileError) return new StartError('config', error.message, { cause: error });
  const { code, message } = error as NodeJS.ErrnoException;
  if (code?.startsWith('ERR_OSSL') !== true) return error;
  return new StartError(
    'config',
    `the files of tls_cert_file and tls_key_file in section [http] cannot be used together: ${message}. Both must be PEM, and the ` +
      'key must belong to the certificate',
    { cause: error },
  );
}

/** What the system said when the port was to be opened, as a StartError where that can be. */
export function listenStartError(error: unknown, { host, port }: HttpSection): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const remedy = code === undefined ? undefined : LISTEN_REMEDIES[code];
  if (remedy === undefined) return error;
  const [whose, words] = remedy;
  return new StartError(whose, `cannot listen on ${host}, port ${port}: ${words} (${code})`, { cause: error });
}

const LISTEN_REMEDIES: Readonly<Record<string, readonly [StartError['whose'], string]>> = {
  EADDRINUSE: [
    'other',
    'another program does already (ss -ltnp shows which). Stop it, or set another port in section [http] of server.conf',
  ],
  EACCES: [
    'config',
    'only root may open ports below 1024. Set a higher port in section [http] of server.conf; a reverse proxy can show it on 80 or 443',
  ],
  EADDRNOTAVAIL: ['config', 'this machine does not have that address. Correct host in section [http] of server.conf'],
  ENOTFOUND: ['config', 'that name is not known. Correct host in section [http] of server.conf'],
  EAI_AGAIN: [
    'other',
    'no name server answered for that name. Give the address as host in section [http] of server.conf',
  ],
};
