# shellcheck shell=bash
# The two groups of our units; a service whose group does not exist is not started at all. The users themselves come and go with
# the services (DynamicUser=).

SYSUSERS_FILE=/etc/sysusers.d/techtemp.conf

provide_accounts() {
  local group missing=()
  step 'groups'
  while read -r group; do
    getent group "$group" >/dev/null || missing+=("$group")
  done < <(sed -n 's/^g \([^ ]*\) .*/\1/p' "$PROJECT_DIR/systemd/techtemp.sysusers.conf")
  install_copy "$PROJECT_DIR/systemd/techtemp.sysusers.conf" "$SYSUSERS_FILE" 0644 root:root || :
  if [ "${#missing[@]}" = 0 ]; then
    detail 'there already'
    return 0
  fi
  # System groups: from systemd 258 on, udev gives devices to no other.
  run systemd-sysusers "$SYSUSERS_FILE" || fail "the groups ${missing[*]} could not be made" 'see the lines above'
  for group in "${missing[@]}"; do manifest_add group "$group"; done
  changed "made group ${missing[*]}"
}
