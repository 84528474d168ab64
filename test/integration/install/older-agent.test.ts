import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing, PROJECT } from '../../support/fresh-system.ts';
import { provideProgram, runSteps } from '../../support/install-steps.ts';

const FOLDER = '/home/pi/techtemp/device';
const OLDER_CONFIG = `${FOLDER}/config/device.conf`;
const OLDER_PROGRAM = `${FOLDER}/build/techtemp-device`;
const UNIT = '/etc/systemd/system/techtemp-device.service';
const CONFIG = '/etc/techtemp/device.conf';

/** As the older script writes it. */
const OLDER_UNIT = `[Unit]
Description=TechTemp Device Client
After=network.target
Wants=network.target

[Service]
Type=simple
User=root
WorkingDirectory=${FOLDER}
ExecStart=${OLDER_PROGRAM} config/device.conf
Restart=always
RestartSec=10
StandardOutput=syslog
StandardError=syslog

[Install]
WantedBy=multi-user.target
`;

const OLDER_SETTINGS = `# TechTemp Device Configuration
[device]
device_uid = aht20-F49C53_x
home_id = Heverlee
label = "Capteur Salon"

[sensor]
i2c_address = 0x38
i2c_bus = 1
read_interval_seconds = 300
temperature_offset = -0.5
humidity_offset = 2.0

[mqtt]
broker_host = 192.168.0.180
broker_port = 1884
username = pi "one"
password = pass #1 "x"
topic_prefix = techtemp/devices
qos = 1
retain = false
keepalive_seconds = 60
reconnect_delay_seconds = 5
max_reconnect_attempts = 10

[logging]
log_level = DEBUG  # DEBUG, INFO, WARN, ERROR
log_to_console = true

[system]
daemon_mode = false
`;

