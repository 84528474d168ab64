// Asks the server in this container whether it is alive; exit 0 or 1. An image of Node.js has no curl, and starting node costs a
// tenth of a second. A server with a certificate of its own ([http] tls_cert_file) is asked over TLS; the certificate is made
// for another name than this one, so it is not checked.
import http from 'node:http';
import https from 'node:https';

const port = process.env.TECHTEMP_HTTP_PORT ?? '3000';
const ask = (protocol) =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/health', timeout: 4000, rejectUnauthorized: false };
    const request = protocol.get(options, (response) => resolve(response.resume().statusCode));
    request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer within 4 s')));
  });

try {
  const status = await ask(http).catch(() => ask(https));
  process.stdout.write(`/health answers ${status}\n`);
  process.exitCode = status === 200 ? 0 : 1;
} catch (error) {
  process.stdout.write(`/health does not answer: ${error.message}\n`);
  process.exitCode = 1;
}
