/** What is in the record, and how its devices are. */
export const RECORD_FINDINGS = {
  'check.needs-store': { verdict: 'skipped', found: 'not examined: there is no database that could be opened' },
  'record.whole': { verdict: 'ok', found: 'no unexplained hole in {readings} readings of {devices} device(s)' },
  'record.hole': {
    verdict: 'warn',
    found: '{count} number(s) of {device} are missing without explanation, in {holes} hole(s)',
    cause: 'they were lost between device and store, by a broker that dropped them or a device without receipts',
    remedy: ['$ sudo techtemp-server verify --device {device}'],
  },
  'record.doubled': {
    verdict: 'warn',
    found: '{count} number(s) of {device} are stored more than once, with different times',
    cause: 'two devices speak under one name: an SD card or a config was copied',
    remedy: [
      'give one of them another device_uid in its /etc/techtemp/device.conf',
      '$ sudo techtemp-server verify --device {device}',
    ],
  },
  'record.unnumbered': {
    verdict: 'warn',
    found: '{count} reading(s) of {device} carry no numbers: whether any is missing cannot be known',
    cause: 'an older agent sends them; a broker or a network that loses some of them leaves no trace',
    remedy: ['install the present agent on the device; its readings are numbered from then on'],
  },
  'record.before': {
    verdict: 'ok',
    found: '{count} number(s) of {device} are from before this record began: it cannot know what became of them',
  },
  'record.waiting': {
    verdict: 'ok',
    found: '{count} number(s) of {device} are missing and may still wait on the device, as it says',
  },
  'record.doubted': {
    verdict: 'warn',
    found: '{count} gap record(s) or number(s) of {device} cannot be true and are not believed',
    cause: 'another program speaks under the name of the device, or the device has a fault',
    remedy: [
      '$ sudo techtemp-server verify --device {device}',
      'a gap record is set aside with: $ sudo techtemp-server gaps dismiss',
    ],
  },
  'record.rejected': {
    verdict: 'warn',
    found: '{count} message(s) of the last day could not be stored; the newest: {reason} on {topic}',
    cause: 'a device or another program sends what is no reading: {detail}',
    remedy: ['$ sudo techtemp-server rejected'],
  },
  'devices.none': { verdict: 'ok', found: 'no device is known yet' },
  'record.quarantine': {
    verdict: 'warn',
    found: '{count} reading(s) of {devices} device(s) wait in quarantine, {time} of them because of their time',
    cause: 'the clock of a device or of this server was wrong when they came, or this version does not understand them',
    remedy: [
      'compare "date" here and on the device; readings that waited for this clock are stored by themselves once it is right',
      '$ sudo techtemp-server quarantine list',
    ],
  },
  'record.quarantine-clock': {
    verdict: 'warn',
    found:
      '{count} reading(s) wait in quarantine, because {ahead} devices say that it is later than this server believed',
    cause: 'so many devices are seldom wrong together: the clock of this server may be the wrong one',
    remedy: ['$ date', 'set the clock of this machine; the readings are stored by themselves then'],
  },
  'devices.ok': { verdict: 'ok', found: '{count} device(s), each heard from when it should be' },
  'devices.silent': {
    verdict: 'warn',
    found:
      '{device} ({where}) was last heard {seen}, long ago for its interval of {interval} s; the broker says {presence}',
    cause: 'it has no power or no network, its sensor fails, or it cannot reach the broker',
    remedy: ['on the device: $ sudo techtemp-device check', '$ systemctl status techtemp-device'],
  },
  'devices.pending': {
    verdict: 'warn',
    found: '{device} waits for somebody to approve it; its readings are kept meanwhile',
    cause: 'registration = approve, and nobody has said yes',
    remedy: ['$ sudo techtemp-server devices approve {device}', 'or: $ sudo techtemp-server devices refuse {device}'],
  },
  'devices.sensor': {
    verdict: 'warn',
    found: '{device} ({where}) says that its sensor fails: {problem}',
    cause: 'a loose wire, a sensor at its end, or no power',
    remedy: ['on the device: $ sudo techtemp-device check'],
  },
  'devices.memory': {
    verdict: 'warn',
    found: '{device} ({where}) keeps its readings in memory: a power cut loses what is not delivered',
    cause: 'its disk is full, read-only or broken',
    remedy: ['on the device: $ sudo techtemp-device check'],
  },
} as const;
