# shellcheck shell=bash
# An older TechTemp agent on this machine: its name and its settings become ours, its files stay where they are, and of both
# only one ever measures. It goes on measuring until our unit takes its place, and again if our installation fails.

# The unit of the older agent, and the unit of its predecessor, which had no settings file.
OLDER_UNITS=(techtemp-device.service techtemp.service)
OLDER_CONFIG_PATTERNS=('/home/*/techtemp/device/config/device.conf' /root/techtemp/device/config/device.conf)

# take_over_older_agent: finds it, says what will happen, and remembers in OLDER_CONFIG whose settings are taken over.
take_over_older_agent() {
  OLDER_CONFIG='' OLDER_UNIT=''
  local unit
  for unit in "${OLDER_UNITS[@]}"; do
    if is_older_unit "$unit"; then OLDER_UNIT=$unit; fi
  done
  # Ours are here already: what the older one has lying about is of no interest any more.
  if [ ! -e "$DEVICE_CONFIG" ]; then find_older_config; fi
  [ -n "$OLDER_UNIT$OLDER_CONFIG" ] || { refuse_loose_agent && return 0; }
  step 'an older TechTemp agent'
  refuse_loose_agent
  if [ -n "$OLDER_UNIT" ]; then
    detail "$(unit_file "$OLDER_UNIT") starts $(older_program "$OLDER_UNIT"): it is stopped when ours takes its place"
  fi
  if [ -n "$OLDER_CONFIG" ]; then
    detail "the settings in $OLDER_CONFIG are taken over; that file stays as it is"
  elif [ -e "$DEVICE_CONFIG" ]; then
    detail "its settings are not needed: $DEVICE_CONFIG is there"
  fi
}

unit_file() {
  local folder
  for folder in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /lib/systemd/system /usr/lib/systemd/system; do
    if [ -e "$folder/$1" ]; then
      printf '%s\n' "$folder/$1"
      return 0
    fi
  done
  return 1
}

# unit_setting FILE NAME: what the unit file says last, without the marks that systemd allows before a command.
unit_setting() { sed -n "s/^[[:space:]]*$2[[:space:]]*=[[:space:]]*//p" "$1" | tail -n 1 | sed 's/^[-@:+!]*//; s/[[:space:]]*$//'; }

# The older agent is a native program of this name; ours is started by node.
is_older_unit() {
  local file program
  file=$(unit_file "$1") || return 1
  [ -f "$file" ] || return 1
  program=$(unit_setting "$file" ExecStart)
  case ${program%% *} in
  */techtemp-device | */techtemp) return 0 ;;
  *) return 1 ;;
  esac
}

older_program() { unit_setting "$(unit_file "$1")" ExecStart; }

# Sets OLDER_CONFIG: the file that its unit names, as the older agent looks for it; else the only one in the usual places.
find_older_config() {
  local file words folder candidate found=()
  if [ "$OLDER_UNIT" = techtemp-device.service ]; then
    file=$(unit_file "$OLDER_UNIT")
    folder=$(unit_setting "$file" WorkingDirectory)
    read -r -a words <<<"$(unit_setting "$file" ExecStart)"
    candidate=${words[1]:-config/device.conf}
    case $candidate in /*) ;; *) candidate=${folder:-/}/$candidate ;; esac
    if [ -f "$candidate" ]; then
      OLDER_CONFIG=$candidate
      return 0
    fi
  fi
  # shellcheck disable=SC2068 # the patterns are to be expanded
  for candidate in ${OLDER_CONFIG_PATTERNS[@]}; do
    if [ -f "$candidate" ]; then found+=("$candidate"); fi
  done
  case ${#found[@]} in
  0) ;;
  1) OLDER_CONFIG=${found[0]} ;;
  *)
    fail "older settings lie in ${#found[@]} places (${found[*]}), and no unit says which are in use" \
      "copy the right ones: sudo install -D -m 0640 FILE $DEVICE_CONFIG; then run this again"
    ;;
  esac
}

# An older agent that systemd does not know would go on measuring beside ours, and come back at the next boot.
refuse_loose_agent() {
  local process program main
  main=$(systemctl show -p MainPID --value techtemp-device.service 2>/dev/null) || main=0
  for process in /proc/[0-9]*; do
    program=$(readlink "$process/exe" 2>/dev/null) || continue
    case ${program% (deleted)} in */techtemp-device) ;; *) continue ;; esac
    if [ "${process##*/}" = "$main" ] || grep -q 'techtemp-device\.service' "$process/cgroup" 2>/dev/null; then continue; fi
    fail "an older agent runs outside of systemd: process ${process##*/}, $program" \
      "stop it (sudo kill ${process##*/}), take it out of what starts it (crontab, rc.local, a terminal), and run this again"
  done
}

# Settings of the older agent that ours knows, into the draft. Its reader took a line's whole rest as the value, so user name and
# password are meant to the letter; everywhere else quotes and comments were meant as such.
take_over_settings() { # OLDER DRAFT
  local older=$1 draft=$2 section key value known dropped=()
  known=$(ini_known_keys "$draft")
  while IFS=. read -r section key; do
    if ! grep -xF "$section.$key" <<<"$known" >/dev/null; then
      dropped+=("$key")
      continue
    fi
    value=$(ini_get "$older" "$section" "$key") || continue
    case $key in username | password) value=$(ini_raw "$older" "$section" "$key") ;; esac
    [ -n "$value" ] || continue
    if [ "$key" = password ]; then
      BROKER_PASSWORD=${BROKER_PASSWORD:-$value}
      detail 'password: taken over, into a file that only root can read'
      continue
    fi
    ini_set "$draft" "$section" "$key" "$value"
    detail "$key = $value"
  done < <(ini_keys "$older")
  [ "${#dropped[@]}" = 0 ] || detail "without effect any more, left out: ${dropped[*]}"
}

# retire_older_unit: stops it and keeps its unit file, right before ours takes the name. If anything fails later, the older agent
# measures again.
retire_older_unit() {
  [ -n "${OLDER_UNIT-}" ] || return 0
  local file kept=$RECORD_DIR/older-agent/$OLDER_UNIT
  file=$(unit_file "$OLDER_UNIT")
  run install -D -m 0644 "$file" "$kept" || fail "$file could not be kept as $kept"
  if systemctl is-active --quiet "$OLDER_UNIT"; then
    on_undo 'the older agent measures again' give_back "$OLDER_UNIT"
    run systemctl stop "$OLDER_UNIT" || fail "$OLDER_UNIT could not be stopped" "systemctl status $OLDER_UNIT"
  fi
  if [ "$OLDER_UNIT" != techtemp-device.service ] && systemctl is-enabled --quiet "$OLDER_UNIT" 2>/dev/null; then
    on_undo "$OLDER_UNIT starts at boot again" systemctl enable "$OLDER_UNIT"
    run systemctl disable "$OLDER_UNIT" || fail "$OLDER_UNIT could not be taken out of the boot"
  fi
  changed "the older agent is stopped; its unit file is kept as $kept, all its other files stay where they are"
}

# Its unit file has just been put back.
give_back() {
  manifest_remove file "$UNIT_DIR/$1"
  manifest_remove unit "$1"
  systemctl daemon-reload && systemctl restart "$1"
}
