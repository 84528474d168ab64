import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FreshSystem,
  freshSystem,
  freshSystemMissing,
  PROJECT,
  type RunResult,
} from '../../support/fresh-system.ts';
import { provideProgram, runSteps } from '../../support/install-steps.ts';

const RECORDS = '/var/lib/techtemp-install';

/** A file system that lasts, for all who ask: the sandbox itself is an overlay, which a test of its own is about. */
const LASTING = `findmnt() { case "$*" in *OPTIONS*) echo "\${MOUNT_OPTIONS-rw,noatime}" ;; *) echo "\${MOUNTED-ext4 /dev/mmcblk0p2}" ;; esac; }
dmesg() { cat /run/kernel-log 2>/dev/null || :; }
`;

describe.skipIf(freshSystemMissing !== undefined)('--check', () => {
  let system: FreshSystem;
  beforeEach(async () => {
    system = await freshSystem();
  });
  afterEach(() => system.remove());

  test('before any installation names what there is, changes nothing, and fails where something is missing', () => {
    const before = system.changedFiles();
    const { status, stdout } = check();
    expect(stdout).toContain('TechTemp is not installed here');
    expect(stdout).toMatch(/ok {4}Node\.js +\d+\.\d+\.\d+ in \/usr/);
    expect(stdout).toMatch(/FAIL {2}I2C +there is no \/dev\/i2c-1\n +cause .*\n +remedy .*bootstrap-pi\.sh/);
    expect(stdout).toMatch(/- {5}Release +none is installed/);
    expect(status).toBe(1);
    expect(system.changedFiles()).toEqual(before);
  });

  test('ends well where there are but warnings', () => {
    system.sh('groupadd -f -r i2c; touch /dev/i2c-1; chgrp i2c /dev/i2c-1');
    system.write('/etc/modules-load.d/x.conf', 'i2c-dev\n');
    const { status, stdout } = check();
    expect(stdout).toContain(' 0 failures');
    expect(status).toBe(0);
  });

  test('refuses an overlay file system, on which everything vanishes at the next start', () => {
    const { status, stdout } = check({ script: `findmnt() { echo overlay; }\n` });
    expect(stdout).toMatch(/FAIL {2}File system +\/ is on overlay/);
    expect(stdout).toContain('do_overlayfs 1');
    expect(status).toBe(1);
  });

  test('hears what the kernel says of a dying card, and sees a disk that can only be read', () => {
    system.write('/run/kernel-log', 'mmc0: error -110 whilst initialising SD card\nEXT4-fs error (device mmcblk0p2)\n');
    expect(check().stdout).toMatch(/FAIL {2}Disk access +2 errors of card or disk/);
    expect(check({ script: 'MOUNT_OPTIONS=ro,noatime\n' }).stdout).toMatch(
      /FAIL {2}Disk access +\/var\/lib can only be/,
    );
  });

  test('says when the log of systemd does not outlive a power cut', () => {
    expect(check().stdout).toMatch(/systemd's log +(kept|in memory)/);
    system.sh('mkdir -p /var/log/journal /usr/lib/systemd/journald.conf.d');
    system.write('/usr/lib/systemd/journald.conf.d/40-rpi-volatile-storage.conf', '[Journal]\nStorage=volatile\n');
    expect(check().stdout).toMatch(/- {5}systemd's log +in memory alone/);
  });

  test('finds Node.js too old, or only where systemd does not look', () => {
    system.write('/usr/local/bin/node', '#!/bin/sh\necho 18.20.4\n', 0o755);
    expect(check().stdout).toMatch(/FAIL {2}Node\.js +\/usr\/local\/bin\/node is 18\.20\.4; 20\.19/);
    const nowhere = check({ script: 'NODE_FOLDERS=(/nowhere)\n', env: { PATH: '/root/.nvm/bin:/usr/bin:/bin' } });
    expect(nowhere.stdout).toMatch(/FAIL {2}Node\.js +is in none of \/nowhere/);
  });

  test('sees a release that has changed since it was unpacked', () => {
    release();
    expect(check().stdout).toMatch(/FAIL {2}Release +1 is damaged: .*RELEASE/);
  });

  test('sees services that do not run, that do not start at boot, and what somebody has added to them', () => {
    system.write(
      '/etc/systemd/system/techtemp-device.service',
      '[Service]\nExecStart=sleep 60\n[Install]\nWantedBy=multi-user.target\n',
    );
    system.write(`${RECORDS}/manifest`, 'unit techtemp-device.service\n');
    expect(check().stdout).toMatch(
      /FAIL {2}Service +techtemp-device\.service is inactive\n +remedy +journalctl -u techtemp-device/,
    );
    system.sh('systemctl start techtemp-device');
    expect(check().stdout).toMatch(/WARN {2}Service +.* does not start at boot/);
    system.sh('systemctl enable techtemp-device; mkdir /etc/systemd/system/techtemp-device.service.d');
    expect(check().stdout).toMatch(
      /ok {4}Service +techtemp-device\.service runs, and starts at boot\n.*drop-ins of yours/,
    );
  });

  test('tries the walls around the service: what opens a device that is none of its business is named', () => {
    system.write(`${RECORDS}/manifest`, 'unit techtemp-device.service\n');
    system.write('/etc/systemd/system/techtemp-device.service', '[Service]\nDevicePolicy=closed\n');
    // Refuses as systemd does where DevicePolicy= is enforced.
    system.write(
      '/usr/local/bin/systemd-run',
      '#!/bin/sh\ncase "$*" in *DevicePolicy=closed*) exit 1 ;; esac\n',
      0o755,
    );
    expect(check().stdout).toMatch(/ok {4}Sandbox +other devices .* are refused/);
    system.write('/usr/local/bin/systemd-run', '#!/bin/sh\n', 0o755);
    expect(check().stdout).toMatch(/WARN {2}Sandbox +.*\/dev\/kmsg can be opened/);
    system.write('/usr/local/bin/systemd-run', '#!/bin/sh\nexit 1\n', 0o755);
    expect(check().stdout).toMatch(/- {5}Sandbox /);
  });

  test("lets the agent's doctor speak, with the password that systemd would hand over", async () => {
    release();
    await provideProgram(system, 'device');
    system.sh(
      `cp ${PROJECT}/dist/techtemp-device.js /opt/techtemp/releases/1/dist/; ln -s ${PROJECT}/node_modules /opt/techtemp/releases/1/`,
    );
    system.write(`${RECORDS}/manifest`, 'unit techtemp-device.service\n');
    system.write('/etc/techtemp/device.conf', '[mqtt]\nusername = u\nbroker_port = 1\n');
    const { status, stdout } = check();
    expect(stdout).toContain('techtemp-device check, config /etc/techtemp/device.conf');
    expect(stdout).toMatch(/nothing listens on port 1\b/);
    expect(status).toBe(1);
  });

  /** Something that looks like an installed release, and is not whole. */
  function release(): void {
    system.sh('mkdir -p /opt/techtemp/releases/1/dist && ln -s releases/1 /opt/techtemp/current');
    system.sh(`cp ${PROJECT}/package.json /opt/techtemp/releases/1/`);
    system.write('/opt/techtemp/releases/1/SHA256SUMS', `${'0'.repeat(64)}  RELEASE\n`);
    system.write('/opt/techtemp/releases/1/RELEASE', 'version=1\n');
  }

  function check({ script = '', ...options }: { script?: string; env?: Record<string, string> } = {}): RunResult {
    return runSteps(system, `${LASTING}${script}examine`, { ...options, args: ['--check'] });
  }
});
