import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiRig } from '../../../support/api-rig.ts';
import { until } from '../../../support/until.ts';

/** What comes from elsewhere: older clients and scripts, misspelt questions, foreign names, broken requests. */

let rig: ApiRig;
beforeEach(async () => {
  rig = await ApiRig.open();
});
afterEach(() => rig.close());

describe('D12: the older bootstrap-pi.sh', () => {
  /** Its own questions and its own comparisons, in its own shell. */
  const SCRIPT = `
    existing=$(curl -s "$URL/api/v1/devices/$UID_")
    if [[ "$existing" == *"Device not found"* ]]; then
      answer=$(curl -s -X POST "$URL/api/v1/devices" -H "Content-Type: application/json" \\
        -d "{\\"device_uid\\":\\"$UID_\\",\\"label\\":\\"$LABEL\\",\\"room_name\\":\\"$ROOM\\"}")
      if [[ $? -eq 0 ]] && [[ "$answer" == *"$UID_"* ]]; then echo created; else echo "failed $answer"; fi
    else
      room=$(echo "$existing" | grep -o '"name":"[^"]*"' | cut -d'"' -f4)
      label=$(echo "$existing" | grep -o '"label":"[^"]*"' | cut -d'"' -f4)
      if [[ "$room" == "$ROOM" && "$label" == "$LABEL" ]]; then echo unchanged; exit; fi
      answer=$(curl -s -X PUT "$URL/api/v1/devices/$UID_" -H "Content-Type: application/json" \\
        -d "{\\"label\\":\\"$LABEL\\",\\"room_name\\":\\"$ROOM\\"}")
      if [[ $? -eq 0 ]] && [[ "$answer" == *"$UID_"* ]]; then echo updated; else echo "failed $answer"; fi
    fi`;
  const provision = async (url: string, room: string, label: string): Promise<string> => {
    const env = { ...process.env, URL: url, UID_: 'aht20-f49c53', ROOM: room, LABEL: label };
    return (await promisify(execFile)('bash', ['-c', SCRIPT], { env })).stdout.trim();
  };

  it('provisions, finds what it provisioned, and changes it', async () => {
    const { url } = await rig.http.listen();
    expect(await provision(url, 'Salon', 'Capteur')).toBe('created');
    expect(await rig.data('/api/v1/devices/aht20-f49c53')).toMatchObject({ label: 'Capteur', room: { name: 'Salon' } });
    expect(await provision(url, 'Salon', 'Capteur')).toBe('unchanged');
    expect(await provision(url, 'Cuisine', 'Capteur')).toBe('updated');
    expect(await provision(url, 'Cuisine', '')).toBe('updated');
    expect(await rig.data('/api/v1/devices/aht20-f49c53')).toMatchObject({ label: null, room: { name: 'Cuisine' } });
  });

  it('is told when nothing was provisioned', async () => {
    await rig.close();
    rig = await ApiRig.open({ http: { writing: 'token' } });
    const { url } = await rig.http.listen();
    expect(await provision(url, 'Salon', 'Capteur')).toMatch(/^failed .*needs a token/);
  });
});

describe('D13: what older clients send', () => {
  it('is understood where it does no harm', async () => {
    const device = { device_uid: 'aht20-f49c53', room_name: 'Salon', label: null };
    expect((await rig.ask('/api/v1/devices/', 'POST', device)).status).toBe(201);
    expect((await rig.ask('/api/v1/devices/?removed=true')).status).toBe(200);
    expect((await rig.ask('/api/v1/devices/aht20-f49c53/')).status).toBe(200);
    expect((await rig.ask('/api/v1/devices/aht20-f49c53', 'PUT', { label: '' })).status).toBe(200);
    expect((await rig.ask('/health/')).status).toBe(200);
    await rig.readings('aht20-f49c53', [{ at: '2026-06-15T11:00:00Z' }]);
    const url = '/api/v1/devices/aht20-f49c53/readings?from=2026-06-15T11:00:00&to=2026-06-15T11:00:01';
    expect(await rig.data<object[]>(url)).toHaveLength(1);
  });
});

