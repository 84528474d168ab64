# shellcheck shell=bash
# Unit files of the release, as they are: what is different on a machine belongs into a drop-in, which we never touch.

UNIT_DIR=/etc/systemd/system
# Services that have to be restarted although their release may be the same, such as for another password.
RESTART_UNITS=()

# restart_needed UNIT: without its suffix.
restart_needed() {
  local unit
  for unit in "${RESTART_UNITS[@]}"; do [ "$unit" != "$1.service" ] || return 0; done
  RESTART_UNITS+=("$1.service")
}

write_units() {
  step 'systemd units'
  local source=${RELEASE_DIR:-$PROJECT_DIR} unit
  [ -d "$source/systemd" ] || source=$PROJECT_DIR
  note_roles
  retire_older_unit
  install_unit_files "$source"
  provide_commands "$source"
  [ -z "${ROLE_DEVICE-}" ] || enable_unit techtemp-device.service
  [ -z "${ROLE_SERVER-}" ] || enable_unit "$(server_unit)"
  for unit in "${KEPT_SERVERS[@]}"; do enable_unit "$unit"; done
  [ ! -e "$source/systemd/techtemp-commit.service" ] || enable_unit techtemp-commit.service
}

server_unit() { printf 'techtemp-server%s.service\n' "${INSTANCE:+@$INSTANCE}"; }

# install_unit_files FOLDER: those of FOLDER/systemd that the roles need or that are installed already; daemon-reload when one has
# changed. Also the way back: with the folder of an earlier release.
install_unit_files() {
  local file name has_changed='' services
  # In the way back it comes after the files are as they were.
  on_undo 'systemd has read its units again' systemctl daemon-reload
  for file in "$1"/systemd/techtemp*.service "$1"/systemd/techtemp*.timer; do
    [ -e "$file" ] || continue
    name=${file##*/}
    unit_is_wanted "$name" || continue
    [ "$(readlink "$UNIT_DIR/$name" 2>/dev/null)" != /dev/null ] ||
      fail "$name is masked, so systemd would never start it" "sudo systemctl unmask $name"
    keep_edited_unit "$name"
    # Ours by its name, also where an older agent or an installation without a record had it before.
    manifest_add file "$UNIT_DIR/$name"
    if install_copy "$file" "$UNIT_DIR/$name" 0644 root:root; then
      has_changed=1
      case $name in
      techtemp-server@.service) for services in $(enabled_instances); do restart_needed "${services%.service}"; done ;;
      techtemp-device.service | techtemp-server.service) restart_needed "${name%.service}" ;;
      esac
    fi
    if [ -d "$UNIT_DIR/$name.d" ]; then detail "your lines in $UNIT_DIR/$name.d stay in force"; fi
  done
  if [ -z "$has_changed" ]; then
    detail 'as they are in the release'
    return 0
  fi
  run systemctl daemon-reload || fail 'systemd could not read its units again' 'systemctl daemon-reload says why'
}

unit_is_wanted() {
  local unit
  if manifest_list file | grep -xF "$UNIT_DIR/$1" >/dev/null; then return 0; fi
  for unit in "${KEPT_SERVERS[@]}"; do [ "$1" != "${unit/@*./@.}" ] || return 0; done
  case $1 in
  techtemp-device.service) [ -n "${ROLE_DEVICE-}" ] ;;
  techtemp-server.service) [ -n "${ROLE_SERVER-}" ] && [ -z "${INSTANCE-}" ] ;;
  techtemp-server@.service) [ -n "${ROLE_SERVER-}" ] && [ -n "${INSTANCE-}" ] ;;
  techtemp-gateway.*) [ -n "${GATEWAY_REBOOT-}" ] ;;
  *) return 0 ;;
  esac
}

enabled_instances() { manifest_list unit | grep '^techtemp-server@.' || :; }

# A unit file that somebody has edited in place is replaced, but not lost: the change belongs into a drop-in.
keep_edited_unit() {
  local name=$1 shipped=$INSTALL_DIR/current/systemd/$1 kept=$RECORD_DIR/edited/$1
  if [ ! -e "$UNIT_DIR/$name" ] || [ ! -e "$shipped" ] || cmp -s "$UNIT_DIR/$name" "$shipped"; then return 0; fi
  # An update that was interrupted after this file had been written.
  if [ -n "${RELEASE_DIR-}" ] && cmp -s "$UNIT_DIR/$name" "$RELEASE_DIR/systemd/$name"; then return 0; fi
  run install -D -m 0644 "$UNIT_DIR/$name" "$kept" || fail "$UNIT_DIR/$name could not be kept"
  warn "$UNIT_DIR/$name has been edited; it is replaced, and yours is kept as $kept. Put your lines into a drop-in: sudo systemctl edit ${name%.service}"
}

# enable_unit UNIT: once. Who disables it afterwards has decided so.
enable_unit() {
  if manifest_list unit | grep -xF "$1" >/dev/null; then
    systemctl is-enabled --quiet "$1" 2>/dev/null ||
      warn "$1 has been disabled since it was installed, and stays so; sudo systemctl enable --now $1 brings it back"
    return 0
  fi
  if ! systemctl is-enabled --quiet "$1" 2>/dev/null; then
    on_undo "$1 does not start at boot" systemctl disable "$1"
    run systemctl enable "$1" || fail "$1 could not be enabled" "systemctl status $1"
    changed "$1 starts at boot"
  fi
  manifest_add unit "$1"
}
