# shellcheck shell=bash
# From one release to another in one rename, with a note on the disk of where we came from: whatever ends this run, a power cut or
# a lost connection, techtemp-commit.service finishes or reverts what it finds noted.

# Lines "name value"; there only between a switch and the proof that the release works.
PENDING=$RECORD_DIR/pending
# Units whose health is awaited; from where we come, if there is a way back; what each unit was like before.
AWAITED=()
OLD_RELEASE=''
# -g: these files are read inside of a function.
declare -gA WAS=()

switch_release() {
  step 'services'
  local unit
  need_systemd
  OLD_RELEASE=$(release_of current)
  resume_pending
  for unit in $(concerned_units); do
    WAS[$unit]=$(baseline_of "$unit")
    needs_restart "$unit" && AWAITED+=("$unit")
  done
  if [ -z "$RELEASE_IS_NEW" ] && [ "${#AWAITED[@]}" = 0 ]; then
    detail 'they run as they should'
    return 0
  fi
  if [ -n "$RELEASE_IS_NEW" ]; then take_release; fi
  for unit in "${AWAITED[@]}"; do
    if [ "$unit" = techtemp-device.service ] && [ "${WAS[$unit]}" = stopped ]; then await_new_server; fi
    # Not waited for: how long a start may take is judged below, also for one that hangs.
    run systemctl restart --no-block "$unit" || fail "$unit could not be started" "systemctl status $unit"
    changed "$unit starts with $RELEASE_NAME"
  done
}

# A device that has not met a server yet may forget a reading when the broker has taken it, and a broker passes it on only to those
# it knows. So where both are new, the server signs in first; one that can't must not keep the device from measuring.
await_new_server() {
  local limit=$((SECONDS + HEALTH_SECONDS)) text
  [ -z "$DRY_RUN" ] && [ "${WAS[techtemp-server.service]-}" = stopped ] || return 0
  while [ "$SECONDS" -lt "$limit" ] && is_running techtemp-server.service &&
    [ "$(unit_fact techtemp-server.service NRestarts)" = 0 ]; do
    text=$(unit_fact techtemp-server.service StatusText)
    case $text in 'connected to '* | *' is away '*) return 0 ;; esac
    sleep "$POLL_SECONDS"
  done
}

# Services of ours on this machine: those of earlier runs and those of this one; servers before the device.
concerned_units() {
  {
    manifest_list unit | grep -E '^techtemp-(device|server(@[^.]+)?)\.service$' || :
    [ -z "$ROLE_DEVICE" ] || echo techtemp-device.service
    [ -z "$ROLE_SERVER" ] || server_unit
  } | sort -ru
}
use_installed_roles() {
  if manifest_list unit | grep -xF techtemp-device.service >/dev/null; then ROLE_DEVICE=1; fi
  if manifest_list unit | grep '^techtemp-server' >/dev/null; then ROLE_SERVER=1; fi
}

# A restart for a new release, unit file or password; a start for what does not run although it should. What somebody disabled, or
# has stopped while others are upgraded, stays as it is.
needs_restart() {
  local unit=$1 other
  if [ -n "$DRY_RUN" ]; then [ -n "$RELEASE_IS_NEW" ]; return; fi
  if ! systemctl is-enabled --quiet "$unit" 2>/dev/null && ! is_running "$unit"; then return 1; fi
  if [ -n "$RELEASE_IS_NEW" ] || [ -n "$RESUMED" ] || ! is_running "$unit"; then return 0; fi
  for other in "${RESTART_UNITS[@]}"; do [ "$other" != "$unit" ] || return 0; done
  return 1
}
is_running() { [[ $(unit_fact "$1" ActiveState) =~ ^(active|activating|reloading)$ ]]; }
unit_fact() { systemctl show "$1" -p "$2" --value 2>/dev/null || :; }

# A systemd that is too busy to answer does not say that nothing runs.
need_systemd() {
  local try
  for try in 1 2 3; do
    if systemctl show -p Version >/dev/null 2>&1; then return 0; fi
    [ "$try" = 3 ] || sleep 2
  done
  fail 'systemd does not answer (systemctl show), so it is not known what runs here' 'wait until the machine is less busy; then run this again'
}

