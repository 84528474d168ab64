# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by the other modules
# Which services a machine has, where the command line says nothing about it: those that are installed; where none is, those that
# were there before an --uninstall, which removes services and no decision; without a note of them, those whose settings or data
# lie here. A new machine becomes a device.

# Servers that come back beside the one of this run, as units.
KEPT_SERVERS=()
# Why these roles, for people; empty where there is nothing to say about it.
ROLES_BECAUSE=''

OUR_SERVICES='^techtemp-(device|server(@[^.]+)?)\.service$'

# keep_roles: sets ROLE_DEVICE, ROLE_SERVER, INSTANCE and what stands above.
keep_roles() {
  local units=() unit instances=() main='' place
  if [ -n "$TARGET" ]; then ROLE_DEVICE=1 && return; fi
  mapfile -t units < <({ manifest_list unit && manifest_list role; } | grep -E "$OUR_SERVICES" | sort -u)
  if [ "${#units[@]}" = 0 ]; then
    mapfile -t units < <(services_on_disk)
    place=$(places_of_services | paste -sd "+" | sed "s:+: and :g")
    [ -z "$place" ] || ROLES_BECAUSE="there is $place"
  elif ! manifest_list unit | grep -E "$OUR_SERVICES" >/dev/null; then
    ROLES_BECAUSE="they were installed here before"
  fi
  for unit in "${units[@]}"; do
    case $unit in
    techtemp-device.service) ROLE_DEVICE=1 ;;
    techtemp-server.service) main=1 ;;
    *) unit=${unit#*@} && instances+=("${unit%.service}") ;;
    esac
  done
  # A further instance alone, without the first.
  if [ -z "$main" ] && [ "${#instances[@]}" -gt 0 ]; then INSTANCE=${INSTANCE:-${instances[0]}}; fi
  if [ -n "$main" ] || [ "${#instances[@]}" -gt 0 ]; then ROLE_SERVER=1; fi
  if [ -z "$ROLE_SERVER" ]; then ROLE_DEVICE=1; fi
  for unit in ${main:+techtemp-server.service} "${instances[@]/#/techtemp-server@}"; do
    [ "${#unit}" -gt 0 ] || continue
    unit=${unit%.service}.service
    if [ "$unit" != "$(server_unit)" ] && ! manifest_list unit | grep -xF "$unit" >/dev/null; then KEPT_SERVERS+=("$unit"); fi
  done
}

# services_on_disk: the units whose settings or data are here, a line each.
services_on_disk() {
  local file name
  if [ -e "$CONFIG_DIR/device.conf" ] || is_filled /var/lib/techtemp/journal; then echo techtemp-device.service; fi
  if [ -e "$CONFIG_DIR/server.conf" ] || [ -e /var/lib/techtemp-server/techtemp.db ]; then echo techtemp-server.service; fi
  for file in "$CONFIG_DIR"/server-*.conf; do
    name=${file##*/server-}
    [ ! -e "$file" ] || echo "techtemp-server@${name%.conf}.service"
  done
}
is_filled() { [ -n "$(ls -A "$1/" 2>/dev/null)" ]; }

# The same as places; the settings where there are any.
places_of_services() {
  local file
  if [ -e "$CONFIG_DIR/device.conf" ]; then
    echo "$CONFIG_DIR/device.conf"
  elif is_filled /var/lib/techtemp/journal; then
    echo /var/lib/techtemp/journal
  fi
  if [ -e "$CONFIG_DIR/server.conf" ]; then
    echo "$CONFIG_DIR/server.conf"
  elif [ -e /var/lib/techtemp-server/techtemp.db ]; then
    echo /var/lib/techtemp-server/techtemp.db
  fi
  for file in "$CONFIG_DIR"/server-*.conf; do [ ! -e "$file" ] || echo "$file"; done
}

# tell_roles: in one line what was found, what follows from it and how to choose otherwise. Settings say what somebody wanted. Data
# without settings may be a leftover: on a terminal it asks; without one it installs what they belong to, because a service too many
# can be removed again, and it is noticed too late that readings are not stored.
tell_roles() {
  # Chosen once with --reboot-without-gateway, it comes back with the rest.
  if manifest_list role | grep -xF techtemp-gateway.timer >/dev/null; then GATEWAY_REBOOT=1; fi
  [ -n "$ROLES_BECAUSE" ] || return 0
  if [ -n "$ROLE_SERVER" ] && [ -z "$DRY_RUN" ] && can_ask && is_leftover techtemp-server.service "$CONFIG_DIR/server.conf"; then
    confirm "There is a record of a server in /var/lib/techtemp-server, but no settings. Install the server again?" || {
      ROLE_SERVER='' ROLE_DEVICE=1
    }
  elif [ -n "$ROLE_DEVICE" ] && [ -n "$ROLE_SERVER" ] && [ -z "$DRY_RUN" ] && can_ask && is_leftover techtemp-device.service "$DEVICE_CONFIG"; then
    confirm "There are readings of a recorder in /var/lib/techtemp, but no settings. Install the recorder again?" || ROLE_DEVICE=''
  fi
  say "* installs $(role_words) again, because $ROLES_BECAUSE; --role device|server|all chooses otherwise"
}
# is_leftover UNIT SETTINGS: nothing but its data says that it was here.
is_leftover() { [ ! -e "$2" ] && ! manifest_list role | grep -xF "$1" >/dev/null; }

role_words() {
  local words=() unit
  [ -z "$ROLE_DEVICE" ] || words+=('the recorder')
  [ -z "$ROLE_SERVER" ] || words+=("the server${INSTANCE:+ $INSTANCE}")
  for unit in "${KEPT_SERVERS[@]}"; do
    unit=${unit%.service} unit=${unit#techtemp-server}
    words+=("the server${unit:+ ${unit#@}}")
  done
  printf '%s\n' "${words[@]}" | paste -sd '+' | sed 's/+/ and /g'
}

# note_roles: what this machine is, also for a run after an --uninstall. What is installed stays; where nothing is, what an earlier
# installation was does not count any more.
note_roles() {
  local unit
  if ! manifest_list unit | grep -E "$OUR_SERVICES" >/dev/null; then
    for unit in $(manifest_list role); do forget role "$unit"; done
  fi
  [ -z "$GATEWAY_REBOOT" ] || manifest_add role techtemp-gateway.timer
  for unit in ${ROLE_DEVICE:+techtemp-device.service} ${ROLE_SERVER:+"$(server_unit)"} "${KEPT_SERVERS[@]}"; do
    if manifest_list role | grep -xF "$unit" >/dev/null; then continue; fi
    manifest_add role "$unit"
    on_undo "the role ${unit%.service} is not noted" forget role "$unit"
  done
}
