import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Account, BrokerMachine, DEVICE } from '../../support/broker-machine.ts';
import { freshSystemMissing } from '../../support/fresh-system.ts';
import { mosquittoInstalled } from '../../support/mosquitto.ts';

const OTHER = 'aht20-0b5c1d';

describe.skipIf(freshSystemMissing !== undefined || !mosquittoInstalled)(
  'accounts at the broker for what runs on other machines',
  () => {
    let machine: BrokerMachine;
    let device: Account;
    let server: Account;
    beforeEach(async () => {
      machine = await BrokerMachine.create();
      ({ device, server } = machine.provide());
    });
    afterEach(() => machine.remove());

    /** Adds an account; answers what was shown. */
    const add = (option: string, name: string): Account & { readonly shown: string } => {
      const { stdout } = machine.succeed('change_account', [option, name]);
      const value = (label: string): string => new RegExp(`^ *${label} +(\\S+)`, 'm').exec(stdout)?.[1] ?? '';
      return { name: value('user name'), password: value('password'), shown: stdout };
    };

    test('--add-device: its password is shown once, with the command for its Pi, and it speaks in its own folder alone', () => {
      const running = machine.process();
      const other = add('--add-device', OTHER);
      expect(other.name).toBe(OTHER);
      expect(other.shown).toMatch(/bootstrap-pi\.sh --role device --broker \S+:1883 --username aht20-0b5c1d/);
      expect(machine.reaches(server, other, `home/home-001/sensors/${OTHER}/reading`)).toBe(true);
      expect(machine.publish(other, `home/home-001/sensors/${DEVICE}/reading`)).toContain('Not authorized');
      // A connected client stays connected, and the first device has its password still.
      expect(machine.process()).toBe(running);
      expect(machine.publish(device, `home/home-001/sensors/${DEVICE}/reading`)).toBe('');
      const kept = machine.system.sh(`grep -rlF '${other.password}' /etc /var /run /tmp 2>/dev/null || :`);
      expect(kept).toBe('');
    });

    test('a second --add-device of the same name changes no password unless it is asked to', () => {
      const other = add('--add-device', OTHER);
      const { status, stderr } = machine.step('change_account', ['--add-device', OTHER]);
      expect(status).toBe(1);
      expect(stderr).toContain(`${OTHER} has an account already`);
      expect(machine.publish(other, `home/home-001/sensors/${OTHER}/reading`)).toBe('');
      machine.succeed('change_account', ['--add-device', OTHER, '--yes']);
      expect(machine.publish(other, `home/home-001/sensors/${OTHER}/reading`)).toContain('Not authorized');
    });

    test('the accounts of this machine’s own services can neither be renewed nor removed behind their backs', () => {
      for (const option of ['--add-device', '--remove-account']) {
        const { status, stderr } = machine.step('change_account', [option, DEVICE, '--yes']);
        expect(status).toBe(1);
        expect(stderr).toContain(`${DEVICE} is the account of this machine's own service`);
      }
      expect(machine.publish(device, `home/home-001/sensors/${DEVICE}/reading`)).toBe('');
    });

    test('--add-server: a further server hears everything and confirms nothing', () => {
      const staging = add('--add-server', 'staging');
      expect(staging.name).toBe('techtemp-server-staging');
      expect(machine.reaches(staging, device, `home/home-001/sensors/${DEVICE}/reading`)).toBe(true);
      expect(machine.publish(staging, 'techtemp/server/staging')).toBe('');
      expect(machine.publish(staging, 'techtemp/server/main')).toContain('Not authorized');
      expect(machine.publish(staging, `home/home-001/sensors/${DEVICE}/receipt`)).toContain('Not authorized');
      expect(machine.publish(server, `home/home-001/sensors/${DEVICE}/receipt`)).toBe('');
    });

    test('--add-reader: Home Assistant reads everything, says that it has started, and can ask for a reading', () => {
      const reader = add('--add-reader', 'homeassistant');
      expect(machine.reaches(reader, device, `home/home-001/sensors/${DEVICE}/reading`)).toBe(true);
      expect(machine.reaches(reader, device, `homeassistant/sensor/${DEVICE}/humidity/config`)).toBe(true);
      expect(machine.reaches(device, reader, 'homeassistant/status')).toBe(true);
      expect(machine.reaches(device, reader, `home/home-001/sensors/${DEVICE}/command`)).toBe(true);
      expect(machine.publish(reader, `home/home-001/sensors/${DEVICE}/reading`)).toContain('Not authorized');
      expect(machine.publish(reader, `home/home-001/sensors/${DEVICE}/receipt`)).toContain('Not authorized');
    });

    test('--remove-account: the account and its rights are gone, the others and lines by hand stay', () => {
      machine.system.sh('printf "user zigbee\\ntopic zigbee/#\\n" >>/etc/mosquitto/techtemp.acl');
      const reader = add('--add-reader', 'homeassistant');
      const other = add('--add-device', OTHER);
      machine.succeed('change_account', ['--remove-account', 'homeassistant']);
      expect(machine.publish(reader, 'homeassistant/status')).toContain('Not authorized');
      const acl = machine.system.read('/etc/mosquitto/techtemp.acl') ?? '';
      expect(acl).not.toContain('user homeassistant');
      expect(acl).toContain('user zigbee\ntopic zigbee/#');
      expect(acl).toContain('user techtemp-server');
      expect(machine.publish(other, `home/home-001/sensors/${OTHER}/reading`)).toBe('');
      expect(machine.succeed('change_account', ['--remove-account', 'homeassistant']).stdout).toContain('CHANGES=0');
    });

    test('on a machine without a broker of ours it says so', () => {
      machine.system.sh('rm /etc/mosquitto/conf.d/techtemp-listener.conf');
      const { status, stderr } = machine.step('change_account', ['--add-device', OTHER]);
      expect(status).toBe(1);
      expect(stderr).toContain('no broker that was set up by');
    });
  },
);
