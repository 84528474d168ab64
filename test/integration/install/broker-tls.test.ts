import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerMachine, DEVICE } from '../../support/broker-machine.ts';
import { freshSystemMissing } from '../../support/fresh-system.ts';
import { mosquittoInstalled } from '../../support/mosquitto.ts';
import { opensslInstalled } from '../../support/small-ca.ts';

const CERTIFICATE = '/etc/mosquitto/techtemp-tls/broker.crt';
const AUTHORITY = '/etc/mosquitto/techtemp-tls/ca.crt';

describe.skipIf(freshSystemMissing !== undefined || !mosquittoInstalled || !opensslInstalled)(
  'bootstrap-pi.sh --with-broker --tls',
  () => {
    let machine: BrokerMachine;
    beforeEach(async () => {
      machine = await BrokerMachine.create();
      machine.system.sh('ip addr add 192.168.77.5/24 dev lo; hostname house-pi');
    });
    afterEach(() => machine.remove());

    /** Publishes over TLS with the small authority; answers what mosquitto_pub says. */
    const publish = (host: string, password: string, ...more: readonly string[]): string => {
      const { stdout, stderr } = machine.system.run('mosquitto_pub', [
        ...['-h', host, '-p', '8883', '--cafile', AUTHORITY, '-V', '5', '-q', '1', '-u', DEVICE, '-P', password],
        ...['-t', `home/home-001/sensors/${DEVICE}/reading`, '-m', '[]', ...more],
      ]);
      return `${stdout}${stderr}`.trim();
    };
    const certificate = (...options: readonly string[]): string =>
      machine.system.run('openssl', ['x509', '-noout', '-in', CERTIFICATE, ...options]).stdout.trim();

    test('opens an encrypted door to the network, and leaves the plain one to the programs of this machine', () => {
      const { device } = machine.provide(['--tls']);
      const doors = machine.system.sh("ss -Hltn | awk '{ print $4 }' | sort");
      expect(doors).toMatch(/0\.0\.0\.0:8883/);
      expect(doors).toMatch(/127\.0\.0\.1:1883/);
      expect(doors).not.toMatch(/(0\.0\.0\.0|\*|\[::\]):1883/);
      for (const host of ['127.0.0.1', '192.168.77.5', 'localhost'])
        expect(publish(host, device.password), host).toBe('');
      expect(publish('localhost', 'wrong')).toContain('Not authorized');
      // Plain on loopback, so the programs of this machine need no certificate.
      expect(machine.system.sh('grep -cE "^(tls|broker_port)" /etc/techtemp/device.conf')).toBe('1\n');
      expect(machine.publish(device, `home/home-001/sensors/${DEVICE}/reading`)).toBe('');
    });

    test('its certificate names this machine, is valid for one that wakes up in the past, and its keys are private', () => {
      machine.provide(['--tls']);
      expect(certificate('-ext', 'subjectAltName')).toMatch(
        /DNS:house-pi, DNS:house-pi\.local, DNS:localhost, IP Address:127\.0\.0\.1, IP Address:192\.168\.77\.5$/,
      );
      expect(certificate('-startdate')).toBe('notBefore=Jan  1 00:00:00 2020 GMT');
      expect(certificate('-ext', 'basicConstraints,extendedKeyUsage')).toMatch(
        /CA:FALSE[\s\S]*TLS Web Server Authentication/,
      );
      expect(certificate('-text')).toContain('NIST CURVE: P-256');
      const verify = (name: readonly string[], at: string): string => {
        const { stdout, stderr } = machine.system.run('openssl', [
          ...['verify', '-CAfile', AUTHORITY, '-attime', String(Date.parse(at) / 1000), ...name, CERTIFICATE],
        ]);
        return `${stdout}${stderr}`;
      };
      expect(verify(['-verify_ip', '192.168.77.5'], '2020-06-01')).toContain('OK');
      expect(verify(['-verify_hostname', 'house-pi.local'], '2035-01-01')).toContain('OK');
      expect(verify(['-verify_ip', '192.168.77.6'], '2026-12-01')).toContain('IP address mismatch');
      expect(
        machine.system.sh(
          "cd /etc/mosquitto; stat -c '%a %U %n' techtemp-authority techtemp-authority/* techtemp-tls/*",
        ),
      ).toBe(
        [
          ...[
            '700 root techtemp-authority',
            '600 root techtemp-authority/ca.crt',
            '600 root techtemp-authority/ca.key',
          ],
          ...[
            '644 root techtemp-tls/broker.crt',
            '600 mosquitto techtemp-tls/broker.key',
            '644 root techtemp-tls/ca.crt',
            '',
          ],
        ].join('\n'),
      );
    });

    test('a second run changes nothing; a new address brings a certificate with the old names too, of the same authority', () => {
      const { device } = machine.provide(['--tls']);
      const first = certificate('-serial');
      const authority = machine.system.read(AUTHORITY);
      expect(machine.succeed('provide_broker', ['--with-broker', '--tls']).stdout).toContain('CHANGES=0');
      expect(certificate('-serial')).toBe(first);

      machine.system.sh('ip addr del 192.168.77.5/24 dev lo; ip addr add 192.168.77.9/24 dev lo');
      const running = machine.process();
      machine.succeed('provide_broker', ['--with-broker']);
      expect(certificate('-serial')).not.toBe(first);
      expect(certificate('-ext', 'subjectAltName')).toMatch(/IP Address:192\.168\.77\.5, IP Address:192\.168\.77\.9$/);
      expect(machine.system.read(AUTHORITY)).toBe(authority);
      // In force by a reload: those who are connected stay so.
      expect(machine.process()).toBe(running);
      expect(publish('192.168.77.9', device.password)).toBe('');
    });

    test('a certificate in its last year is renewed', () => {
      machine.provide(['--tls']);
      const first = certificate('-serial');
      machine.succeed('RENEW_DAYS=3651; provide_broker', ['--with-broker']);
      expect(certificate('-serial')).not.toBe(first);
    });

    test('encryption that comes later leaves the plain door open for the devices that use it', () => {
      const { device } = machine.provide();
      machine.succeed('provide_broker', ['--with-broker', '--tls']);
      const doors = machine.system.sh("ss -Hltn | awk '{ print $4 }'");
      expect(doors).toContain('0.0.0.0:1883');
      expect(doors).toContain('0.0.0.0:8883');
      expect(publish('localhost', device.password)).toBe('');
    });

    test('a further device is told to use the encrypted door', () => {
      machine.provide(['--tls']);
      const { stdout } = machine.succeed('change_account', ['--add-device', 'aht20-0b5c1d']);
      expect(stdout).toContain('--broker house-pi.local:8883 --tls-ca ca.crt --username aht20-0b5c1d');
      expect(stdout).toContain(AUTHORITY);
    });
  },
);