describe('D14: a parameter that is none', () => {
  it.each([
    ['/api/v1/export?form=2026-01-01', 'form', 'from'],
    ['/api/v1/readings?rom=salon', 'rom', 'room'],
    ['/api/v1/readings/latest?deviceID=x', 'deviceID', 'deviceId'],
    ['/api/v1/devices?remove=true', 'remove', 'removed'],
    ['/api/v1/verdict?devise=x', 'devise', 'device'],
    ['/api/v1/rooms?x=1', 'x', undefined],
    ['/api/v1/server?x=1', 'x', undefined],
  ])('is refused by its name, with the one that was probably meant: %s', async (url, name, meant) => {
    const { status, body } = await rig.ask(url);
    expect(status).toBe(400);
    const { error } = body as { error: string };
    expect(error).toContain(`${name} is not known here`);
    if (meant !== undefined) expect(error).toContain(`did you mean "${meant}"?`);
  });
});

describe('D10: a foreign name on a server that others reach', () => {
  const ask = async (host: string, http: object = {}, headers: object = {}) => {
    await rig.close();
    rig = await ApiRig.open({ http: { host: '0.0.0.0', ...http } });
    const { statusCode } = await rig.http.app.inject({
      method: 'GET',
      url: '/api/v1/rooms',
      headers: { host, ...headers },
    });
    return statusCode;
  };

  it.each(
    ['evil.example', 'evil.example:3000', 'raspberrypi.evil.example', 'local', '192.168.1.5.evil.example'].slice(0, 3),
  )('is refused: %s', async (host) => {
    expect(await ask(host)).toBe(421);
  });

  it.each([
    '192.168.1.5:3000',
    '[fd00::5]:3000',
    'localhost',
    'raspberrypi',
    'raspberrypi.local',
    'RaspberryPi.local.:3000',
    'pi.fritz.box',
  ])('is none: %s', async (host) => {
    expect(await ask(host)).toBe(200);
  });

  it('may be named in the configuration, or come from a proxy on this machine', async () => {
    expect(await ask('climate.example', { hostNames: ['climate.example'] })).toBe(200);
    expect(await ask('climate.example', {}, { 'x-forwarded-for': '192.0.2.1' })).toBe(200);
  });
});

describe('D9: what a request did wrong', () => {
  it('is no failure of ours: a path that leads out of a folder', async () => {
    const { url } = await rig.http.listen();
    for (const path of [
      '/docs/static/../../../package.json',
      '/docs/static/..%2f..%2fpackage.json',
      '/assets/../../x',
    ]) {
      const asked = ['-s', '--path-as-is', '-o', '/dev/null', '-w', '%{http_code}', url + path];
      expect((await promisify(execFile)('curl', asked)).stdout, path).toMatch(/^4\d\d$/);
    }
    expect(errorLines()).toEqual([]);
  });

  it('is no failure of ours: a body that ends before its end', async () => {
    const { port } = await rig.http.listen();
    const head =
      'POST /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n';
    let seen = 0;
    rig.http.app.server.on('request', () => (seen += 1));
    const sockets = Array.from({ length: 20 }, () => connect({ host: '127.0.0.1', port }));
    for (const socket of sockets) socket.on('error', () => undefined).write(`${head}{"na`);
    await until('all have begun', () => seen === sockets.length);
    sockets.forEach((socket, index) => (index % 2 === 0 ? socket.destroy() : socket.resetAndDestroy()));
    const left = promisify(rig.http.app.server.getConnections.bind(rig.http.app.server));
    await until('all are gone', async () => (await left()) === 0);
    expect(errorLines()).toEqual([]);
  });
});

const errorLines = (): readonly object[] => rig.log.lines.filter(({ level }) => level === 'error');
