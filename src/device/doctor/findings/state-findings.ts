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
    cause: 'something fills the disk',
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
      'bring the files back if you have them; else nothing: the agent goes on, and a gap record tells what is gone',
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
      '{unreleased} readings are kept, {percent} % of what the journal may hold, since nobody is subscribed to them',
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
