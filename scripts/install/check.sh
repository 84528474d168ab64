# shellcheck shell=bash
# --check: looks at what is under and around the services, then lets the doctors of agent and server speak. Changes nothing, and
# says something useful before any installation too: what is missing then.

# examine: exit code 0 when nothing failed; warnings do not count.
examine() {
  local status=0
  RELEASE_DIR=$(readlink -f "$INSTALL_DIR/current" 2>/dev/null) || RELEASE_DIR=''
  [ -d "$RELEASE_DIR" ] || RELEASE_DIR=''
  use_installed_roles
  [ -n "$(our_units)$RELEASE_DIR" ] || say 'TechTemp is not installed here; this is what an installation would find.'
  printf '\n'
  check_system
  check_clock
  check_disk
  check_io
  check_journal_of_systemd
  check_node
  check_release
  check_bus
  check_watchdog
  check_units
  check_sandbox
  print_counts
  run_doctors || status=1
  [ "$COUNT_FAIL" = 0 ] || status=1
  # What failed has been told; the traps would call it an accident.
  trap - EXIT ERR
  exit "$status"
}

our_units() { manifest_list unit | grep -E '^techtemp-(device|server)' || :; }

check_system() {
  local name type place
  name=$(. /etc/os-release && printf '%s' "${PRETTY_NAME-Linux}")
  [ -d /run/systemd/system ] ||
    wrong 'System' "$name, but systemd does not run here" 'the services need it' 'on such a machine: npm start, or a container'
  [ ! -d /run/systemd/system ] || fine 'System' "$name, $(dpkg --print-architecture 2>/dev/null || uname -m), kernel $(uname -r)"
  # What is written to an overlay vanishes at the next start: installation, journal and all.
  for place in / /var/lib; do
    type=$(findmnt -n -o FSTYPE -T "$place" 2>/dev/null) || type=''
    case $type in overlay | tmpfs)
      wrong 'File system' "$place is on $type: what is written there is gone after a restart" \
        'the overlay file system of raspi-config is on' 'sudo raspi-config nonint do_overlayfs 1; sudo reboot; then install'
      return 0
      ;;
    esac
  done
  fine 'File system' "$(findmnt -n -o FSTYPE,SOURCE -T /var/lib 2>/dev/null | tr -s ' ')"
}

check_clock() {
  local now
  now=$(date -u +%FT%TZ)
  if [ "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)" = yes ]; then
    fine 'Clock' "$now, synchronised"
  else
    doubtful 'Clock' "$now, not synchronised" 'no time server has been reached yet' \
      'timedatectl timesync-status; readings wait for the time and keep their order meanwhile'
  fi
}

check_disk() {
  local free inodes
  free=$(df -Pm /var/lib | awk 'NR == 2 { print $4 }')
  inodes=$(df -Pi /var/lib | awk 'NR == 2 { print $4 }')
  if [ "$free" -lt 100 ]; then
    wrong 'Disk' "$free MB free in /var/lib" 'the readings need some, and so does an update' 'sudo apt clean; sudo journalctl --vacuum-size=50M'
  elif [ "$inodes" != - ] && [ "$inodes" != 0 ] && [ "$inodes" -lt 1000 ]; then
    wrong 'Disk' "$inodes files can still be made in /var/lib" 'something writes very many small files' 'sudo du --inodes -xS / | sort -n | tail'
  else
    fine 'Disk' "$free MB free"
  fi
}

# A card that dies says so to the kernel long before it stops.
check_io() {
  local errors
  if [[ ,$(findmnt -n -o OPTIONS -T /var/lib 2>/dev/null), == *,ro,* ]]; then
    wrong 'Disk access' '/var/lib can only be read' 'the kernel found the file system damaged, or it was mounted so' \
      'sudo dmesg | grep -iE "ext4|mmc"; after a backup: sudo touch /forcefsck; sudo reboot'
    return 0
  fi
  if ! errors=$(dmesg 2>/dev/null); then
    unexamined 'Disk access' 'the log of the kernel can not be read here'
    return 0
  fi
  errors=$(grep -icE 'I/O error|EXT4-fs error|mmc[0-9]+: (error|timeout|card never left busy)|critical medium error' <<<"$errors") || :
  if [ "$errors" -gt 0 ]; then
    wrong 'Disk access' "$errors errors of card or disk since the start" 'the card wears out, or the power supply is too weak' \
      'sudo dmesg | grep -iE "I/O error|EXT4|mmc"; make a copy of the card now'
  else
    fine 'Disk access' 'no errors since the start'
  fi
}

