import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../support/ports.ts';
import { ServerProcess, serverMissing } from '../../support/server-process.ts';
import { opensslInstalled, SmallCa } from '../../support/small-ca.ts';
import { until } from '../../support/until.ts';

const folder = resolve(import.meta.dirname, '../../../config/container');
const dockerfile = readFileSync(join(folder, 'Dockerfile'), 'utf8');
/** The words of HEALTHCHECK's CMD, run in a folder that has health.mjs, as the image's working folder does. */
const command = JSON.parse(/^HEALTHCHECK .*CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]') as readonly string[];

describe.skipIf(serverMissing !== undefined)('the health check of the container', () => {
  let server: ServerProcess;
  afterEach(async () => await server.dispose());

  it('says healthy while the server runs, also without a broker, and unhealthy when it does not', async () => {
    server = await ServerProcess.prepare({ brokerPort: await freePort() });
    expect(check(server.httpPort).status).toBe(1);
    await server.start();
    expect(check(server.httpPort)).toEqual({ status: 0, stdout: '/health answers 200\n' });
    // What Docker does at `docker stop`.
    expect(await server.stop()).toBe(0);
    const { status, stdout } = check(server.httpPort);
    expect(status).toBe(1);
    expect(stdout).toMatch(/does not answer: .*ECONNREFUSED/);
  });

  it.skipIf(!opensslInstalled)(
    'asks a server with a certificate over TLS, whatever name the certificate is for',
    async () => {
      const files = await mkdtemp(join(tmpdir(), 'techtemp-health-'));
      try {
        const { certFile, keyFile } = new SmallCa(files).issue('server', { subjectAltName: 'DNS:climate.home' });
        const http = [`tls_cert_file = ${certFile}`, `tls_key_file = ${keyFile}`];
        server = await ServerProcess.prepare({ brokerPort: await freePort(), config: { http } });
        server.spawn();
        await until('the server answers', () => check(server.httpPort).status === 0);
      } finally {
        await rm(files, { recursive: true, force: true });
      }
    },
  );
});

function check(port: number): { readonly status: number | null; readonly stdout: string } {
  const [program = '', ...words] = command;
  const env = { ...process.env, TECHTEMP_HTTP_PORT: String(port) };
  const { status, stdout } = spawnSync(program, words, { cwd: folder, env, encoding: 'utf8' });
  return { status, stdout };
}
