# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by the other modules
# Removes what the manifest lists, and nothing else: what was here before us, and what others have come to use, stays. Readings,
# settings, accounts of the broker and packages stay too, unless --purge is given. Can be run again at any time.

uninstall() {
  RELEASE_DIR=$INSTALL_DIR/current
  if [ -n "${INSTANCE-}" ]; then
    uninstall_instance
  elif [ ! -e "$MANIFEST" ] && [ ! -d "$INSTALL_DIR" ]; then
    say "Nothing is installed here (there is no $MANIFEST)."
  else
    [ -z "${PURGE-}" ] || confirm_purge
    stop_services
    remove_files
    remove_releases
    if [ -n "${PURGE-}" ]; then purge_data; else name_kept; fi
  fi
  finish_uninstall
}

stop_services() {
  local unit
  step 'services'
  need_systemd
  # Services go, the decision stays: a later installation brings the same ones.
  for unit in $(our_units) $(manifest_list unit | grep -xF techtemp-gateway.timer || :); do [ -n "${DRY_RUN-}" ] || manifest_add role "$unit"; done
  # The timer and the check after an upgrade first: they would start what is being stopped.
  for unit in $({ manifest_list unit | grep -E 'timer|commit' || :; manifest_list unit | grep -vE 'timer|commit' || :; }); do
    disable_unit "$unit"
  done
}

# disable_unit UNIT: stopped, out of the boot, and forgotten.
disable_unit() {
  if systemctl is-active --quiet "$1" || systemctl is-enabled --quiet "$1" 2>/dev/null; then
    run systemctl disable --now "$1" || fail "$1 could not be stopped" "systemctl status $1"
    changed "$1 is stopped"
  fi
  run systemctl reset-failed "$1" 2>/dev/null || :
  forget unit "$1"
}

# What may be in use by others, or is somebody's data: not without --purge.
is_kept() {
  [ -z "${PURGE-}" ] || return 1
  case $1 in "$CONFIG_DIR"/* | "$CREDENTIAL_DIR"/* | /etc/mosquitto/* | /etc/apt/* | /usr/share/keyrings/* | /var/lib/* | /boot/*) return 0 ;; esac
  return 1
}

remove_files() {
  local file folder reload='' reexec='' broker=''
  step 'files'
  while IFS= read -r file; do
    is_kept "$file" && continue
    case $file in
    "$UNIT_DIR"/*) reload=1 ;;
    /etc/systemd/system.conf.d/*) reexec=1 ;;
    /etc/mosquitto/*) broker=1 ;;
    esac
    if [ -e "$file" ] || [ -L "$file" ]; then
      run rm -f "$file" || fail "$file could not be removed"
      changed "removed $file"
    fi
    # The lists that apt has fetched from there.
    case $file in /etc/apt/sources.list.d/techtemp-nodesource.sources) run rm -f /var/lib/apt/lists/*nodesource* ;; esac
    forget file "$file"
    folder=$UNIT_DIR/${file##*/}.d
    if [ "$file" = "$UNIT_DIR/${file##*/}" ] && [ -d "$folder" ]; then remove_drop_ins "$folder"; fi
  done < <(manifest_list file && manifest_list link)
  [ -z "$reload" ] || run systemctl daemon-reload || :
  [ -z "$reexec" ] || run systemctl daemon-reexec || :
  [ -z "$broker" ] || ! is_installed mosquitto || run systemctl try-restart mosquitto ||
    warn 'Mosquitto does not start without our files; journalctl -u mosquitto says why'
}

# Drop-ins are the owner's lines.
remove_drop_ins() {
  if [ -n "${PURGE-}" ]; then
    run rm -rf "$1" && changed "removed $1"
  else
    detail "$1 stays: it is yours"
  fi
}

