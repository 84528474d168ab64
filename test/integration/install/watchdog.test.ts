import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing } from '../../support/fresh-system.ts';
import { runSteps, type StepOptions } from '../../support/install-steps.ts';

const FILE = '/etc/systemd/system.conf.d/60-techtemp.conf';

/** Answers for systemd and its hardware; /run/hardware says what it can. */
const HARDWARE = `
WATCHDOG_SYSFS=/run/hardware
uname() { if [ "$1" = -r ]; then cat /run/hardware/kernel; else command uname "$@"; fi; }
sleep() { :; }
systemctl() {
  case "$*" in
  *RuntimeWatchdogUSec*)
    wanted=$(sed -n 's/^RuntimeWatchdogSec=//p' ${FILE} 2>/dev/null || :)
    if [ -e /run/hardware/already ]; then echo 1min; elif [ -n "$wanted" ]; then echo "$((wanted / 60))min $((wanted % 60))s"; else echo 0; fi ;;
  *) command systemctl "$@" ;;
  esac
}
watchdog_counts() { [ "$(sed -n 's/^RuntimeWatchdogSec=//p' ${FILE})" -le "$(cat /run/hardware/longest)" ]; }
`;

describe.skipIf(freshSystemMissing !== undefined)('the hardware watchdog, as the installer sets it', () => {
  let system: FreshSystem;
  beforeEach(async () => {
    system = await freshSystem();
    system.sh('mkdir /run/hardware; echo 6.12.47+rpt-rpi-v8 >/run/hardware/kernel; echo 60 >/run/hardware/longest');
    system.sh('touch /dev/watchdog');
  });
  afterEach(() => system.remove());

  test('is fed by systemd, with a minute where the kernel can and with what the hardware counts to where it can not', () => {
    expect(provide().stdout).toContain('restarted after 60 s');
    expect(system.read(FILE)).toContain('RuntimeWatchdogSec=60\nRebootWatchdogSec=120\n');
    expect(system.calls()).toContain('systemctl daemon-reexec');
    system.sh(`rm ${FILE}; echo 6.1.0-rpi7-rpi-v8 >/run/hardware/kernel`);
    provide();
    expect(system.read(FILE)).toContain('RuntimeWatchdogSec=14\nRebootWatchdogSec=14\n');
    system.sh(`rm ${FILE}; mkdir /run/hardware/watchdog0; echo 2046 >/run/hardware/watchdog0/max_timeout`);
    provide();
    expect(system.read(FILE)).toContain('RuntimeWatchdogSec=60\n');
  });

  test('is set once: a second run leaves systemd alone', () => {
    provide();
    system.sh('rm /run/fake-systemd/calls');
    expect(provide().stdout).toContain('changes: 0');
    expect(system.calls()).not.toContain('systemctl daemon-reexec');
  });

  test('is taken out again, with words, when the hardware refuses the time', () => {
    system.sh('echo 15 >/run/hardware/longest');
    const { status, stderr } = provide();
    expect(status).toBe(0);
    expect(stderr).toContain('did not start with 60 s');
    expect(system.read(FILE)).toBeUndefined();
    expect(system.calls().filter((call) => call === 'systemctl daemon-reexec')).toHaveLength(2);
  });

  test('is left to whoever has it: the package watchdog, or a setting that is there already', () => {
    system.sh('touch /run/hardware/already');
    expect(provide().stdout).toContain('systemd feeds it already');
    system.sh('rm /run/hardware/already');
    system.write('/etc/systemd/system/watchdog.service', '[Service]\nExecStart=sleep 60\n');
    system.sh('systemctl start watchdog');
    expect(provide().stdout).toContain('the package watchdog feeds it');
    expect(system.read(FILE)).toBeUndefined();
  });

  test('is not set where there is none, and not where it is not wanted, also in later runs', () => {
    provide();
    expect(provide({ args: ['--no-watchdog'] }).stdout).toContain('taken away');
    expect(system.read(FILE)).toBeUndefined();
    expect(provide().stdout).toContain('as --no-watchdog once said');
    expect(system.read(FILE)).toBeUndefined();
    system.sh('rm /var/lib/techtemp-install/no-watchdog /dev/watchdog');
    expect(provide().stdout).toContain('this machine has none');
  });

  test('is as it was when a later step fails', () => {
    expect(provide({}, 'fail later').status).toBe(1);
    expect(system.read(FILE)).toBeUndefined();
    expect(system.calls().at(-1)).toBe('systemctl daemon-reexec');
  });

  function provide(options?: StepOptions, after = ':'): ReturnType<typeof runSteps> {
    return runSteps(system, [HARDWARE, 'provide_watchdog', after, 'echo "changes: $CHANGES"'].join('\n'), options);
  }
});
