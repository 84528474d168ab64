import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrokerSettings } from '../mqtt/broker-identity.ts';
import type { Finding } from './finding.ts';
import { report } from './findings/catalogue.ts';

/** Where systemd looks for what LoadCredential= names without a path, first come first (systemd.exec(5)). */
const FOLDERS = ['etc/credstore', 'run/credstore', 'usr/local/lib/credstore', 'usr/lib/credstore'];

export interface CredentialParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `/`, or what stands for it. */
  readonly root: string;
  /** Of the service, as its LoadCredential= has it: `techtemp.mqtt-password`. */
  readonly credential: string;
  /** For the remedy: `techtemp-server`. */
  readonly program: string;
}

/**
 * The password that systemd hands to the service is not in our environment when a person runs the doctor: it is taken from where
 * the unit takes it. Answers a finding where that cannot be read by us: the broker would refuse us, and it would say nothing about
 * the service.
 */
export async function withStoredPassword<Settings extends BrokerSettings>(
  mqtt: Settings,
  { env, root, credential, program }: CredentialParts,
): Promise<Settings | Finding> {
  const isGiven = mqtt.password !== '' || mqtt.passwordFile !== '' || (env['CREDENTIALS_DIRECTORY'] ?? '') !== '';
  if (mqtt.username === '' || isGiven) return mqtt;
  for (const folder of FOLDERS) {
    const plain = join(root, folder, credential);
    const access = await accessTo(plain);
    if (access === 'allowed') return { ...mqtt, passwordFile: plain };
    if (access === 'denied') return report('connection.password-private', { file: plain, program });
    const encrypted = join(root, `${folder}.encrypted`, credential);
    if ((await accessTo(encrypted)) !== 'none') {
      return report('connection.password-encrypted', { file: encrypted, program });
    }
  }
  return mqtt;
}

async function accessTo(file: string): Promise<'allowed' | 'denied' | 'none'> {
  try {
    await access(file, constants.R_OK);
    return 'allowed';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'denied' : 'none';
  }
}
