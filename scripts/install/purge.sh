# shellcheck shell=bash
# --purge: data, settings, lines in files of others and packages, as far as they are ours. For ever, so it asks first.

# Before anything is stopped: what will be gone for ever, and whether somebody wants that.
confirm_purge() {
  local waiting place
  step 'what would be lost'
  # A program that is gone or fails says nothing; that is not the same as none.
  if [ -e "$DEVICE_CONFIG" ] || is_filled /var/lib/techtemp/journal; then
    waiting=$(device_command journal list --json --config "$DEVICE_CONFIG" 2>/dev/null | undelivered) || waiting=unknown
  else
    waiting=0
  fi
  if [ "${waiting:-unknown}" = unknown ]; then
    warn "it is not known how many readings have not been delivered yet: the agent's program gives no answer"
  elif [ "${waiting:-0}" -gt 0 ]; then
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

# Packages that came because of us, those that came along too, and that nothing else has come to need. What stays is marked as a need of
# others, so that it goes when they do.
remove_packages() {
  local name ours=() removable=() kept=() wanted along
  note_packages_brought
  along=$(manifest_list brought)
  # What came along and is marked as wanted now, somebody has asked for since.
  wanted=$(comm -23 <(apt-mark showmanual 2>/dev/null | sed 's/:.*//' | sort -u) <(manifest_list package | sort -u))
  mapfile -t ours < <({ manifest_list package && manifest_list build-package && manifest_list brought; } | sort -u |
    comm -12 - <(installed_packages) | comm -23 - <(sort <<<"$wanted"))
  if [ "${#ours[@]}" -gt 0 ]; then
    if ! find_removable "${ours[@]}"; then
      warn "apt does not say what depends on ${ours[*]}, so these packages stay: $(head -n 1 "$SCRATCH/removable.words")"
      detail "later: sudo apt-mark auto ${ours[*]} && sudo apt autoremove --purge"
      return 0
    fi
    removable=("${REMOVABLE[@]}")
    mapfile -t kept < <(comm -23 <(printf '%s\n' "${ours[@]}" | sort) <(printf '%s\n' "${removable[@]}" | sort))
    tell_kept_packages "${kept[@]}"
  fi
  if [ "${#removable[@]}" -gt 0 ]; then
    apt purge "${removable[@]}" || fail "apt could not remove ${removable[*]}" 'see the lines above'
    # What was fetched for them.
    for name in "${removable[@]}"; do run rm -f "/var/cache/apt/archives/${name}"_*.deb; done
    changed "removed the packages ${removable[*]}"
    [ -n "$along" ] || detail 'an older version of this script had not noted what came with them; sudo apt autoremove --purge takes what nothing needs'
  fi
  [ "${#kept[@]}" = 0 ] || run apt-mark auto "${kept[@]}" || :
  restore_auto_marks
  for name in "${removable[@]}"; do forget_package "$name"; done
}
forget_package() {
  forget package "$1"
  forget build-package "$1"
  forget brought "$1"
}

restore_auto_marks() {
  local name
  while IFS= read -r name; do
    ! is_installed "$name" || run apt-mark auto "$name" || :
    forget auto-mark "$name"
  done < <(manifest_list auto-mark)
}

# find_removable NAME...: sets REMOVABLE to those that nothing else needs. apt is asked, with marks in a copy: if these were all
# here only for the needs of others, what would it remove as not needed? Fails where it gives no answer.
find_removable() {
  local states=$SCRATCH/extended_states words=$SCRATCH/removable.words candidates others try
  local options=(-o "Dir::State::extended_states=$states" -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false)
  REMOVABLE=()
  cat /var/lib/apt/extended_states >"$states" 2>/dev/null || :
  apt-mark "${options[@]}" auto "$@" >"$words" 2>&1 || return
  for try in 1 2 3 4 5 6 7 8 9 10; do
    apt-get -s "${options[@]}" autoremove >"$words" 2>&1 || return
    candidates=$(removed_in "$words" | comm -12 - <(printf '%s\n' "$@" | sort -u))
    [ -n "$candidates" ] || return 0
    # What was not needed by anything before us either, and depends on ours.
    # shellcheck disable=SC2086 # names without spaces
    apt-get -s purge $candidates >"$words" 2>&1 || return
    others=$(removed_in "$words" | comm -23 - <(sort <<<"$candidates"))
    if [ -z "$others" ]; then
      mapfile -t REMOVABLE <<<"$candidates"
      return 0
    fi
    # shellcheck disable=SC2086 # names without spaces
    apt-mark "${options[@]}" manual $others >"$words" 2>&1 || return
  done
  printf 'no answer after %s tries\n' "$try" >"$words"
  return 1
}
removed_in() { sed -n 's/^\(Purg\|Remv\) \([^ :]*\).*/\2/p' "$1" | sort -u; }

# Why a package stays: each call of apt takes seconds on a small Pi, so not for a long list.
tell_kept_packages() {
  local name others
  if [ "$#" -gt 5 ]; then
    detail "$# packages stay, because others need them: $*"
    return 0
  fi
  for name in "$@"; do
    others=$(apt-get -s purge "$name" 2>/dev/null | sed -n 's/^\(Purg\|Remv\) \([^ :]*\).*/\2/p' | grep -vxF "$name" | paste -sd ' ' || :)
    detail "the package $name stays: ${others:-something else} would go with it"
  done
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