check_journal_of_systemd() {
  if [ -d /var/log/journal ] && ! grep -rqsE '^[[:space:]]*Storage[[:space:]]*=[[:space:]]*volatile' /etc/systemd/journald.conf \
    /etc/systemd/journald.conf.d /usr/lib/systemd/journald.conf.d; then
    fine "systemd's log" 'kept on the disk'
  else
    unexamined "systemd's log" "in memory alone: after a power cut there is no log of the time before; readings and $LOG_FILE are on the disk"
  fi
}

check_node() {
  # Where systemd looks, whatever this shell has in its PATH.
  NODE_MINIMUM=$(sed -n 's/.*"node": *">=\([0-9.]*\)".*/\1/p' "${RELEASE_DIR:-$PROJECT_DIR}/package.json")
  if find_node; then
    fine 'Node.js' "$NODE_VERSION in $NODE_BIN (ABI $(node_abi))"
  elif [ -z "$NODE_BIN" ]; then
    wrong 'Node.js' "is in none of ${NODE_FOLDERS[*]}" 'not installed yet, or only for one user (nvm)' 'sudo ./bootstrap-pi.sh installs it'
  else
    wrong 'Node.js' "$NODE_BIN is ${NODE_VERSION:-broken}; $NODE_MINIMUM or newer is needed" '' 'sudo ./bootstrap-pi.sh installs a newer one'
  fi
}

# The release as it was unpacked, and its native packages with the Node.js of today: an update of the distribution changes it.
check_release() {
  local name=${RELEASE_DIR##*/}
  if [ -z "$RELEASE_DIR" ]; then
    unexamined 'Release' 'none is installed'
  elif ! verify_release "$RELEASE_DIR"; then
    wrong 'Release' "$name is damaged: $DAMAGE" 'the card, or somebody has edited it' 'sudo ./bootstrap-pi.sh, from the folder of the bundle, makes it again'
  elif [ -z "$NODE_VERSION" ]; then
    unexamined 'Release' "$name; there is no Node.js to try it with"
  elif ! smoke_test "$RELEASE_DIR"; then
    wrong 'Release' "$name does not start: $SMOKE" 'Node.js is another one than at the installation' 'sudo ./bootstrap-pi.sh makes it fit'
  elif [ -e "$PENDING" ]; then
    doubtful 'Release' "$name has still to prove itself" 'an update was cut off' 'systemctl status techtemp-commit'
  else
    fine 'Release' "$name, whole; it starts with this Node.js"
  fi
}

check_bus() {
  local bus
  if [ -z "$ROLE_DEVICE" ] && [ -n "$(our_units)" ]; then return 0; fi
  bus=/dev/i2c-$(setting_or "$DEVICE_CONFIG" sensor i2c_bus 1)
  if [ ! -e "$bus" ]; then
    wrong 'I2C' "there is no $bus" 'I2C is switched off: it is, on a new Raspberry Pi OS' 'sudo ./bootstrap-pi.sh switches it on'
  elif ! grep -rqsE '^[[:space:]]*i2c[-_]dev' /etc/modules /etc/modules-load.d /usr/lib/modules-load.d /run/modules-load.d; then
    doubtful 'I2C' "$bus is there, but nothing loads i2c-dev at boot" '' 'sudo ./bootstrap-pi.sh, or: echo i2c-dev | sudo tee /etc/modules-load.d/i2c.conf'
  elif [ "$(stat -c %G "$bus")" != i2c ]; then
    wrong 'I2C' "$bus belongs to group $(stat -c %G "$bus"), not to i2c" 'no udev rule says so' 'sudo ./bootstrap-pi.sh adds one'
  else
    fine 'I2C' "$bus, for group i2c"
  fi
}

check_watchdog() {
  if ! compgen -G '/dev/watchdog*' >/dev/null; then
    unexamined 'Watchdog' 'this machine has none'
  elif other_watchdog; then
    fine 'Watchdog' 'fed by the package watchdog'
  elif watchdog_seconds && [ "$WATCHDOG_SECONDS" -gt 0 ] && watchdog_counts; then
    fine 'Watchdog' "a machine that hangs is restarted after $WATCHDOG_SECONDS s"
  elif [ -e "$NO_WATCHDOG_FILE" ]; then
    unexamined 'Watchdog' 'off, as --no-watchdog said'
  else
    doubtful 'Watchdog' 'off: a machine that hangs stays so until somebody pulls the plug' '' 'sudo ./bootstrap-pi.sh switches it on'
  fi
}
