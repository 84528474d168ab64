import { CONFIG_FILE_FINDINGS } from '../../../doctor/findings/catalogue.ts';

/** The folder and the disk that hold the journal, and the journal itself. */
export const STATE_FINDINGS = {
  'state.ok': { verdict: 'ok', found: '{folder}, {free} MB free' },
  'state.not-yet': { verdict: 'ok', found: '{folder} does not exist yet; the agent makes it' },
  'state.not-allowed': {
    verdict: 'skipped',
    found: 'not examined: this user may not look into {folder}',
    cause: 'readings are private to the agent',
    remedy: ['$ sudo techtemp-device check'],
  },
  'state.not-a-folder': {
    verdict: 'fail',
    found: "{folder} cannot be the journal's folder: {problem}",
    cause: '[journal] path names something that is not a folder, or goes through it',
    remedy: ['$ ls -ld {folder}', 'in {file}: [journal] path = /var/lib/techtemp/journal'],
  },
  'state.not-writable': {
    verdict: 'fail',
    found: '{folder} may not be written to: {problem}',
    cause: 'it belongs to another user; the agent goes on in memory, and a power cut loses what is there',
    remedy: [
      '$ ls -ld {folder}',
      'under systemd, StateDirectory=techtemp gives it to the agent: $ sudo systemctl restart techtemp-device',
    ],
  },
  'state.read-only': {
    verdict: 'fail',
    found: '{folder} is on a read-only file system',
    cause: 'the SD card has failed, its file system was damaged, or the root was made read-only',
    remedy: ['$ dmesg | grep -iE "mmc|ext4" | tail', '$ findmnt -T {folder}', '$ sudo mount -o remount,rw /'],
  },
  'state.full': {
    verdict: 'fail',
    found: 'the disk of {folder} has {free} MB free, and {needed} MB are to be kept free',
    cause: 'the disk is full; the journal thins or drops its oldest readings (min_free_mb, when_full)',
    remedy: ['$ df -h {folder}', '$ sudo du -xhd1 /var | sort -h | tail', '$ sudo journalctl --vacuum-size=50M'],
  },
  'state.nearly-full': {
    verdict: 'warn',
    found:
      'the disk of {folder} has only {free} MB free; at {needed} MB the journal begins to give up its oldest readings',
    cause: 'other files fill the disk',
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
    found: '{folder} is on a file system in memory ({type}): the readings there vanish with the power',
    cause: 'an overlay root ("read-only mode" of raspi-config), a tmpfs, or log2ram',
    remedy: [
      'in {file}: [journal] path = <a folder on a real disk, such as a USB stick>',
      'or switch the overlay off: $ sudo raspi-config nonint do_overlayfs 1 && sudo reboot',
    ],
  },
  'journal.ok': {
    verdict: 'ok',
    found: '{unreleased} entries wait for delivery, in {epochs} epoch(s), {kilobytes} KB; {running}',
  },
  'journal.empty': { verdict: 'ok', found: 'no reading has been taken yet' },
  'journal.unreadable': {
    verdict: 'fail',
    found: 'the journal cannot be read: {problem}',
    cause: 'the disk fails, or a permission is wrong',
    remedy: ['$ sudo techtemp-device journal', '$ dmesg | grep -iE "mmc|ext4" | tail'],
  },
  'journal.missing': {
    verdict: 'fail',
    found: 'epoch {epoch} should be in {folder}, and it is not there',
    cause: 'its files were removed or moved, or its disk is not mounted, or another one is mounted over it',
    remedy: [
      '$ findmnt -T {folder}',
      'bring the files back if you have them; otherwise do nothing: the agent goes on, and a gap record tells what is gone',
    ],
  },
  'journal.in-memory': {
    verdict: 'fail',
    found: 'readings of epoch {epoch} are, or were, only in memory: the disk did not take them',
    cause: 'the disk is full, read-only or failing, or the journal was removed while the agent ran',
    remedy: ['look at the findings about {folder} in this report', '$ sudo journalctl -u techtemp-device -n 50'],
  },
  'journal.damaged': {
    verdict: 'warn',
    found: '{directory}: {lost}',
    cause: 'a power cut in the middle of a write, or an SD card that wears out; every whole record was kept',
    remedy: [
      'nothing: the agent reports what is gone as a gap record; but look at the card:',
      '$ dmesg | grep -iE "mmc|ext4" | tail',
    ],
  },
  'journal.newer-version': {
    verdict: 'warn',
    found: '{directory} was written by a newer version of this program; it is kept, and not delivered',
    cause: 'an upgrade was taken back',
    remedy: ['install the newer version again, and let it deliver what is there'],
  },
  'journal.backlog': {
    verdict: 'warn',
    found: '{unreleased} readings wait for delivery, {percent} % of what the journal may hold',
    cause: 'the broker or the server has been away for long, or receipts do not come through',
    remedy: ['look at the findings about the broker in this report', '$ sudo techtemp-device journal'],
  },
  'journal.kept': {
    verdict: 'ok',
    found:
      '{unreleased} readings are kept, {percent} % of what the journal may hold, because no program is subscribed to them',
  },
  'journal.dropped': {
    verdict: 'warn',
    found: '{count} gap record(s) wait for delivery: readings are gone, and these say which and why',
    cause: 'the journal was full, or a file was damaged',
    remedy: ['$ sudo techtemp-device journal show', 'more room, in {file}: [journal] max_readings'],
  },
  'journal.pending': {
    verdict: 'warn',
    found: '{pending} reading(s) wait for their time, and no agent is running to give it to them',
    cause: 'they were taken before the clock was synchronised',
    remedy: ['$ sudo systemctl start techtemp-device'],
  },
} as const;

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
    cause: 'systemd does not run here, so there is nothing to ask whether the clock is right',
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
  ...CONFIG_FILE_FINDINGS,
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

/** Other programs that want the same sensor. */
export const AGENT_FINDINGS = {
  'unit.older-agent': {
    verdict: 'fail',
    found: '{unit} starts the older agent, written in C: {command}',
    cause: 'the unit of the older installation is still in place and hides or replaces ours',
    remedy: ['$ sudo systemctl disable --now {unit}', '$ sudo rm {path}', '$ sudo ./bootstrap-pi.sh'],
  },
  'older-agent.running': {
    verdict: 'fail',
    found: 'the older agent, written in C, is running (process {pid}, {executable})',
    cause:
      "it was started by an older unit or by hand; it takes the sensor's answers away from ours and publishes without numbers",
    remedy: ['$ systemctl status {pid}', '$ sudo systemctl disable --now <the unit named there>', '$ sudo kill {pid}'],
  },
  'older-agent.none': { verdict: 'ok', found: 'no older agent is running' },
} as const;
