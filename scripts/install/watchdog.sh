# shellcheck shell=bash
# What brings back a machine that hangs: systemd feeds the hardware watchdog, and, where it is wished, a silent gateway ends in a
# restart. A watchdog that cannot be shown to run is taken out again: one that only seems to be there is worse than none.

WATCHDOG_FILE=/etc/systemd/system.conf.d/60-techtemp.conf
NO_WATCHDOG_FILE=$RECORD_DIR/no-watchdog
# Kernels before this one refuse what the hardware of a Raspberry Pi can't count to (16 s), and there is no watchdog then.
LONG_TIMEOUTS_SINCE=6.8

provide_watchdog() {
  step 'hardware watchdog'
  provide_hardware_watchdog
  provide_gateway_timer
}

provide_hardware_watchdog() {
  local seconds
  if [ -n "${NO_WATCHDOG-}" ]; then
    drop_watchdog
    [ -n "${DRY_RUN-}" ] || { mkdir -p "$RECORD_DIR" && : >"$NO_WATCHDOG_FILE"; }
    detail "left alone, now and later; sudo rm $NO_WATCHDOG_FILE forgets that"
    return 0
  fi
  if [ -e "$NO_WATCHDOG_FILE" ]; then
    detail "left alone, as --no-watchdog once said ($NO_WATCHDOG_FILE)"
    return 0
  fi
  if ! compgen -G '/dev/watchdog*' >/dev/null; then
    detail 'this machine has none'
    return 0
  fi
  if other_watchdog; then
    detail "the package watchdog feeds it; systemd's is not set beside it"
    return 0
  fi
  if [ ! -e "$WATCHDOG_FILE" ] && watchdog_seconds && [ "$WATCHDOG_SECONDS" -gt 0 ]; then
    detail "systemd feeds it already, every $WATCHDOG_SECONDS s at the latest; that stays as it is"
    return 0
  fi
  # A busy card can stop everything for seconds: as long as it may be.
  seconds=14
  if kernel_is_since "$LONG_TIMEOUTS_SINCE" || hardware_counts_to 60; then seconds=60; fi
  on_undo 'the watchdog is as it was' systemctl daemon-reexec
  if ! watchdog_settings "$seconds" | install_file "$WATCHDOG_FILE" 0644 root:root; then
    detail "on: a machine that hangs is restarted after $seconds s"
    return 0
  fi
  run systemctl daemon-reexec || fail 'systemd could not read its settings again' 'systemctl daemon-reexec says why'
  if [ -n "${DRY_RUN-}" ] || watchdog_runs "$seconds"; then
    detail "on: a machine that hangs is restarted after $seconds s"
  else
    drop_watchdog
    warn "the watchdog did not start with $seconds s, so it is off as before; journalctl -b _PID=1 | grep -i watchdog says why"
  fi
}

# Restarting is the moment in which a Pi hangs too; systemd's own 10 minutes would be refused by an old kernel.
watchdog_settings() {
  cat <<END
# Written by TechTemp's bootstrap-pi.sh; --no-watchdog takes it away. See systemd-system.conf(5).
[Manager]
RuntimeWatchdogSec=$1
RebootWatchdogSec=$([ "$1" -lt 60 ] && echo "$1" || echo 120)
END
}

drop_watchdog() {
  [ -e "$WATCHDOG_FILE" ] || return 0
  run rm -f "$WATCHDOG_FILE"
  run systemctl daemon-reexec || :
  manifest_remove file "$WATCHDOG_FILE"
  changed "$WATCHDOG_FILE is taken away; the watchdog is off"
}

other_watchdog() {
  systemctl is-active --quiet watchdog.service 2>/dev/null || systemctl is-active --quiet wd_keepalive.service 2>/dev/null ||
    systemctl is-enabled --quiet watchdog.service 2>/dev/null
}

# Sets WATCHDOG_SECONDS: what systemd has in force. systemd writes "14s", "1min" or "0".
watchdog_seconds() {
  local text
  text=$(systemctl show --property=RuntimeWatchdogUSec --value 2>/dev/null) || return
  case $text in
  '' | 0 | infinity | off) WATCHDOG_SECONDS=0 ;;
  *) WATCHDOG_SECONDS=$(seconds_of "$text") ;;
  esac
}

# seconds_of "1min 30s": 90. Parts of a second do not count.
seconds_of() {
  local word total=0
  for word in $1; do
    case $word in
    *ms | *us) ;;
    *min) total=$((total + 60 * ${word%min})) ;;
    *h) total=$((total + 3600 * ${word%h})) ;;
    *s) total=$((total + ${word%s})) ;;
    esac
  done
  printf '%s\n' "$total"
}

kernel_is_since() { [ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]; }

# hardware_counts_to SECONDS: whether the device says so itself, as those of PCs do.
hardware_counts_to() {
  local longest
  longest=$(cat "${WATCHDOG_SYSFS:-/sys/class/watchdog}/watchdog0/max_timeout" 2>/dev/null) || return
  [ "${longest:-0}" -ge "$1" ]
}

# watchdog_runs SECONDS: whether systemd has the value in force and the device is counting. A value that the hardware refuses is
# only a line in the journal.
watchdog_runs() {
  local try
  for try in 1 2 3 4 5; do
    if watchdog_seconds && [ "$WATCHDOG_SECONDS" = "$1" ] && watchdog_counts; then return 0; fi
    [ "$try" = 5 ] || sleep 1
  done
  return 1
}

watchdog_counts() {
  local state found='' descriptor
  for state in "${WATCHDOG_SYSFS:-/sys/class/watchdog}"/*/state; do
    [ -e "$state" ] || continue
    found=1
    if [ "$(<"$state")" = active ]; then return 0; fi
  done
  [ -z "$found" ] || return 1
  # A kernel that does not show the state: systemd keeps the device open while it feeds it.
  for descriptor in /proc/1/fd/*; do
    case $(readlink "$descriptor") in /dev/watchdog*) return 0 ;; esac
  done
  return 1
}

# Its unit files are written by units.sh.
provide_gateway_timer() {
  [ -n "${GATEWAY_REBOOT-}" ] || return 0
  has ping || install_packages iputils-ping
  enable_unit techtemp-gateway.timer
  systemctl is-active --quiet techtemp-gateway.timer || run systemctl start techtemp-gateway.timer ||
    fail 'techtemp-gateway.timer could not be started' 'systemctl status techtemp-gateway.timer'
  detail 'restarts this machine when its gateway has been silent for an hour, at most every 6 hours'
}