# What a unit was like before: "running BROKER SENSOR INVOCATION" or "stopped". A new release has to be no worse. BROKER: reached,
# away, or piling: it takes readings, and nothing has left the journal since the start.
baseline_of() {
  local unit=$1 text broker sensor taken buffered
  [ "$(unit_fact "$unit" ActiveState)" = active ] || { printf 'stopped'; return; }
  text=$(unit_fact "$unit" StatusText)
  case $text in
  *'; connected to '*)
    broker=reached
    taken=$(sed -n 's/.* (\([0-9]*\) taken).*/\1/p' <<<"$text") buffered=$(sed -n 's/.*; \([0-9]*\) buffered.*/\1/p' <<<"$text")
    if [ "${taken:-0}" -ge 2 ] && [ "${buffered:-0}" -ge "$taken" ]; then broker=piling; fi
    ;;
  *' is away'*) broker=away ;;
  *) broker=$(probe_broker) ;;
  esac
  case $text in *'sensor fault'*) sensor=fault ;; *) sensor=fine ;; esac
  printf 'running %s %s %s' "$broker" "$sensor" "$(unit_fact "$unit" InvocationID)"
}
# What says nothing about itself, such as an older agent: whether anybody answers where it sends to.
probe_broker() {
  local host port
  host=$(ini_get "$DEVICE_CONFIG" mqtt broker_host 2>/dev/null) || host=localhost
  port=$(ini_get "$DEVICE_CONFIG" mqtt broker_port 2>/dev/null) || port=1883
  # shellcheck disable=SC2016 # the inner shell's own arguments
  if timeout 5 bash -c '</dev/tcp/"$1"/"$2"' probe "$host" "$port" 2>/dev/null; then echo reached; else echo away; fi
}

# An earlier run was cut off after its switch: what it came from is the last release that has proved itself.
resume_pending() {
  RESUMED=''
  [ -e "$PENDING" ] || return 0
  RESUMED=1
  detail "an earlier run was cut off on the way from $(pending_fact old) to $(pending_fact new)"
  if [ -d "$RELEASES/$(pending_fact old)" ]; then OLD_RELEASE=$(pending_fact old); fi
}
pending_fact() { sed -n "s/^$1 //p" "$PENDING" 2>/dev/null | head -n 1; }

take_release() {
  local front=()
  if [ -n "$OLD_RELEASE" ]; then
    write_pending
    # Last of all in the way back, when the release, the settings and the unit files are as they were.
    if [ "${#AWAITED[@]}" -gt 0 ]; then
      front=("$(printf '%q ' 'the services run as before' systemctl restart --no-block "${AWAITED[@]}")")
    fi
    UNDO=("${front[@]}" "${UNDO[@]}")
    on_undo "the release $OLD_RELEASE is the current one again" take_back "$OLD_RELEASE"
  else
    on_undo 'no release is the current one' rm -f "$INSTALL_DIR/current"
  fi
  run point_at current "$RELEASE_NAME" || fail "$INSTALL_DIR/current could not be changed" "$(room_words "$INSTALL_DIR")"
  changed "the current release is $RELEASE_NAME"
  [ -z "$OLD_RELEASE" ] || guard_switch
}

# On the disk before the switch: without it the next start would not know that the release is not proved yet.
write_pending() {
  local unit
  [ -z "$DRY_RUN" ] || return 0
  { {
    printf 'old %s\nnew %s\nseconds %s\n' "$OLD_RELEASE" "$RELEASE_NAME" "$HEALTH_SECONDS"
    for unit in "${AWAITED[@]}"; do printf 'unit %s %s\n' "$unit" "${WAS[$unit]:-stopped}"; done
  } >"$PENDING.new" && sync "$PENDING.new" && mv -f "$PENDING.new" "$PENDING" && sync -f "$RECORD_DIR"; } ||
    fail "$PENDING could not be written" "$(room_words "$RECORD_DIR")"
}

# point_at LINK RELEASE: a rename, so that the link names the one or the other at every moment; then onto the disk.
point_at() {
  ln -sfn "releases/$2" "$INSTALL_DIR/.$1.new" && mv -T "$INSTALL_DIR/.$1.new" "$INSTALL_DIR/$1" && sync -f "$INSTALL_DIR"
}
take_back() { point_at current "$1" && rm -f "$PENDING" && sync -f "$RECORD_DIR"; }

# If this run ends without a word (a lost connection, kill -9), the service goes on in its place: it waits for our lock.
guard_switch() {
  [ -z "$DRY_RUN" ] || return 0
  systemctl start --no-block techtemp-commit.service 2>/dev/null || :
}

# The release has proved itself.
commit_release() {
  if [ -e "$PENDING" ]; then
    if [ -n "$OLD_RELEASE" ] && [ "$OLD_RELEASE" != "$RELEASE_NAME" ]; then point_at previous "$OLD_RELEASE"; fi
    rm -f "$PENDING" && sync -f "$RECORD_DIR"
  fi
  if grep -q "^$RELEASE_NAME " "$REFUSED" 2>/dev/null; then
    grep -v "^$RELEASE_NAME " "$REFUSED" >"$REFUSED.new" || :
    mv -f "$REFUSED.new" "$REFUSED"
  fi
  committed
  prune_releases
}

# refuse_release WHY: remembered, so that the same one is not tried again by accident.
refuse_release() {
  printf '%s %s: %s\n' "$RELEASE_NAME" "$(date -u +%FT%TZ)" "$1" >>"$REFUSED" || :
}
