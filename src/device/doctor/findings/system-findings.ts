/** The machine: Node.js, native packages, power, clock. */
export const SYSTEM_FINDINGS = {
  'node.ok': { verdict: 'ok', found: 'version {version}' },
  'node.too-old': {
    verdict: 'fail',
    found: 'version {version}; TechTemp needs {needed} or newer',
    cause: 'the Node.js of this distribution is older than TechTemp (Debian 12 has 18, Debian 13 has 20.19)',
    remedy: ['$ sudo apt update && sudo apt install nodejs', 'or a newer release: https://nodejs.org/en/download'],
  },
  'notify-package.ok': { verdict: 'ok', found: 'the package sd-notify is there' },
  'notify-package.missing': {
    verdict: 'fail',
    found: 'systemd waits for the agent to say that it is ready, but the package sd-notify cannot be loaded',
    cause: 'it was not built at installation, or was built for another version of Node.js',
    remedy: ['$ sudo apt install libsystemd-dev g++ make python3', '$ cd {folder} && sudo npm rebuild sd-notify'],
  },
  'notify-package.not-needed': {
    verdict: 'ok',
    found: 'the package sd-notify is not there; it is only needed when systemd runs the agent',
  },
  'power.ok': { verdict: 'ok', found: 'no under-voltage since start' },
  'power.no-pi': {
    verdict: 'skipped',
    found: 'this machine does not tell about its supply (only a Raspberry Pi does)',
  },
  'power.low-now': {
    verdict: 'fail',
    found: 'the supply voltage is too low at this moment (throttled={flags})',
    cause: 'a weak power supply or a thin cable; transfers on the bus and writes to the SD card fail with it',
    remedy: ['use the official power supply of this Pi and a short cable', '$ vcgencmd get_throttled'],
  },
  'power.low-before': {
    verdict: 'warn',
    found: 'the supply voltage was too low at some time since start (throttled={flags})',
    cause: 'a weak power supply or a thin cable',
    remedy: ['use the official power supply of this Pi and a short cable', '$ vcgencmd get_throttled'],
  },
  'clock.ok': { verdict: 'ok', found: '{time}, synchronised' },
  'clock.trusted': { verdict: 'ok', found: '{time}, trusted as the config says ([clock] source = trust)' },
  'clock.unknown': {
    verdict: 'warn',
    found: '{time}; there is no time service that could be asked',
    cause: 'systemd does not run here, so nobody can tell whether the clock is right',
    remedy: ['if the clock is known to be right, say so in {file}: [clock] source = trust'],
  },
  'clock.unsynchronised': {
    verdict: 'warn',
    found: '{time}, but the clock is not synchronised',
    cause: 'no time server was reached since start; readings wait for their time, then go out marked as unsynced',
    remedy: [
      '$ sudo timedatectl set-ntp true',
      '$ timedatectl timesync-status',
      '$ systemctl status systemd-timesyncd',
    ],
  },
  'clock.past': {
    verdict: 'fail',
    found: 'the clock says {time}, which is in the past: {evidence}',
    cause: 'a Pi has no clock of its own and wakes up in the past after a power cut, until a time server is reached',
    remedy: ['$ sudo timedatectl set-ntp true', '$ sudo systemctl restart systemd-timesyncd', '$ timedatectl'],
  },
  'clock.jumping': {
    verdict: 'fail',
    found: 'the clock moved by {stepMs} ms against the monotonic clock within {windowMs} ms',
    cause: 'something sets the clock at this moment: two time services that fight, or a virtual machine',
    remedy: [
      'look for more than one of these running, and disable all but one:',
      '$ systemctl --no-pager status systemd-timesyncd chrony ntp ntpsec',
    ],
  },
  'check.stumbled': {
    verdict: 'fail',
    found: 'the examination "{examination}" itself failed: {problem}',
    cause: 'a fault that the doctor does not know',
    remedy: ['please report it with this text'],
  },
  'check.needs-config': { verdict: 'skipped', found: 'not examined: the config has to be right first' },
} as const;
