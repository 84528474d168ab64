# shellcheck shell=bash
# --purge: data, settings, lines in files of others and packages, as far as they are ours. For ever, so it asks first.

# Before anything is stopped: what will be gone for ever, and whether somebody wants that.
confirm_purge() {
  local waiting place
  step 'what would be lost'
  waiting=$(device_command journal list --json --config "$DEVICE_CONFIG" 2>/dev/null | undelivered) || waiting=0
  if [ "${waiting:-0}" -gt 0 ]; then
    warn "$waiting readings have not been delivered yet; sudo techtemp-device journal export --unreleased -o FILE keeps them"
  fi
  data_places | while read -r place; do detail "$place"; done
  tell_data_elsewhere
  [ -z "${DRY_RUN-}" ] || return 0
  confirm 'Remove all of that for ever?' ||
    fail '--purge was not confirmed; nothing was removed' 'without a terminal: --uninstall --purge --yes'
}

undelivered() { sed -n 's/.*"unreleased": *\([0-9]*\).*/\1/p' | awk '{ sum += $1 } END { print sum + 0 }'; }

# data_places: what is somebody's data, as far as it is there.
data_places() {
  local place
  for place in /var/lib/techtemp /var/lib/techtemp-server /var/lib/techtemp-server-* "$CONFIG_DIR" "$CREDENTIAL_DIR"/techtemp*; do
    if [ -e "$place" ] || [ -L "$place" ]; then printf '%s\n' "$place"; fi
  done
}

purge_data() {
  step 'data, settings and packages'
  remove_lines
  local place
  data_places | while read -r place; do [ "$place" = "$CONFIG_DIR" ] || remove_data "$place"; done
  if [ -d "$CONFIG_DIR" ]; then
    run rm -rf "$CONFIG_DIR" || fail "$CONFIG_DIR could not be removed"
    changed "removed $CONFIG_DIR"
  fi
  remove_empty_folders
  remove_packages
  remove_groups
}

# With DynamicUser= the folder under /var/lib is a link to the one that only root can enter.
remove_data() {
  run rm -rf "$1" "/var/lib/private/${1##*/}" || fail "$1 could not be removed"
  changed "removed $1"
}

# What the settings keep in a place of the owner's choice is the owner's to remove.
tell_data_elsewhere() {
  local file path key
  for file in "$CONFIG_DIR"/*.conf; do
    [ -e "$file" ] || continue
    for key in 'journal path' 'store path'; do
      # shellcheck disable=SC2086 # section and key
      if path=$(ini_get "$file" $key) && [ -n "$path" ] && [ -e "$path" ]; then detail "not $path: $file names it, and it is yours to remove"; fi
    done
  done
}

# remove_lines: those that we added to somebody else's file.
remove_lines() {
  local entry file text
  while IFS= read -r entry; do
    file=${entry%%$'\t'*} text=${entry#*$'\t'}
    if [ -e "$file" ] && grep -xF -- "$text" "$file" >/dev/null; then
      run remove_line "$file" "$text" || fail "the line \"$text\" could not be taken out of $file"
      changed "took \"$text\" out of $file"
    fi
    forget line "$entry"
  done < <(manifest_list line)
}

# remove_line FILE TEXT: the last such line, whole or not at all; with the [all] that we put before it at the end of config.txt.
remove_line() {
  cp -p "$1" "$1.techtemp-new" &&
    LINE=$2 awk '
      { line[NR] = $0; if ($0 == ENVIRON["LINE"]) last = NR }
      END {
        first = last > 1 && last == NR && line[last - 1] == "[all]" ? last - 1 : last
        for (i = 1; i <= NR; i++) if (i < first || i > last) print line[i]
      }' "$1" >"$1.techtemp-new" && sync "$1.techtemp-new" && mv -f "$1.techtemp-new" "$1"
}

# Packages that we brought and that nobody else has come to need.
remove_packages() {
  local name ours=() removable=() others
  while read -r name; do
    if is_installed "$name"; then ours+=("$name"); else forget package "$name"; fi
  done < <(manifest_list package)
  [ "${#ours[@]}" -gt 0 ] || return 0
  removable=("${ours[@]}")
  # One by one only where somebody needs one of them: asking apt takes seconds on a small Pi.
  if [ -n "$(would_go_too "${ours[@]}")" ]; then
    removable=()
    for name in "${ours[@]}"; do
      others=$(would_go_too "$name")
      if [ -n "$others" ]; then detail "the package $name stays: $others would go with it"; else removable+=("$name"); fi
    done
  fi
  [ "${#removable[@]}" -gt 0 ] || return 0
  apt purge "${removable[@]}" || fail "apt could not remove ${removable[*]}" 'see the lines above'
  for name in "${removable[@]}"; do forget package "$name"; done
  changed "removed the packages ${removable[*]}; apt autoremove takes what came with them"
}

# would_go_too NAME...: packages that are not in the list `ours` of the caller.
would_go_too() {
  apt-get -s purge "$@" 2>/dev/null | sed -n 's/^\(Purg\|Remv\) \([^ ]*\).*/\2/p' |
    grep -vxF "$(printf '%s\n' "${ours[@]}")" | paste -sd ' ' || :
}

# The group i2c belongs to the system from the day on which it is there: others measure too.
remove_groups() {
  local name
  while read -r name; do
    if [ "$name" != i2c ] && getent group "$name" >/dev/null; then
      run groupdel "$name" || warn "the group $name could not be removed"
      changed "removed the group $name"
    fi
    forget group "$name"
  done < <(manifest_list group)
}
