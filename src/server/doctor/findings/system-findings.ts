/** The machine and the config file. */
export const SYSTEM_FINDINGS = {
  'clock.unsynchronised': {
    verdict: 'warn',
    found: '{time}, but the clock is not synchronised',
    cause:
      'no time server was reached since start; when a device was last seen, and which times are refused, is judged by it',
    remedy: ['$ sudo timedatectl set-ntp true', '$ timedatectl timesync-status'],
  },
  'clock.unknown': { verdict: 'ok', found: '{time}; systemd does not run here, so the clock is believed' },
  'config.ok': { verdict: 'ok', found: '{file}' },
  'config.missing': {
    verdict: 'fail',
    found: '{file} does not exist; the rest was examined with the defaults',
    cause: 'no config has been written yet, or the name given with --config is wrong',
    remedy: [
      '$ sudo mkdir -p {folder} && techtemp-server config --defaults | sudo tee {file} > /dev/null',
      '$ sudo nano {file}',
    ],
  },
  'config.unreadable': {
    verdict: 'fail',
    found: '{file} cannot be read: {problem}',
    cause: 'its permissions keep this user out',
    remedy: ['$ sudo techtemp-server check --config {file}', '$ ls -l {file}'],
  },
  'config.invalid': {
    verdict: 'fail',
    found: '{problem}',
    cause: 'the server does not start with this file; a running one keeps the config that it has',
    remedy: ['$ sudo nano {file}', '$ techtemp-server check'],
  },
  'config.warning': {
    verdict: 'warn',
    found: '{problem}',
    cause: 'the file says something that has no effect, or an effect that may not be meant',
    remedy: ['$ sudo nano {file}'],
  },
  'config.password-readable': {
    verdict: 'warn',
    found: '{file} holds a password and may be read by everybody on this machine (mode {mode})',
    cause: 'the file was written with ordinary permissions',
    remedy: [
      '$ sudo chgrp techtemp {file} && sudo chmod 640 {file}',
      'or keep the password in a file of its own: [mqtt] password_file',
    ],
  },
} as const;
