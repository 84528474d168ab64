import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerMachine, DEVICE } from '../../support/broker-machine.ts';
import { freshSystemMissing } from '../../support/fresh-system.ts';
import { mosquittoInstalled } from '../../support/mosquitto.ts';

const STRANGER = 'aht20-ffffff';
const LISTENER = '/etc/mosquitto/conf.d/techtemp-listener.conf';

describe.skipIf(freshSystemMissing !== undefined || !mosquittoInstalled)(
  'bootstrap-pi.sh --with-broker, where nobody has set up a broker',
  () => {
    let machine: BrokerMachine;
    beforeEach(async () => {
      machine = await BrokerMachine.create();
    });
    afterEach(() => machine.remove());

    test('opens a door to the network at which each device can speak in its own folder alone', () => {
      const { device, server } = machine.provide();
      expect(machine.system.sh('ss -Hltn "sport = :1883"')).toMatch(/0\.0\.0\.0:1883/);

      const own = `home/home-001/sensors/${DEVICE}`;
      for (const leaf of ['reading', 'backlog', 'gap', 'latest', 'status'])
        expect(machine.publish(device, `${own}/${leaf}`), leaf).toBe('');
      expect(machine.publish(device, `homeassistant/sensor/${DEVICE}/temperature/config`)).toBe('');
      for (const topic of [
        `home/home-001/sensors/${STRANGER}/reading`,
        `home/home-001/sensors/${STRANGER}/receipt`,
        'techtemp/server/main',
        `homeassistant/sensor/${STRANGER}/temperature/config`,
        'elsewhere',
      ])
        expect(machine.publish(device, topic), topic).toContain('Not authorized');

      expect(machine.reaches(server, device, `${own}/reading`)).toBe(true);
      expect(machine.reaches(device, server, `${own}/receipt`)).toBe(true);
      expect(machine.publish(server, 'techtemp/server/main')).toBe('');
      expect(machine.publish(server, `${own}/reading`)).toContain('Not authorized');
      expect(machine.publish(undefined, `${own}/reading`)).toContain('Not authorized');
      expect(machine.publish({ name: DEVICE, password: 'wrong' }, `${own}/reading`)).toContain('Not authorized');
    });

    test('keeps passwords where only root and the broker can read them, and none of them in its log', () => {
      const { device, server } = machine.provide();
      expect(device.password).toMatch(/^[A-Za-z0-9]{24}$/);
      expect(server.password).not.toBe(device.password);
      expect(
        machine.system.sh(
          "stat -c '%a %U %n' /etc/credstore /etc/credstore/* /etc/mosquitto/techtemp.passwd /etc/mosquitto/techtemp.acl",
        ),
      ).toBe(
        [
          '700 root /etc/credstore',
          '600 root /etc/credstore/techtemp-server.mqtt-password',
          '600 root /etc/credstore/techtemp.mqtt-password',
          '600 mosquitto /etc/mosquitto/techtemp.passwd',
          '600 mosquitto /etc/mosquitto/techtemp.acl',
          '',
        ].join('\n'),
      );
      const everywhere = `grep -rlF -e '${device.password}' -e '${server.password}' /etc /var /run /tmp 2>/dev/null || :`;
      expect(machine.system.sh(everywhere).trim().split('\n').sort()).toEqual([
        '/etc/credstore/techtemp-server.mqtt-password',
        '/etc/credstore/techtemp.mqtt-password',
      ]);
    });

    test('points agent and server to it, each with its own account', () => {
      machine.provide();
      const lines = (file: string): string =>
        machine.system.sh(`grep -E '^(broker_|username|password|tls)' ${file}`).trim();
      expect(lines('/etc/techtemp/device.conf')).toBe(
        `broker_host = localhost\nbroker_port = 1883\nusername = ${DEVICE}`,
      );
      expect(lines('/etc/techtemp/server.conf')).toBe(
        'broker_host = localhost\nbroker_port = 1883\nusername = techtemp-server',
      );
    });

    test('changes nothing at a second run and leaves the broker running', () => {
      const first = machine.provide();
      const files = machine.system.changedFiles();
      const running = machine.process();
      const { stdout } = machine.succeed('provide_broker; write_device_config; write_server_config', [
        '--with-broker',
        '--role',
        'all',
      ]);
      expect(stdout).toContain('CHANGES=0');
      expect(machine.process()).toBe(running);
      expect(machine.provide()).toEqual(first);
      const meanwhile = (line: string): boolean => line.includes('/install.log') || line.includes('mosquitto.log');
      expect(machine.system.changedFiles().filter((line) => !meanwhile(line))).toEqual(
        files.filter((line) => !meanwhile(line)),
      );
    });

    test('a dry run names each step and changes nothing', () => {
      const before = machine.system.changedFiles();
      const { stdout } = machine.succeed('provide_broker', ['--with-broker', '--role', 'all', '--dry-run']);
      expect(stdout).toContain(`$ write ${LISTENER}`);
      expect(stdout).toContain('$ systemctl restart mosquitto');
      expect(machine.system.changedFiles()).toEqual(before);
      expect(machine.system.calls().filter((call) => /restart|reload|enable mosq/.test(call))).toEqual([]);
    });

    test('a configuration that Mosquitto does not take never comes into force', () => {
      machine.provide();
      const running = machine.process();
      machine.system.sh('echo no_such_setting true >>/project/config/mosquitto/techtemp.conf');
      const { status, stderr } = machine.step('provide_broker', ['--with-broker']);
      expect(status).toBe(1);
      expect(stderr).toContain('no_such_setting');
      expect(stderr).toMatch(/Error found at techtemp\.conf:\d+/);
      expect(machine.system.read('/etc/mosquitto/conf.d/techtemp.conf')).not.toContain('no_such_setting');
      expect(machine.process()).toBe(running);
    });

    test('what the trial can’t see is seen by the probe: the files are put back, and the broker runs as before', () => {
      const { device } = machine.provide();
      const before = machine.system.read('/etc/mosquitto/techtemp.acl');
      // The trial is skipped, so that the damage reaches the running broker.
      machine.system.sh(
        "sed -i 's/^pattern readwrite home.*/pattern read nothing/' /project/config/mosquitto/techtemp.acl",
      );
      const { status, stderr } = machine.step('try_configuration() { :; }; provide_broker', ['--with-broker']);
      expect(status).toBe(1);
      expect(stderr).toContain(`the broker runs, but device ${DEVICE} may not send its readings`);
      expect(stderr).toContain('undone: /etc/mosquitto/techtemp.acl is as it was');
      expect(stderr).toContain('undone: Mosquitto runs as before');
      expect(machine.system.read('/etc/mosquitto/techtemp.acl')).toBe(before);
      expect(machine.publish(device, `home/home-001/sensors/${DEVICE}/reading`)).toBe('');
    });

    test('a port that another program has is named with that program, before anything is touched', () => {
      machine.system.listener(1883, 'exec python3 -m http.server 1883');
      const { status, stderr } = machine.step('provide_broker', ['--with-broker']);
      expect(status).toBe(1);
      expect(stderr).toMatch(/port 1883, where the broker would listen, is taken by python3 \(process \d+\)/);
      expect(machine.system.read(LISTENER)).toBeUndefined();
    });

    test('what was edited in our files is kept, and an unedited one follows the release', () => {
      machine.provide();
      machine.system.sh(
        `sed -i 's/^max_queued_messages.*/max_queued_messages 70000/' /etc/mosquitto/conf.d/techtemp.conf`,
      );
      const { stdout } = machine.succeed('provide_broker', ['--with-broker']);
      expect(stdout).toContain('/etc/mosquitto/conf.d/techtemp.conf was edited here and stays as it is');
      expect(machine.system.read('/etc/mosquitto/conf.d/techtemp.conf')).toContain('max_queued_messages 70000');

      machine.system.sh(`echo '# a line of a newer release' >>/project/config/mosquitto/lan/techtemp-listener.conf`);
      machine.succeed('provide_broker', ['--with-broker']);
      expect(machine.system.read(LISTENER)).toContain('# a line of a newer release');
      expect(machine.system.read('/etc/mosquitto/conf.d/techtemp.conf')).toContain('max_queued_messages 70000');
    });

    test('an upgrade without a word about the broker keeps it up to date; one that names another leaves it alone', () => {
      machine.provide();
      machine.system.sh(`echo '# a line of a newer release' >>/project/config/mosquitto/techtemp.acl`);
      machine.system.sh(
        'sed -i "s/^# ---/# a line of a newer release\\n# ---/" /project/config/mosquitto/techtemp.acl',
      );
      expect(machine.succeed('provide_broker', ['--broker', '192.168.1.10']).stdout).toContain('CHANGES=0');
      expect(machine.succeed('provide_broker').stdout).toContain('wrote /etc/mosquitto/techtemp.acl');
    });

    test('an upgrade keeps the spelling and the account of files that lead here already', () => {
      machine.provide();
      machine.system.sh(
        `sed -i 's/^broker_host = localhost/broker_host = 127.0.0.1/; s/^username = .*/username = by-hand/' /etc/techtemp/device.conf /etc/techtemp/server.conf`,
      );
      const words = 'provide_broker; write_device_config; write_server_config';
      expect(machine.succeed(words, ['--role', 'all']).stdout).toContain('CHANGES=0');
      expect(machine.system.read('/etc/techtemp/device.conf')).toContain('username = by-hand');
    });

    test('what failed after the broker was set up takes nothing of the broker back, but all before it', () => {
      machine.system.sh('rm -f /etc/mark');
      const words = 'echo x | install_file /etc/mark 0644 root:root; provide_broker; fail "the next step" ""';
      const { stderr } = machine.step(words, ['--with-broker']);
      expect(stderr).toContain('undone: /etc/mark removed');
      expect(stderr).not.toContain('Mosquitto runs as before');
      expect(machine.system.read(LISTENER)).toBeDefined();
    });
  },
);
