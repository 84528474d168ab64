/** The database, its package, its folder and its disk. */
export const STORE_FINDINGS = {
  'sqlite.ok': { verdict: 'ok', found: 'the package better-sqlite3 works (SQLite {version})' },
  'sqlite.missing': {
    verdict: 'fail',
    found: 'the package better-sqlite3 does not load: {problem}',
    cause: 'it was not built at installation, or was built for another version of Node.js than {node}',
    remedy: [
      '$ sudo apt install g++ make python3',
      '$ cd {folder} && sudo npm install && sudo npm rebuild better-sqlite3',
    ],
  },
  'state.ok': { verdict: 'ok', found: '{folder}, {free} MB free' },
  'state.not-yet': { verdict: 'ok', found: '{folder} does not exist yet; the server makes it' },
  'state.not-allowed': {
    verdict: 'skipped',
    found: 'not examined: this user may not look into {folder}',
    cause: 'the record is private to the server',
    remedy: ['$ sudo techtemp-server check'],
  },
  'state.not-a-folder': {
    verdict: 'fail',
    found: '{folder} cannot hold the database: {problem}',
    cause: '[store] path goes through something that is not a folder',
    remedy: ['$ ls -ld {folder}', 'in {file}: [store] path = /var/lib/techtemp-server/techtemp.db'],
  },
  'state.not-writable': {
    verdict: 'fail',
    found: '{folder} may not be written to: {problem}',
    cause: 'it belongs to another user; SQLite needs to write into the folder, not only into the file',
    remedy: [
      '$ ls -ld {folder}',
      'under systemd its StateDirectory= gives it to the server: $ sudo systemctl restart {unit}',
    ],
  },
  'state.read-only': {
    verdict: 'fail',
    found: '{folder} is on a read-only file system',
    cause: 'the disk has failed, its file system was damaged, or the root was made read-only',
    remedy: [
      '$ dmesg | grep -iE "mmc|nvme|sd[a-z]|ext4" | tail',
      '$ findmnt -T {folder}',
      '$ sudo mount -o remount,rw /',
    ],
  },
  'state.full': {
    verdict: 'fail',
    found: 'the disk of {folder} has {free} MB free, less than [store] min_free_mb = {needed}',
    cause:
      'the disk is full or nearly; without room nothing is stored, and devices keep their readings until theirs is full, too',
    remedy: ['$ df -h {folder}', '$ sudo du -xhd1 /var | sort -h | tail', '$ sudo journalctl --vacuum-size=50M'],
  },
  'state.no-inodes': {
    verdict: 'fail',
    found: 'the file system of {folder} has no room for another file, although it has bytes free',
    cause: 'all inodes are used: very many small files somewhere',
    remedy: ['$ df -i {folder}', '$ sudo du --inodes -xd1 /var | sort -n | tail'],
  },
  'state.volatile': {
    verdict: 'fail',
    found: '{folder} is on a file system in memory ({type}): the record there vanishes with the power',
    cause: 'an overlay root ("read-only mode" of raspi-config), a tmpfs, a container without a volume',
    remedy: ['in {file}: [store] path = <a file on a real disk>', '$ findmnt -T {folder}'],
  },
  'store.none': { verdict: 'ok', found: 'there is no database yet; the server makes it at its first start' },
  'store.ok': {
    verdict: 'ok',
    found: '{file}, schema {version}, {size} MB, {devices} device(s), newest reading {newest}',
  },
  'store.older': {
    verdict: 'ok',
    found: '{file} has schema {version}; the server brings it to {known} at its next start, after a copy',
  },
  'store.newer': {
    verdict: 'fail',
    found: '{file} has schema {version}, this program knows up to {known}: it is not touched',
    cause: 'an upgrade was taken back, or an older installation is the one that was started',
    remedy: ['install the newer version again', 'or put back the copy that it made: $ ls -l {file}.before-v*'],
  },
  'store.foreign': {
    verdict: 'fail',
    found: '{problem}',
    cause: '[store] path names a file of another program',
    remedy: ['in {configFile}: [store] path = /var/lib/techtemp-server/techtemp.db'],
  },
  'store.missing': {
    verdict: 'fail',
    found: '{problem}',
    cause: 'the file was removed or moved away, or its disk or volume is not mounted',
    remedy: [
      'put the record back; or a backup of it: $ sudo techtemp-server init --from <file>',
      'no record any more? $ sudo systemctl stop {unit}; sudo techtemp-server init --new-record',
    ],
  },
  'store.replaced': {
    verdict: 'fail',
    found: '{problem}',
    cause: 'a copy was put in its place, or a part of it (its log) was removed or belongs to another one',
    remedy: [
      'put the record back that belongs there',
      'or take the one that lies there from now on: $ sudo systemctl stop {unit}; sudo techtemp-server init --accept',
    ],
  },
  'store.damaged': {
    verdict: 'fail',
    found: '{file} is damaged: {problem}',
    cause: 'the disk wears out or lies about what it has written, or the file was copied while it was written to',
    remedy: [
      '$ sudo systemctl stop {unit}',
      'keep the file, and put a backup in its place; what can be read of it:',
      '$ sqlite3 {file} ".recover" | sqlite3 recovered.db',
      '$ dmesg | grep -iE "mmc|nvme|sd[a-z]|ext4" | tail',
    ],
  },
  'store.unreadable': {
    verdict: 'fail',
    found: '{problem}',
    cause: 'the disk fails, another process holds the database, or a permission is wrong',
    remedy: ['$ sudo techtemp-server check', '$ ls -l {file}', '$ dmesg | tail'],
  },
  'store.owner': {
    verdict: 'fail',
    found: '{file} belongs to user {owner}, its folder to user {folderOwner}: one of the two may not write to it',
    cause: 'it was made or copied there by another user, often root',
    remedy: ['$ sudo chown --reference={folder} {file} {file}-wal {file}-shm', '$ ls -la {folder}'],
  },
  'store.large-log': {
    verdict: 'warn',
    found: 'the write-ahead log of {file} has {size} MB',
    cause:
      'something reads the database without end, so that the log cannot be written back; each start has to go through it',
    remedy: ['$ sudo fuser -v {file}', '$ sudo systemctl restart {unit}'],
  },
} as const;

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
  'record.unknown-end': {
    verdict: 'warn',
    found:
      'the newest readings of {device} may be missing: it did not continue {count} epoch(s) that an older state of the record ends with',
    cause:
      'an older state of the record was made the record (techtemp-server init), and the device had nothing more to give again',
    remedy: [
      '$ sudo techtemp-server verify --device {device}',
      'if an older backup of the record has more: $ sudo techtemp-server init --from FILE',
    ],
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
    cause: 'a device or another program sends something that is not a reading: {detail}',
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
    cause: 'registration = approve, and the device is not approved yet',
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