describe.skipIf(freshSystemMissing !== undefined)('an older TechTemp agent on the machine', () => {
  let system: FreshSystem;
  beforeEach(async () => {
    system = await freshSystem();
    await provideProgram(system, 'device');
    system.sh('groupadd -f -r techtemp');
    system.write(OLDER_CONFIG, OLDER_SETTINGS);
    // A native program of that name that stays.
    system.sh(`mkdir -p ${FOLDER}/build && cp /bin/sleep ${OLDER_PROGRAM}`);
  });
  afterEach(() => system.remove());

  test('gives us its name and its settings as it meant them, and keeps its files', () => {
    withUnit();
    const before = system.sh(`find /home/pi -type f -exec md5sum {} + | sort`);
    const { status, stdout, stderr } = take();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`the settings in ${OLDER_CONFIG} are taken over`);
    const settings = effective();
    expect(settings).toMatch(/^device_uid = aht20-F49C53_x /m);
    expect(settings).toMatch(/^home_id = Heverlee /m);
    expect(settings).toMatch(/^label = Capteur Salon /m);
    expect(settings).toMatch(/^read_interval_seconds = 300 /m);
    expect(settings).toMatch(/^temperature_offset = -0.5 /m);
    expect(settings).toMatch(/^humidity_offset = 2 /m);
    expect(settings).toMatch(/^broker_host = 192.168.0.180 /m);
    expect(settings).toMatch(/^broker_port = 1884 /m);
    expect(settings).toMatch(/^log_level = debug /m);
    // The older agent sent these two to the letter, quotes and all.
    expect(system.sh(`awk -F ' = ' '$1 == "username" { print $2 }' ${CONFIG}`)).toBe('pi "one"\n');
    expect(system.read('/etc/credstore/techtemp.mqtt-password')).toBe('pass #1 "x"\n');
    expect(system.read(CONFIG)).not.toContain('pass #1');
    expect(stdout).toMatch(/left out: .*topic_prefix/);
    expect(system.sh(`find /home/pi -type f -exec md5sum {} + | sort`)).toBe(before);
  });

  test('measures until ours takes its place, and never beside it', () => {
    withUnit();
    const pid = system.sh('systemctl show -p MainPID --value techtemp-device').trim();
    take('', ['write_device_config', `test -e /proc/${pid} && echo still measuring`, 'write_units']);
    expect(system.run('test', ['-e', `/proc/${pid}`]).status).toBe(1);
    expect(system.read(UNIT)).toContain('DynamicUser=yes');
    expect(system.read('/var/lib/techtemp-install/older-agent/techtemp-device.service')).toBe(OLDER_UNIT);
    expect(system.sh('systemctl is-enabled techtemp-device')).toBe('enabled\n');
  });

  test('measures again, from its own unit, when our installation fails', () => {
    withUnit();
    const { status, stderr } = take(`fail 'the sensor does not answer'`);
    expect(status).toBe(1);
    expect(stderr).toContain('undone: the older agent measures again');
    expect(system.read(UNIT)).toBe(OLDER_UNIT);
    expect(system.sh('readlink /proc/$(systemctl show -p MainPID --value techtemp-device)/exe')).toBe(
      `${OLDER_PROGRAM}\n`,
    );
    expect(system.read(CONFIG)).toBeUndefined();
    // So that removing ours one day does not remove what is its own.
    expect(system.read('/var/lib/techtemp-install/manifest') ?? '').not.toContain('techtemp-device.service');
  });

  test('without a unit gives us its settings all the same, when they lie in one place alone', () => {
    expect(take().status).toBe(0);
    expect(effective()).toMatch(/^device_uid = aht20-F49C53_x /m);
  });

  test('with settings in several places and no unit is not guessed at', () => {
    system.write('/home/anna/techtemp/device/config/device.conf', OLDER_SETTINGS);
    const { status, stderr } = take();
    expect(status).toBe(1);
    expect(stderr).toContain(OLDER_CONFIG);
    expect(stderr).toContain('to do:  copy the right ones');
    expect(system.read(CONFIG)).toBeUndefined();
  });

  test('does not change settings of ours that are there', () => {
    const mine = '[device]\ndevice_uid = aht20-mine\n';
    system.write(CONFIG, mine, 0o644);
    withUnit();
    expect(take().status).toBe(0);
    expect(system.read(CONFIG)).toBe(mine);
  });

  test('is not looked at again when ours is installed', () => {
    withUnit();
    take();
    const { stdout } = take();
    expect(stdout).not.toContain('older');
  });

  test('that runs outside of systemd stops the installation, with the command that ends it', () => {
    system.sh(`setsid ${OLDER_PROGRAM} 60 >/dev/null 2>&1 </dev/null & echo $! >/tmp/pid`);
    const { status, stderr } = take();
    expect(status).toBe(1);
    expect(stderr).toContain(`sudo kill ${(system.read('/tmp/pid') ?? '').trim()}`);
    expect(system.read(UNIT)).toBeUndefined();
  });

  test('of the generation before, which had no settings, is stopped and does not come back at boot', () => {
    system.sh(
      `rm -rf ${FOLDER}; mkdir -p /home/pi/Documents/techtemp; cp /bin/sleep /home/pi/Documents/techtemp/techtemp`,
    );
    system.write(
      '/etc/systemd/system/techtemp.service',
      '[Service]\nUser=pi \nExecStart=/home/pi/Documents/techtemp/techtemp 600\n[Install]\nWantedBy=multi-user.target\n',
    );
    system.sh('systemctl enable --now techtemp');
    expect(take().status).toBe(0);
    expect(system.sh('systemctl is-active techtemp || :; systemctl is-enabled techtemp || :')).toBe(
      'inactive\ndisabled\n',
    );
    expect(take('fail later').status).toBe(1);
  });

  /** With its unit, enabled and running. */
  function withUnit(): void {
    system.write(UNIT, OLDER_UNIT);
    system.write('/tmp/older.c', '#include <unistd.h>\nint main(void) { for (;;) pause(); }\n');
    system.sh(`gcc -o ${OLDER_PROGRAM} /tmp/older.c && systemctl enable --now techtemp-device`);
  }

  function take(after = '', steps = ['write_device_config', 'write_units']): ReturnType<typeof runSteps> {
    const script = ['RELEASE_DIR=/project', 'take_over_older_agent', ...steps, after || ':'].join('\n');
    return runSteps(system, script);
  }

  function effective(): string {
    return system.sh(`env -i PATH="$PATH" node ${PROJECT}/dist/techtemp-device.js config -c ${CONFIG}`);
  }
});
