import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { MqttSection } from '../../../../src/device/config.ts';
import { type LinkIdentity, readLinkIdentity } from '../../../../src/device/mqtt/session.ts';
import { mqttSection } from '../../../support/device-sections.ts';

const folder = mkdtempSync(join(tmpdir(), 'techtemp-options-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function read(changes: Partial<MqttSection>, env: Record<string, string> = {}): Promise<LinkIdentity> {
  return await readLinkIdentity({ mqtt: mqttSection(1883, changes), deviceUid: 'aht20-0a1b2c', env });
}

describe('the identity of a connection', () => {
  it('names the client after the device unless told otherwise', async () => {
    expect((await read({})).clientId).toBe('techtemp-aht20-0a1b2c');
    expect((await read({ clientId: 'kitchen' })).clientId).toBe('kitchen');
  });

  it('has neither username nor password nor TLS unless told so', async () => {
    const identity = await read({ password: 'alone', tlsCaFile: '/nonexistent' });
    expect(Object.keys(identity).sort()).toEqual(['clientId', 'host', 'keepaliveMs', 'port']);
  });

  it('takes the password from password, else password_file, else the systemd credential', async () => {
    const credentials = join(folder, 'credentials');
    mkdirSync(credentials);
    writeFileSync(join(credentials, 'mqtt-password'), 'from systemd\r\n');
    const env = { CREDENTIALS_DIRECTORY: credentials };
    const passwordFile = file('password', 'from a file\n');
    const username = 'u';
    expect((await read({ username, password: 'from config', passwordFile }, env)).password).toBe('from config');
    expect((await read({ username, passwordFile }, env)).password).toBe('from a file');
    expect((await read({ username }, env)).password).toBe('from systemd');
    expect((await read({ username })).password).toBeUndefined();
  });

  it('does without a credential that the unit does not pass', async () => {
    expect((await read({ username: 'u' }, { CREDENTIALS_DIRECTORY: folder })).password).toBeUndefined();
  });

  // D2
  it.each([
    ['more lines', '  a b \n# a note\n', '  a b '],
    ['a blank line behind it', '  a b \n\n', '  a b '],
    ['no newline', 'secret', 'secret'],
    ['line ends of Windows', 'secret\r\n\r\n', 'secret'],
    ['a byte order mark', '\ufeffsecret\r\n', 'secret'],
  ])('takes the first line of a file with %s, and nothing else', async (_what, content, password) => {
    const credentials = mkdtempSync(join(folder, 'credentials-'));
    writeFileSync(join(credentials, 'mqtt-password'), content);
    expect((await read({ username: 'u', passwordFile: file('lines', content) })).password).toBe(password);
    expect((await read({ username: 'u' }, { CREDENTIALS_DIRECTORY: credentials })).password).toBe(password);
  });

  it.each([
    ['an empty first line', Buffer.from('\nsecret\n'), 'its first line is empty'],
    ['nothing in it', Buffer.from(''), 'its first line is empty'],
    ['UTF-16', Buffer.from('\ufeffsecret', 'utf16le'), 'it is UTF-16; save it as UTF-8'],
  ])('says what is wrong with a password file with %s, not what stands in it', async (_what, content, problem) => {
    const passwordFile = file('odd', '');
    writeFileSync(passwordFile, content);
    const reading = read({ username: 'u', passwordFile });
    await expect(reading).rejects.toMatchObject({
      code: 'LINK_FILE',
      message: expect.stringContaining(problem) as string,
    });
    await expect(reading).rejects.not.toMatchObject({ message: expect.stringContaining('secret') as string });
  });

  it('reads files anew each time', async () => {
    const passwordFile = file('changing', 'one');
    expect((await read({ username: 'u', passwordFile })).password).toBe('one');
    file('changing', 'two');
    expect((await read({ username: 'u', passwordFile })).password).toBe('two');
  });

  it('names the key and the file that cannot be read', async () => {
    const missing = join(folder, 'nope.pem');
    await expect(read({ tls: true, tlsCaFile: missing })).rejects.toMatchObject({
      code: 'LINK_FILE',
      message: `cannot read tls_ca_file ${missing}: it does not exist`,
    });
    await expect(read({ username: 'u', passwordFile: folder })).rejects.toMatchObject({
      code: 'LINK_FILE',
      message: `cannot read password_file ${folder}: it is a directory`,
    });
  });

  it('wants certificate and key together', async () => {
    await expect(read({ tls: true, tlsCertFile: file('a.pem', '') })).rejects.toMatchObject({
      code: 'LINK_FILE',
      message: 'tls_cert_file is set but tls_key_file is not; a client certificate needs both',
    });
  });

  it('hands over what the TLS files hold', async () => {
    const tls = (
      await read({
        tls: true,
        tlsCaFile: file('ca.pem', 'ca'),
        tlsCertFile: file('c.pem', 'cert'),
        tlsKeyFile: file('k.pem', 'key'),
        tlsServerName: 'mqtt.example.org',
      })
    ).tls;
    expect(tls?.ca?.toString()).toBe('ca');
    expect(tls?.cert?.toString()).toBe('cert');
    expect(tls?.key?.toString()).toBe('key');
    expect(tls?.serverName).toBe('mqtt.example.org');
  });
});
