import { type FindingCatalogue, reporterOf } from '../finding.ts';
import { BROKER_FINDINGS, CONNECTION_FINDINGS } from './broker.ts';

/** What any of our programs needs of the machine: Node.js, native packages, a clock; and the doctor itself. */
export const RUNTIME_FINDINGS = {
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
    found: 'systemd waits for the program to say that it is ready, but the package sd-notify cannot be loaded',
    cause: 'it was not built at installation, or was built for another version of Node.js',
    remedy: ['$ sudo apt install libsystemd-dev g++ make python3', '$ cd {folder} && sudo npm rebuild sd-notify'],
  },
  'notify-package.not-needed': {
    verdict: 'ok',
    found: 'the package sd-notify is not there; it is only needed under systemd',
  },
  'clock.ok': { verdict: 'ok', found: '{time}, synchronised' },
  'clock.no-answer': {
    verdict: 'warn',
    found:
      '{time}; whether the clock is synchronised could not be found out: no time service that we know gave an answer',
    cause:
      'this machine is very busy, this user may not ask the time service (openntpd answers only root), or none runs',
    remedy: [
      '$ timedatectl',
      '$ systemctl --no-pager status systemd-timesyncd chrony ntp ntpsec openntpd',
      'is none of them there? $ sudo timedatectl set-ntp true',
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

/** What systemd says about the unit of one of our programs. */
export const UNIT_FINDINGS = {
  'unit.ok': { verdict: 'ok', found: '{unit} runs ({status})' },
  'unit.no-systemd': { verdict: 'skipped', found: 'not examined: systemd does not run here' },
  'unit.unknown': {
    verdict: 'warn',
    found: 'how {unit} is could not be found out: {problem}',
    cause: 'this machine is very busy at the moment, or this user may not ask systemd',
    remedy: ['$ systemctl status {unit}', 'try again when the machine is less busy'],
  },
  'unit.not-installed': {
    verdict: 'warn',
    found: 'there is no {unit} on this machine',
    cause: 'it was not installed as a service: nothing starts it at boot',
    remedy: ['$ sudo ./bootstrap-pi.sh'],
  },
  'unit.masked': {
    verdict: 'fail',
    found: '{unit} is masked: it cannot be started',
    cause: 'systemctl mask was called for it',
    remedy: ['$ sudo systemctl unmask {unit}', '$ sudo systemctl enable --now {unit}'],
  },
  'unit.bad-setting': {
    verdict: 'fail',
    found: 'systemd does not accept the file of {unit}: {problem}',
    cause: 'a line of the unit or of a drop-in is wrong',
    remedy: ['$ systemd-analyze verify {unit}', '$ systemctl cat {unit}'],
  },
  'unit.disabled': {
    verdict: 'warn',
    found: '{unit} is not enabled: it does not start at boot',
    cause: 'it was installed but never enabled',
    remedy: ['$ sudo systemctl enable {unit}'],
  },
  'unit.failed': {
    verdict: 'fail',
    found: '{unit} has failed ({result}, exit status {status})',
    cause: '{cause}',
    remedy: ['$ journalctl -u {unit} -n 20 --no-pager', '$ sudo systemctl restart {unit}'],
  },
  'unit.restarting': {
    verdict: 'fail',
    found: '{unit} ended and is started again and again ({restarts} restarts; {result}, exit status {status})',
    cause: '{cause}',
    remedy: ['$ journalctl -u {unit} -n 20 --no-pager'],
  },
  'unit.stopped': {
    verdict: 'warn',
    found: '{unit} is not running',
    cause: 'it was stopped or never started',
    remedy: ['$ sudo systemctl start {unit}'],
  },
  'unit.no-watchdog': {
    verdict: 'warn',
    found: '{unit} has no watchdog: when it hangs, it is not restarted',
    cause: 'WatchdogSec= is missing in the unit, or a drop-in sets it to 0',
    remedy: ['$ sudo systemctl edit {unit}', 'and there: [Service] and WatchdogSec=120'],
  },
  'unit.stale': {
    verdict: 'warn',
    found: 'the file of {unit} was changed, but systemd still works with the old one',
    cause: 'daemon-reload was forgotten after an edit',
    remedy: ['$ sudo systemctl daemon-reload', '$ sudo systemctl restart {unit}'],
  },
} as const;

/** What both programs can find in a configuration file that can be used. */
export const CONFIG_FILE_FINDINGS = {
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

/** What the doctors of all our programs can find; part of the catalogue of each. */
export const COMMON_FINDINGS = {
  ...RUNTIME_FINDINGS,
  ...CONNECTION_FINDINGS,
  ...BROKER_FINDINGS,
  ...UNIT_FINDINGS,
} as const satisfies FindingCatalogue;

/** Reports a finding that every doctor knows. */
export const report = reporterOf(COMMON_FINDINGS);
