/** The config file and the secrets beside it. */
export const CONFIG_FINDINGS = {
  'config.ok': { verdict: 'ok', found: '{file}' },
  'config.missing': {
    verdict: 'fail',
    found: '{file} does not exist; the rest was examined with the defaults',
    cause: 'no config has been written yet, or the name given with --config is wrong',
    remedy: [
      '$ sudo mkdir -p {folder} && techtemp-device config --defaults | sudo tee {file} > /dev/null',
      '$ sudo nano {file}',
    ],
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
    remedy: [
      '$ sudo chgrp techtemp {file} && sudo chmod 640 {file}',
      'or keep the password in a file of its own: [mqtt] password_file',
    ],
  },
  'config.default-uid': {
    verdict: 'warn',
    found: 'device_uid is "{deviceUid}", the placeholder of the older agent',
    cause: 'every device with it would publish under one name, and their readings would mix',
    remedy: [
      'in {file}: a device_uid of its own, or none: then it is made from the network address, once and for ever',
    ],
  },
  'config.password-file-readable': {
    verdict: 'warn',
    found: '{file} holds the password and may be read by everybody on this machine (mode {mode})',
    cause: 'the file was written with ordinary permissions',
    remedy: ['$ sudo chgrp techtemp {file} && sudo chmod 640 {file}'],
  },
} as const;
