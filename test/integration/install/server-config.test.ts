import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerMachine } from '../../support/broker-machine.ts';
import { freshSystemMissing } from '../../support/fresh-system.ts';
import { serverMissing } from '../../support/server-process.ts';

const MAIN = '/etc/techtemp/server.conf';
const STAGING = '/etc/techtemp/server-staging.conf';

describe.skipIf(freshSystemMissing !== undefined || serverMissing !== undefined)('the settings of a server', () => {
  let machine: BrokerMachine;
  beforeEach(async () => {
    machine = await BrokerMachine.create();
  });
  afterEach(() => machine.remove());

  const write = (...options: readonly string[]): string =>
    machine.succeed('write_server_config', ['--role', 'server', ...options]).stdout;
  /** What a file sets, by section. */
  const settings = (file: string): Record<string, string> => {
    const entries: [string, string][] = [];
    let section = '';
    for (const line of (machine.system.read(file) ?? '').split('\n')) {
      section = /^\[(.+)\]$/.exec(line)?.[1] ?? section;
      const [, key, value] = /^([a-z_]+) = (.*)$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined) entries.push([`${section}.${key}`, value]);
    }
    return Object.fromEntries(entries);
  };

  test('a new one explains every key, serves this machine alone, and is read by the services only', () => {
    write();
    expect(settings(MAIN)).toEqual({ 'http.port': '3000' });
    expect(machine.system.read(MAIN)).toContain('# Who may change rooms and devices.');
    expect(machine.system.sh(`stat -c '%a %U:%G' ${MAIN}`).trim()).toBe('640 root:techtemp');
  });

  test('options become keys', () => {
    write('--broker', '192.168.1.10:1884', '--http-port', '3100', '--registration', 'approve');
    expect(settings(MAIN)).toEqual({
      'mqtt.broker_host': '192.168.1.10',
      'mqtt.broker_port': '1884',
      'ingest.registration': 'approve',
      'http.port': '3100',
    });
  });

  test('at a broker elsewhere the password is kept where only root can read it, not in the settings', () => {
    const options = ['--role', 'server', '--broker', 'broker.local', '--username', 'techtemp'];
    machine.succeed('write_server_config', options, { env: { TECHTEMP_PASSWORD: 'pass word' } });
    expect(settings(MAIN)['mqtt.username']).toBe('techtemp');
    expect(machine.credential('techtemp-server')).toBe('pass word');
    expect(machine.system.sh("grep -rlF 'pass word' /etc /var/lib/techtemp-install || :").trim()).toBe(
      '/etc/credstore/techtemp-server.mqtt-password',
    );
  });

  test('with --listen it shows nothing to the network without a token', () => {
    write('--listen', '0.0.0.0');
    expect(settings(MAIN)).toMatchObject({ 'http.host': '0.0.0.0', 'http.reading': 'token' });
    write('--listen', '127.0.0.1');
    expect(settings(MAIN)).toMatchObject({ 'http.host': '127.0.0.1' });
  });

  test('who has decided that everybody may read stays right', () => {
    machine.system.write(MAIN, '[http]\nreading = open\n');
    write('--listen', '0.0.0.0');
    expect(settings(MAIN)).toEqual({ 'http.reading': 'open', 'http.host': '0.0.0.0' });
  });

  test('the time zone of the house is written down, unless nobody has set one', () => {
    machine.system.sh('ln -sfn /usr/share/zoneinfo/Europe/Paris /etc/localtime');
    write();
    expect(settings(MAIN)['house.time_zone']).toBe('Europe/Paris');
    machine.system.sh(`rm ${MAIN}; ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime`);
    write();
    expect(settings(MAIN)['house.time_zone']).toBeUndefined();
  });

  test('an existing one is changed by the key that an option names, and not at all without', () => {
    const own = '# mine\n[http]\nport=3005   # behind the proxy\n\n[house]\nname = Our house\n';
    machine.system.write(MAIN, own, 0o640);
    machine.system.sh(`chgrp techtemp ${MAIN}`);
    write();
    expect(machine.system.read(MAIN)).toBe(own);
    write('--http-port', '3006');
    expect(machine.system.read(MAIN)).toBe(own.replace('port=3005', 'port= 3006'));
    expect(write('--http-port', '3006')).toContain('CHANGES=0');
  });

  test('one that the server would refuse is named with its line, and left as it is', () => {
    const broken = '[http]\nport = many\n';
    machine.system.write(MAIN, broken);
    const { status, stderr } = machine.step('write_server_config', ['--role', 'server', '--registration', 'reject']);
    expect(status).toBe(1);
    expect(stderr).toContain(`${MAIN}:2: http.port`);
    expect(machine.system.read(MAIN)).toBe(broken);
  });

  test('a further instance has a port of its own and gives no receipts; the first keeps its own', () => {
    const said = write('--instance', 'staging');
    expect(said).toContain("it can't take a reading from the server that keeps the record");
    expect(settings(STAGING)).toEqual({ 'mqtt.receipts': 'no', 'http.port': '3001' });
    write();
    expect(settings(MAIN)).toEqual({ 'http.port': '3000' });
    write('--instance', 'trial');
    expect(settings('/etc/techtemp/server-trial.conf')['http.port']).toBe('3002');
  });

  test('a port that a program uses or another instance claims is not given away', () => {
    machine.system.listener(3001, 'python3 -m http.server 3001 --bind 127.0.0.1');
    machine.system.write('/etc/techtemp/server-other.conf', '[http]\nport = 3002\n');
    write('--instance', 'staging');
    expect(settings(STAGING)['http.port']).toBe('3003');
  });

  test('what cannot be meant is refused before anything is touched', () => {
    const refused = (...options: readonly string[]): string => machine.step('write_server_config', options).stderr;
    expect(refused('--role', 'server', '--http-port', '80')).toContain('refused: --http-port is "80"');
    expect(refused('--role', 'server', '--registration', 'aprove')).toContain('did you mean approve?');
    expect(refused('--role', 'device', '--listen', '0.0.0.0')).toContain('belong to a server');
    expect(machine.system.read(MAIN)).toBeUndefined();
  });
});
