import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FreshSystem,
  freshSystem,
  freshSystemMissing,
  PROJECT,
  type RunResult,
} from '../../support/fresh-system.ts';
import { provideProgram, runSteps, type StepOptions } from '../../support/install-steps.ts';

const CONFIG = '/etc/techtemp/device.conf';
const CREDENTIAL = '/etc/credstore/techtemp.mqtt-password';
const SHIPPED = `${PROJECT}/config/device.conf`;

describe.skipIf(freshSystemMissing !== undefined)('the settings of the agent, as the installer writes them', () => {
  let system: FreshSystem;
  beforeEach(async () => {
    system = await freshSystem();
    await provideProgram(system, 'device');
    system.sh('groupadd -f -r techtemp');
  });
  afterEach(() => system.remove());

  test('are the annotated file of the release with what was given, readable for root and the services alone', () => {
    const args = ['--home', 'Heverlee', '--room', 'Küche "groß" # 1', '--broker', '10.0.0.1:1884', '--interval', '60'];
    expect(write({ args })).toMatchObject({ status: 0 });
    expect(effective('home_id')).toMatch(/^Heverlee /);
    expect(effective('room')).toMatch(/^"Küche ""groß"" # 1" /);
    expect(effective('broker_host')).toMatch(/^10\.0\.0\.1 /);
    expect(effective('read_interval_seconds')).toMatch(/^60 /);
    const changed = system.sh(`diff ${SHIPPED} ${CONFIG} | grep -c '^>' || :`).trim();
    expect(changed).toBe('6');
    expect(system.sh(`stat -c '%a %U:%G' ${CONFIG}`)).toBe('640 root:techtemp\n');
  });

  test('name the device as the agent itself would, and keep that name when a network card comes', () => {
    const own = system.sh(`env -i PATH="$PATH" node ${PROJECT}/dist/techtemp-device.js config -c ${SHIPPED}`);
    write();
    const uid = effective('device_uid');
    // No network card in here: the agent says zeros, and at the installation a name by chance is given instead.
    expect(own).toContain('device_uid = aht20-000000');
    expect(uid).toMatch(/^aht20-[0-9a-f]{6} /);
    expect(uid).not.toContain('000000');
    system.sh('ip link add eth0 type veth && ip link set eth0 address 02:00:00:f4:9c:53');
    write();
    expect(effective('device_uid')).toBe(uid);
  });

  test('take the name from the network card, where there is one, and the one that the agent had before', () => {
    system.sh('ip link add eth0 type veth && ip link set eth0 address 02:00:00:f4:9c:53');
    write();
    expect(effective('device_uid')).toMatch(/^aht20-f49c53 /);
    system.sh(`rm ${CONFIG}; mkdir -p /var/lib/techtemp; echo aht20-before >/var/lib/techtemp/device-uid`);
    write();
    expect(effective('device_uid')).toMatch(/^aht20-before /);
  });

  test('are never overwritten: an option changes its own line, and says so; no option changes nothing', () => {
    write({ args: ['--room', 'Salon'] });
    const mine = `; mine\n[device]\nroom   = Salon   # where it stands\ndevice_uid = aht20-123456\n[sensor]\ni2c_bus = 3\n`;
    system.write(CONFIG, mine, 0o640);
    system.sh(`chgrp techtemp ${CONFIG}`);
    const before = system.sh(`stat -c '%Y %i' ${CONFIG}`);
    expect(write().stdout).toContain(`${CONFIG} is as it was`);
    expect(system.read(CONFIG)).toBe(mine);
    expect(system.sh(`stat -c '%Y %i' ${CONFIG}`)).toBe(before);

    const { stdout } = write({ args: ['--room', 'Büro'] });
    expect(stdout).toContain('room = Büro (it was Salon)');
    expect(system.read(CONFIG)).toBe(mine.replace('room   = Salon', 'room   = Büro'));
  });

  test('keep their owner and mode where the services can read them, and stay where a link leads to', () => {
    system.sh('useradd -m anna; mkdir -p /etc/techtemp');
    system.write('/home/anna/device.conf', '[device]\ndevice_uid = aht20-123456\n', 0o644);
    system.sh(`chown anna:anna /home/anna/device.conf; ln -s /home/anna/device.conf ${CONFIG}`);
    expect(write({ args: ['--room', 'Salon'] })).toMatchObject({ status: 0 });
    expect(system.sh(`readlink ${CONFIG}; stat -c '%a %U' /home/anna/device.conf`)).toBe(
      '/home/anna/device.conf\n644 anna\n',
    );
    expect(system.read('/home/anna/device.conf')).toContain('room = Salon');
  });

  test('that the agent would refuse end the run in its own words, with the file as it was', () => {
    const wrong = '[sensor]\nread_interval_secnds = 60\n';
    system.write(CONFIG, wrong);
    const { status, stderr } = write({ args: ['--room', 'Salon'] });
    expect(status).toBe(1);
    expect(stderr).toContain(`${CONFIG}:2: sensor.read_interval_secnds`);
    expect(stderr).toContain('read_interval_seconds');
    expect(stderr).toContain('to do:');
    expect(system.read(CONFIG)).toBe(wrong);
  });

  test('an environment of the one who installs does not make a wrong file right', () => {
    system.write(CONFIG, '[mqtt]\nbroker_port = 99999\n');
    const { status } = write({ env: { TECHTEMP_MQTT_BROKER_PORT: '1883' } });
    expect(status).toBe(1);
    expect(write({ args: ['--broker', 'localhost:1883'] }).status).toBe(0);
  });

  test('leave the password out: it lies where only root reads it, and a new one asks for a restart', () => {
    const secret = `'"# %s \\ ü$`;
    const given = { args: ['--broker', 'b', '--username', 'u'], env: { TECHTEMP_PASSWORD: secret } };
    expect(write(given).stdout).toContain('restart: techtemp-device.service');
    expect(system.read(CREDENTIAL)).toBe(`${secret}\n`);
    expect(system.sh(`stat -c '%a %U' ${CREDENTIAL}`)).toBe('600 root\n');
    expect(system.sh(`grep -rF '# %s' ${CONFIG} /var/lib/techtemp-install || echo nowhere`)).toBe('nowhere\n');
    expect(write(given).stdout).not.toContain('restart: techtemp');
  });

  test('a password goes to where the owner keeps it, since the agent looks there first', () => {
    system.write(CONFIG, '[mqtt]\nusername = u\npassword = old\n', 0o600);
    write({ args: ['--username', 'u'], env: { TECHTEMP_PASSWORD: 'new' } });
    expect(system.read(CONFIG)).toContain('password = new');
    expect(system.read(CREDENTIAL)).toBeUndefined();

    system.write(CONFIG, '[mqtt]\nusername = u\npassword_file = /etc/techtemp/secret\n', 0o600);
    write({ args: ['--username', 'u'], env: { TECHTEMP_PASSWORD: 'newer' } });
    expect(system.read('/etc/techtemp/secret')).toBe('newer\n');
  });

  test("an authority's certificate comes to where the services see it", () => {
    system.write('/root/ca.pem', '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n', 0o600);
    write({ args: ['--broker', 'b', '--tls-ca', '/root/ca.pem'] });
    expect(effective('tls_ca_file')).toMatch(/^\/etc\/techtemp\/broker-ca\.pem /);
    expect(effective('tls')).toMatch(/^yes /);
    expect(system.sh('stat -c %a /etc/techtemp/broker-ca.pem')).toBe('644\n');
    const { status, stderr } = write({ args: ['--broker', 'b', '--tls-ca', '/etc/hostname'] });
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('PEM') as string });
  });

  test('what a newer release can be told is named once, and explained in a file beside them', () => {
    write({ args: ['--room', 'Salon'] });
    system.sh(`sed -i 's/^#batch_size = 50$/&\\n\\n# A new one.\\n#newest_key = 7/' ${SHIPPED}`);
    const mine = system.read(CONFIG);
    const { stdout } = write();
    expect(stdout).toMatch(/new in this release.*\n +mqtt\.newest_key\n/);
    expect(system.read(CONFIG)).toBe(mine);
    expect(system.read(`${CONFIG}.new`)).toContain('#newest_key = 7');
    expect(system.read(`${CONFIG}.new`)).toContain('room = Salon');

    system.sh(`rm ${CONFIG}.new`);
    expect(write().stdout).not.toContain('newest_key');
    expect(system.read(`${CONFIG}.new`)).toBeUndefined();
  });

  test('a dry run shows what would be written and writes nothing', () => {
    const before = system.changedFiles();
    const { status, stdout } = write({ args: ['--dry-run', '--room', 'Salon'] });
    expect(status).toBe(0);
    expect(stdout).toContain(`$ write ${CONFIG} (mode 0640, root:techtemp)`);
    expect(system.changedFiles()).toEqual(before);
  });

  function write(options?: StepOptions): RunResult {
    const script = `read_password; RELEASE_DIR=${PROJECT}; write_device_config; echo "restart: \${RESTART_UNITS[*]}"`;
    return runSteps(system, script, options);
  }

  /** A key as the agent understands the file, with the comment that says where it comes from. */
  function effective(key: string): string {
    const printed = system.sh(`env -i PATH="$PATH" node ${PROJECT}/dist/techtemp-device.js config -c ${CONFIG}`);
    return new RegExp(`^${key} = (.*)$`, 'm').exec(printed)?.[1] ?? '';
  }
});
