/** The config file and the secrets beside it. */
export const CONFIG_FINDINGS = {
  'config.ok': { verdict: 'ok', found: '{file}' },
  'config.defaults': {
    verdict: 'warn',
    found: '{file} does not exist; the defaults are in force (broker {broker})',
    cause: 'no config has been written yet',
    remedy: ['$ sudo install -D -m 640 {template} {file}', '$ sudo nano {file}'],
  },
  'config.missing': {
    verdict: 'fail',
    found: '{file} does not exist',
    cause: 'the name given with --config or TECHTEMP_CONFIG is wrong, or the file was moved',
    remedy: ['$ ls -l {folder}', '$ techtemp-device check --config /etc/techtemp/device.conf'],
  },
  'config.unreadable': {
    verdict: 'fail',
    found: '{file} cannot be read: {problem}',
    cause: 'its permissions keep this user out',
    remedy: ['as root:', '$ sudo techtemp-device check --config {file}', 'or join its group:', '$ ls -l {file}'],
  },
  'config.invalid': {
    verdict: 'fail',
    found: '{problem}',
    cause: 'the agent does not start with this file; a running one keeps the config that it has',
    remedy: ['$ sudo nano {file}', '$ techtemp-device check'],
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
    remedy: ['$ sudo chmod o-rwx {file}', 'or keep the password in a file of its own: [mqtt] password_file'],
  },
  'config.default-uid': {
    verdict: 'fail',
    found: 'device_uid is "{deviceUid}", the placeholder of a file that was not filled in',
    cause: 'every device with it would publish under one name, and their readings would mix',
    remedy: [
      '$ cat /sys/class/net/eth0/address /sys/class/net/wlan0/address',
      'in {file}: device_uid = aht20-<last six hex digits of the first address>',
    ],
  },
  'config.password-file-readable': {
    verdict: 'warn',
    found: '{file} holds the password and may be read by everybody on this machine (mode {mode})',
    cause: 'the file was written with ordinary permissions',
    remedy: ['$ sudo chmod o-rwx {file}'],
  },
} as const;
