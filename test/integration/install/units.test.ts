import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing, PROJECT } from '../../support/fresh-system.ts';
import { runSteps, type StepOptions } from '../../support/install-steps.ts';

const UNIT = '/etc/systemd/system/techtemp-device.service';

describe.skipIf(freshSystemMissing !== undefined)('the unit files, as the installer writes them', () => {
  let system: FreshSystem;
  beforeEach(async () => {
    system = await freshSystem();
  });
  afterEach(() => system.remove());

  test('are those of the release and of the role, enabled, and read by systemd', () => {
    const { stdout } = write();
    expect(system.read(UNIT)).toBe(system.read(`${PROJECT}/systemd/techtemp-device.service`));
    expect(system.sh('ls /etc/systemd/system | grep techtemp-server || echo none')).toBe('none\n');
    expect(system.sh('systemctl is-enabled techtemp-device')).toBe('enabled\n');
    expect(system.calls()).toContain('systemctl daemon-reload');
    expect(stdout).toContain('restart: techtemp-device.service');
  });

  test('are written once: a second run does not even ask systemd to read them', () => {
    write();
    system.sh('rm /run/fake-systemd/calls');
    const { stdout } = write();
    expect(stdout).toContain('changes: 0');
    expect(stdout).toMatch(/restart: $/m);
    expect(system.calls().filter((call) => /daemon-reload|systemctl enable|restart/.test(call))).toEqual([]);
  });

  test('of an instance are enabled under its name, and a change of the template restarts the instances alone', () => {
    write({ args: ['--role', 'server', '--instance', 'staging'] });
    expect(system.sh('systemctl is-enabled techtemp-server@staging')).toBe('enabled\n');
    write({ args: ['--role', 'server'] });
    system.sh(`echo '# newer' >>${PROJECT}/systemd/techtemp-server@.service`);
    expect(write().stdout).toMatch(/restart: techtemp-server@staging\.service$/m);
  });

  test('leave drop-ins alone and say that they count', () => {
    system.write(`${UNIT}.d/override.conf`, '[Service]\nNice=5\n');
    expect(write().stdout).toContain(`your lines in ${UNIT}.d stay in force`);
    expect(system.read(`${UNIT}.d/override.conf`)).toBe('[Service]\nNice=5\n');
  });

  test('that somebody has edited in place are replaced, kept aside and named', () => {
    system.sh(`mkdir -p /opt/techtemp && ln -s ${PROJECT} /opt/techtemp/current`);
    write();
    system.sh(`sed -i 's/^Restart=always/Restart=no/' ${UNIT}`);
    const { stderr } = write();
    expect(stderr).toContain('systemctl edit techtemp-device');
    expect(system.read(UNIT)).toContain('Restart=always');
    expect(system.read('/var/lib/techtemp-install/edited/techtemp-device.service')).toContain('Restart=no');
  });

  test('are not enabled again when somebody has disabled them', () => {
    write();
    system.sh('systemctl disable techtemp-device');
    const { stderr } = write();
    expect(stderr).toContain('has been disabled');
    expect(system.run('systemctl', ['is-enabled', 'techtemp-device']).status).toBe(1);
  });

  test('that are masked stop the installation', () => {
    system.sh(`mkdir -p /etc/systemd/system && ln -s /dev/null ${UNIT}`);
    const { status, stderr } = write();
    expect(status).toBe(1);
    expect(stderr).toContain('systemctl unmask techtemp-device.service');
  });

  test('are as they were, and read again, when a later step fails', () => {
    write();
    const before = system.read(UNIT);
    system.sh(`echo '# newer' >>${PROJECT}/systemd/techtemp-device.service; rm /run/fake-systemd/calls`);
    const { status } = write({}, 'fail later');
    expect(status).toBe(1);
    expect(system.read(UNIT)).toBe(before);
    expect(system.calls().filter((call) => call.includes('daemon-reload'))).toHaveLength(2);
  });

  test('of a restart without gateway come only when asked for, and stay then', () => {
    write();
    expect(system.sh('ls /etc/systemd/system | grep gateway || echo none')).toBe('none\n');
    system.write('/usr/local/bin/ping', '#!/bin/sh\n', 0o755);
    write({ args: ['--reboot-without-gateway'] }, 'provide_watchdog');
    expect(system.sh('systemctl is-enabled techtemp-gateway.timer')).toBe('enabled\n');
    expect(system.calls()).toContain('systemctl start techtemp-gateway.timer');
    expect(write({}, 'provide_watchdog').stdout).toContain('changes: 0');
  });

  function write(options?: StepOptions, after = ':'): ReturnType<typeof runSteps> {
    const report = 'echo "changes: $CHANGES"; echo "restart: ${RESTART_UNITS[*]}"';
    return runSteps(system, [`RELEASE_DIR=${PROJECT}`, 'write_units', after, report].join('\n'), options);
  }
});
