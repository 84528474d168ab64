/** The machine: power, and whether its clock is synchronised. */
export const SYSTEM_FINDINGS = {
  'power.ok': { verdict: 'ok', found: 'no under-voltage since start' },
  'power.no-pi': {
    verdict: 'skipped',
    found: 'this machine does not tell about its supply (only a Raspberry Pi does)',
  },
  'power.unknown': {
    verdict: 'skipped',
    found: 'whether the supply is strong enough could not be found out: {problem}',
    cause: 'this machine is very busy at the moment, or this user may not ask its firmware',
    remedy: ['$ sudo vcgencmd get_throttled'],
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
} as const;
