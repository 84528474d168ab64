import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MqttSection } from '../../src/device/config.ts';
import { createOpenLink } from '../../src/device/mqtt/client.ts';
import { LinkError, type LinkSession, readLinkIdentity } from '../../src/device/mqtt/session.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { mqttSection } from '../support/device-sections.ts';
import { linkOptions } from '../support/link-options.ts';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { opensslInstalled, SmallCa } from '../support/small-ca.ts';

const never = new AbortController().signal;
const openLink = createOpenLink({ clock: createSystemClock() });

describe.skipIf(!mosquittoInstalled || !opensslInstalled)('TLS (needs Mosquitto and openssl)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-tls-'));
  let ca: SmallCa;
  let stranger: SmallCa;
  const brokers: Mosquitto[] = [];

  beforeAll(() => {
    ca = new SmallCa(folder, 'ca');
    stranger = new SmallCa(folder, 'stranger');
  });

  afterAll(async () => {
    for (const broker of brokers) await broker.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  async function broker(pair: { certFile: string; keyFile: string }, ...config: string[]): Promise<Mosquitto> {
    const started = await Mosquitto.start({
      config: [`cafile ${ca.certFile}`, `certfile ${pair.certFile}`, `keyfile ${pair.keyFile}`, ...config],
    });
    brokers.push(started);
    return started;
  }

  async function connect(port: number, changes: Partial<MqttSection>): Promise<LinkSession> {
    const mqtt = mqttSection(port, { tls: true, tlsCaFile: ca.certFile, ...changes });
    const identity = await readLinkIdentity({ mqtt, deviceUid: 'u', env: {} });
    return await openLink({ ...linkOptions(port), ...identity }, never);
  }

  async function failure(promise: Promise<LinkSession>): Promise<LinkError> {
    const error: unknown = await promise.then(
      async (session) => session.end(0),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(LinkError);
    return error as LinkError;
  }

  it('connects with the CA given', async () => {
    const { port } = await broker(ca.issue('good'));
    const session = await connect(port, {});
    await session.publish({ topic: 'a', payload: 'x', retain: false });
    await session.end(2_000);
  });

  it('names the cause and the remedy for each thing that can be wrong with the certificate', async () => {
    const good = await broker(ca.issue('good2'));
    const unknown = await failure(connect(good.port, { tlsCaFile: '' }));
    expect(unknown).toMatchObject({ code: 'LINK_TLS' });
    expect(unknown.message).toContain('tls_ca_file');

    const expired = await failure(connect((await broker(ca.issue('old', { fromDays: -20, toDays: -2 }))).port, {}));
    expect(expired).toMatchObject({ code: 'LINK_TLS' });
    expect(expired.message).toContain('has expired');

    const early = await failure(connect((await broker(ca.issue('early', { fromDays: 2 }))).port, {}));
    expect(early).toMatchObject({ code: 'LINK_TLS' });
    expect(early.message).toContain("this machine's clock says 20");

    const other = await broker(ca.issue('other', { subjectAltName: 'DNS:mqtt.example.org' }));
    const wrongName = await failure(connect(other.port, {}));
    expect(wrongName).toMatchObject({ code: 'LINK_TLS' });
    expect(wrongName.message).toContain('tls_server_name');
    await (await connect(other.port, { tlsServerName: 'mqtt.example.org' })).end(2_000);
  });

  it('tells TLS on a plain port from a plain connection to a TLS port', async () => {
    const plain = await Mosquitto.start();
    brokers.push(plain);
    const wrong = await failure(connect(plain.port, {}));
    expect(wrong).toMatchObject({ code: 'LINK_TLS' });
    const secure = await broker(ca.issue('good3'));
    const naked = await failure(connect(secure.port, { tls: false }));
    expect(naked).toMatchObject({ code: 'LINK_CLOSED_EARLY' });
    expect(naked.message).toContain('TLS');
  });

  it('reads the client certificate anew for each attempt, so that a renewed one needs no restart', async () => {
    const { port } = await broker(ca.issue('good4'), 'require_certificate true');
    const pair = { tlsCertFile: join(folder, 'client.pem'), tlsKeyFile: join(folder, 'client-key.pem') };
    const install = (from: { certFile: string; keyFile: string }): void => {
      cpSync(from.certFile, pair.tlsCertFile);
      cpSync(from.keyFile, pair.tlsKeyFile);
    };
    expect(await failure(connect(port, {}))).toMatchObject({ code: 'LINK_TLS' });
    // Signed by a CA that the broker does not know.
    install(stranger.issue('client'));
    const refused = await failure(connect(port, pair));
    expect(refused).toMatchObject({ code: 'LINK_TLS' });
    install(ca.issue('client'));
    await (await connect(port, pair)).end(2_000);
    writeFileSync(pair.tlsKeyFile, 'not a key\n');
    expect(await failure(connect(port, pair))).toMatchObject({ code: 'LINK_TLS' });
  });
});
