import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerMachine, DEVICE } from '../../support/broker-machine.ts';
import { freshSystemMissing } from '../../support/fresh-system.ts';
import { mosquittoInstalled } from '../../support/mosquitto.ts';

const THEIRS = '/etc/mosquitto/conf.d/home-assistant.conf';
const OPTIONS = ['--with-broker', '--role', 'all'];
const FOLDER = `home/home-001/sensors/${DEVICE}`;
const WHERE = 'echo "at $BROKER_HOST:$BROKER_PORT as ${BROKER_USER:-nobody}"';

describe.skipIf(freshSystemMissing !== undefined || !mosquittoInstalled)(
  'bootstrap-pi.sh --with-broker, where Mosquitto is in use',
  () => {
    let machine: BrokerMachine;
    beforeEach(async () => {
      machine = await BrokerMachine.create();
    });
    afterEach(() => machine.remove());

    /** Somebody's Mosquitto with these lines in a fragment of theirs, and running. */
    const theirs = (...lines: readonly string[]): void => {
      machine.system.write(THEIRS, `${lines.join('\n')}\n`);
      machine.system.sh('systemctl start mosquitto; systemctl is-active --quiet mosquitto');
    };
    /** Everything of Mosquitto's that somebody else has set up, and the broker's process. */
    const untouched = (): string =>
      machine.system.sh(
        `cd /etc/mosquitto; find . -type f ! -path ./conf.d/techtemp.conf -printf '%m %u:%g ' -exec sha256sum {} ';'`,
      ) + machine.process();

    test('an anonymous broker for the whole network is used as it is', () => {
      theirs('listener 1883', 'allow_anonymous true');
      const before = untouched();
      const { stdout } = machine.succeed(`provide_broker; ${WHERE}`, OPTIONS);
      expect(stdout).toContain(`Mosquitto is set up here already, in ${THEIRS}; it is used as it is`);
      expect(stdout).toContain('port 1883, without a password: every program that reaches it may read and write');
      expect(stdout).toContain('at localhost:1883 as nobody');
      expect(untouched()).toBe(before);
    });

    test('all that it gets is a longer queue from its next start on, with which it still starts', () => {
      theirs('listener 1883', 'allow_anonymous true');
      machine.succeed('provide_broker', OPTIONS);
      const added = machine.system.read('/etc/mosquitto/conf.d/techtemp.conf') ?? '';
      expect(added.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
        'max_queued_messages 100000',
        'max_queued_bytes 67108864',
      ]);
      expect(machine.system.calls().some((call) => /(restart|reload|stop) mosquitto/.test(call))).toBe(false);
      machine.system.sh('systemctl restart mosquitto; systemctl is-active --quiet mosquitto');
      expect(machine.publish(undefined, `${FOLDER}/reading`)).toBe('');
      expect(machine.succeed('provide_broker', OPTIONS).stdout).toContain('CHANGES=0');
    });

    test('a queue that its owner has set stays as it is', () => {
      theirs('listener 1883', 'allow_anonymous true', 'max_queued_messages 3000');
      const { stdout } = machine.succeed('provide_broker', OPTIONS);
      expect(stdout).toContain('it keeps 3000 messages for a server that is away');
      expect(machine.system.read('/etc/mosquitto/conf.d/techtemp.conf')).toBeUndefined();
    });

    test('one that serves this machine alone is said to be out of reach for other Pis', () => {
      theirs('listener 1883 127.0.0.1', 'allow_anonymous true', 'listener 9001', 'protocol websockets');
      const before = untouched();
      const { stderr, stdout } = machine.succeed(`provide_broker; ${WHERE}`, OPTIONS);
      expect(stderr).toContain('it serves this machine alone');
      expect(stdout).toContain('at localhost:1883');
      expect(untouched()).toBe(before);
    });

    test('with per_listener_settings, of several doors the plain one to the network is taken', () => {
      machine.system.sh(
        'sed -i "1i per_listener_settings true" /etc/mosquitto/mosquitto.conf; printf "zigbee:secret\\n" >/etc/mosquitto/pw; mosquitto_passwd -U /etc/mosquitto/pw; chown mosquitto /etc/mosquitto/pw',
      );
      theirs(
        ...['listener 1884 localhost', 'password_file /etc/mosquitto/pw', 'allow_anonymous false'],
        ...['listener 1885', 'allow_anonymous true'],
      );
      const before = untouched();
      expect(machine.succeed(`provide_broker; ${WHERE}`, OPTIONS).stdout).toContain('at localhost:1885 as nobody');
      expect(untouched()).toBe(before);
    });

    test('one that asks for a password is refused with the command for its owner, and taken with an account', () => {
      machine.system.sh(
        `printf '${DEVICE}:secret\\n' >/etc/mosquitto/pw; mosquitto_passwd -U /etc/mosquitto/pw; chown mosquitto /etc/mosquitto/pw`,
      );
      theirs('listener 1883', 'allow_anonymous false', 'password_file /etc/mosquitto/pw');
      const before = untouched();
      const refused = machine.step('provide_broker', OPTIONS);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('asks for a user name and a password');
      expect(refused.stderr).toContain(
        `sudo mosquitto_passwd /etc/mosquitto/pw ${DEVICE} && sudo systemctl reload mosquitto`,
      );

      const env = { TECHTEMP_PASSWORD: 'secret' };
      const options = [...OPTIONS, '--username', DEVICE];
      expect(machine.succeed(`provide_broker; ${WHERE}`, options, { env }).stdout).toContain(
        `at localhost:1883 as ${DEVICE}`,
      );
      const wrong = machine.step('provide_broker', options, { env: { TECHTEMP_PASSWORD: 'other' } });
      expect(wrong.stderr).toContain(`does not let ${DEVICE} in`);
      expect(untouched()).toBe(before);
    });

    test('an access list in which the device is missing is found although the message seems to be taken', () => {
      machine.system.sh(
        `printf '${DEVICE}:secret\\n' >/etc/mosquitto/pw; mosquitto_passwd -U /etc/mosquitto/pw; chown mosquitto /etc/mosquitto/pw; printf 'user zigbee\\ntopic zigbee/#\\n' >/etc/mosquitto/acl`,
      );
      theirs(
        ...['listener 1883', 'allow_anonymous false', 'password_file /etc/mosquitto/pw', 'acl_file /etc/mosquitto/acl'],
      );
      const { status, stderr } = machine.step('provide_broker', [...OPTIONS, '--username', DEVICE], {
        env: { TECHTEMP_PASSWORD: 'secret' },
      });
      expect(status).toBe(1);
      expect(stderr).toContain(`does not let ${DEVICE} speak and listen below ${FOLDER}`);
      expect(stderr).toContain(`topic readwrite ${FOLDER}/#`);
    });

    test('one that is set up but does not run is not started over its owner’s head', () => {
      machine.system.write(THEIRS, 'listener 1883\nallow_anonymous true\n');
      const { status, stderr } = machine.step('provide_broker', OPTIONS);
      expect(status).toBe(1);
      expect(stderr).toContain('is set up, but not running');
      expect(machine.system.calls().some((call) => call.startsWith('systemctl start'))).toBe(false);
    });

    test('the trial runs as the broker’s user, without bridges, plug-ins and its database', () => {
      machine.system.sh('mkdir -p /var/lib/mosquitto && chown mosquitto /var/lib/mosquitto');
      const elsewhere = `import socket; s = socket.create_server(("127.0.0.1", 2883)); print("listens"); s.accept(); print("heard")`;
      machine.system.background(`exec python3 -u -c '${elsewhere}' >/tmp/bridge 2>&1`, '/tmp/bridge', 'listens');
      theirs(
        ...['listener 1883', 'allow_anonymous true', 'persistence_file theirs.db', 'autosave_interval 1'],
        ...['connection cloud', 'address 127.0.0.1:2883', 'topic # both', 'cleansession false'],
      );
      machine.system.sh('mosquitto_pub -t keep -m me -r; until grep -q heard /tmp/bridge; do sleep 0.05; done');
      machine.system.sh('systemctl stop mosquitto; mv /usr/sbin/mosquitto /usr/sbin/mosquitto.real');
      machine.system.write(
        '/usr/sbin/mosquitto',
        '#!/bin/bash\nid -un >/tmp/tried-as\nfor file in "$2" $(dirname "$2")/*/*.conf; do cat "$file"; done >/tmp/tried\nexec /usr/sbin/mosquitto.real "$@"\n',
        0o755,
      );
      const db = machine.system.sh('sha256sum /var/lib/mosquitto/theirs.db');
      machine.succeed('MOSQUITTO_RUNS=1; look_at_mosquitto; raise_their_queue', OPTIONS);
      const tried = (machine.system.read('/tmp/tried') ?? '').split('\n').filter((line) => !line.startsWith('#'));
      expect(tried.filter((line) => /^(connection|address|topic|persistence|pid_file)/.test(line))).toEqual([]);
      expect(tried.filter((line) => line.startsWith('listener'))).toEqual([
        expect.stringMatching(/^listener [23]\d{4} 127\.0\.0\.1$/),
      ]);
      expect(machine.system.read('/tmp/tried-as')).toBe('mosquitto\n');
      expect(machine.system.sh('sha256sum /var/lib/mosquitto/theirs.db')).toBe(db);
    });

    describe('as installed, for the programs of this machine alone', () => {
      beforeEach(() => {
        machine.system.sh('systemctl start mosquitto; systemctl is-active --quiet mosquitto');
      });

      test('it is not opened without being asked: programs that use it would need a password', () => {
        machine.system.background(
          'stdbuf -oL mosquitto_sub -d -t anything >/tmp/subscriber 2>&1',
          '/tmp/subscriber',
          'SUBACK',
        );
        const before = untouched();
        for (const options of [OPTIONS, [...OPTIONS, '--yes']]) {
          const { status, stderr } = machine.step('provide_broker', options);
          expect(status).toBe(1);
          expect(stderr).toContain('programs of this machine use it without a password (1 connected now)');
          expect(stderr).toContain('--force sets it up with passwords');
        }
        expect(untouched()).toBe(before);
      });

      test('it is opened when a person says yes, or with --force, and restarted for it', () => {
        const before = machine.process();
        const no = machine.step('provide_broker', OPTIONS, { onTerminal: true, input: 'n\n' });
        expect(no.status).toBe(1);
        expect(machine.process()).toBe(before);
        const yes = machine.succeed('provide_broker', OPTIONS, { onTerminal: true, input: 'y\n' });
        expect(yes.stdout).toContain('restarted Mosquitto');
        expect(machine.process()).not.toBe(before);
        expect(machine.publish(undefined, `${FOLDER}/reading`)).toContain('Not authorized');
      });

      test('--force does the same without a terminal', () => {
        expect(machine.succeed('provide_broker', [...OPTIONS, '--force']).stdout).toContain('restarted Mosquitto');
      });
    });
  },
);