remove_releases() {
  local left
  step 'releases'
  if [ -d "$INSTALL_DIR" ]; then
    run rm -rf "$INSTALL_DIR/releases" "$INSTALL_DIR/current" "$INSTALL_DIR/previous" || fail "$INSTALL_DIR could not be emptied"
    changed "removed the releases in $INSTALL_DIR"
    if [ -z "${DRY_RUN-}" ] && ! rmdir "$INSTALL_DIR" 2>/dev/null; then
      left=$(ls -A "$INSTALL_DIR")
      detail "$INSTALL_DIR stays, there is something in it that is not ours: $left"
    fi
  fi
  run rm -rf /var/lib/techtemp-gateway /run/techtemp-command
  remove_empty_folders
}

# Folders that we made and that are still empty; the innermost first.
remove_empty_folders() {
  local folder
  manifest_list directory | sort -r | while IFS= read -r folder; do
    if [ -d "$folder" ] && [ -z "$(ls -A "$folder")" ]; then run rmdir "$folder" || :; fi
    [ -d "$folder" ] || forget directory "$folder"
  done
}

name_kept() {
  local packages place along
  step 'what stays'
  data_places | while read -r place; do detail "$place"; done
  [ ! -e "$MOSQUITTO_DIR/conf.d/techtemp-listener.conf" ] || detail 'the broker with its accounts: other machines may use it'
  packages=$(manifest_list package | paste -sd ' ')
  if [ -n "$packages" ]; then
    along=$(comm -23 <(manifest_list brought | sort -u) <(tr ' ' '\n' <<<"$packages" | sort -u) | grep -c . || :)
    detail "packages that were brought: $packages$([ "$along" = 0 ] || printf ', and %s that came with them' "$along")"
    if can_ask && confirm 'Remove these packages?'; then remove_packages; fi
  fi
  detail "--uninstall --purge removes that too; $RECORD_DIR knows what it is"
}

uninstall_instance() {
  local unit=techtemp-server@$INSTANCE.service config=$CONFIG_DIR/server-$INSTANCE.conf
  step "server $INSTANCE"
  if ! manifest_list unit | grep -xF "$unit" >/dev/null && [ ! -e "$config" ]; then
    say "There is no server $INSTANCE here."
    return 0
  fi
  if [ -n "${PURGE-}" ] && [ -z "${DRY_RUN-}" ]; then
    confirm "Remove its settings and its record in /var/lib/techtemp-server-$INSTANCE for ever?" ||
      fail '--purge was not confirmed; nothing was removed' 'without a terminal: --yes'
  fi
  disable_unit "$unit"
  forget role "$unit"
  if [ -z "${PURGE-}" ]; then
    detail "$config and /var/lib/techtemp-server-$INSTANCE stay; --purge removes them"
    return 0
  fi
  remove_data "/var/lib/techtemp-server-$INSTANCE"
  local file
  for file in "$config" "$config.new" "$CREDENTIAL_DIR/techtemp-server-$INSTANCE.mqtt-password"; do
    run rm -f "$file"
    forget file "$file"
  done
}

forget() { [ -n "${DRY_RUN-}" ] || manifest_remove "$@"; }

finish_uninstall() {
  local older
  for older in "$RECORD_DIR"/older-agent/*.service; do
    [ -e "$older" ] || continue
    detail "back to the older agent: sudo cp $older $UNIT_DIR/ && sudo systemctl enable --now ${older##*/}"
  done
  printf '\n'
  LAST_WORDS='TechTemp is removed.'
  if [ -n "${DRY_RUN-}" ]; then
    LAST_WORDS='This was a dry run: nothing was changed.'
  elif [ "$CHANGES" = 0 ]; then
    LAST_WORDS='Nothing changed.'
  fi
  say "$LAST_WORDS"
  if [ -n "${PURGE-}" ] && [ -z "${INSTANCE-}${DRY_RUN-}" ] && [ -d "$RECORD_DIR" ]; then
    # Its log goes with it, so nothing may be written there any more.
    LOG_OPEN=''
    find "$RECORD_DIR" -mindepth 1 -maxdepth 1 ! -name older-agent -exec rm -rf {} +
    rmdir "$RECORD_DIR" 2>/dev/null || :
  fi
}
