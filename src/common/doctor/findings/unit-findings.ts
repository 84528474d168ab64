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
    cause: 'somebody said systemctl mask',
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
    found: '{unit} has no watchdog: when it hangs, nobody restarts it',
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
