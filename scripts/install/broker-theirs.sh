# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by the modules that write the configurations
# A Mosquitto that somebody else has set up on this machine: looked at, signed in to, and told what it lacks. Not one of its
# settings is changed, it is neither restarted nor reloaded; all that is added is a limit that it has not set, for its next start.

# A day of one reading in 30 seconds from seven devices; its own default drops what exceeds 1000.
ENOUGH_QUEUED=20000

use_their_broker() {
  local reach found
  found=$(their_settings | cut -d : -f 1 | sort -u | paste -sd ' ')
  say "    Mosquitto is set up here already, in $found; it is used as it is"
  [ -n "$MOSQUITTO_RUNS" ] || [ -n "${DRY_RUN-}" ] ||
    fail 'the Mosquitto of this machine is set up, but not running' 'sudo systemctl enable --now mosquitto, when its owner agrees; then run this again'
  choose_their_door
  [ "$THEIR_KIND" != none ] || fail "no door of the Mosquitto of this machine takes plain MQTT from here ($(listeners | paste -sd ';'))" \
    "leave out --with-broker and name it: --broker HOST:PORT, --tls-ca FILE"
  reach="port $THEIR_PORT"
  if [ "$THEIR_SCOPE" = here ]; then
    warn "it serves this machine alone; a Pi elsewhere in the house can't reach it. Opening it is its owner's decision: listener 1883, in its own files"
  fi
  install_packages mosquitto-clients
  BROKER_HOST=${BROKER_HOST:-localhost} BROKER_PORT=$THEIR_PORT
  if [ -z "${DRY_RUN-}" ]; then sign_in_there "$reach"; fi
  raise_their_queue
}

# Sets THEIR_PORT, THEIR_SCOPE (lan or here) and THEIR_KIND (mqtt, or none): the port that was asked for, else one for all, else
# one for this machine.
choose_their_door() {
  local port scope kind
  THEIR_PORT='' THEIR_SCOPE='' THEIR_KIND=none
  if is_local_only; then
    THEIR_PORT=1883 THEIR_SCOPE=here THEIR_KIND=mqtt
    return 0
  fi
  while read -r port scope kind; do
    [ "$kind" = mqtt ] || continue
    if [ -n "$BROKER_PORT" ] && [ "$port" != "$BROKER_PORT" ]; then continue; fi
    if [ -z "$THEIR_PORT" ] || { [ "$scope" = lan ] && [ "$THEIR_SCOPE" = here ]; }; then
      THEIR_PORT=$port THEIR_SCOPE=$scope THEIR_KIND=mqtt
    fi
  done < <(listeners)
}

# With the account that was given, that a configuration has already, or with none.
sign_in_there() {
  local account=$BROKER_USER password=$BROKER_PASSWORD folder config=$CONFIG_DIR/device.conf
  if [ -z "$account" ] && [ -e "$config" ]; then
    account=$(ini_get "$config" mqtt username) || account=''
    password=$(password_in_use "$account" "$config" "$CREDENTIAL_DIR/techtemp.mqtt-password")
  fi
  may_connect localhost "$THEIR_PORT" "$account" "$password" || {
    [ -n "$account" ] || fail "the Mosquitto of this machine ($1) asks for a user name and a password" \
      "$(their_account_commands); then run this again with --username ${DEVICE_UID:-NAME} and its password in TECHTEMP_PASSWORD"
    fail "the Mosquitto of this machine ($1) does not let $account in: $PROBE_ANSWER" 'give the right --username and TECHTEMP_PASSWORD'
  }
  if [ -z "$account" ]; then detail "$1, without a password: every program that reaches it may read and write"; else detail "$1, as $account"; fi
  [ -n "$ROLE_DEVICE" ] || return 0
  decide_device_uid
  folder=home/$(home_here)/sensors/$DEVICE_UID
  hears localhost "$THEIR_PORT" "$account" "$password" "$folder/backlog" "$account" "$password" ||
    fail "the access list of the Mosquitto of this machine does not let ${account:-an anonymous device} speak and listen below $folder: $PROBE_ANSWER" \
      "add to its acl_file, below user ${account:-(none)}: topic readwrite $folder/#, topic read techtemp/server/+"
}

their_account_commands() {
  local file
  file=$(setting password_file)
  if [ -n "$file" ]; then
    printf 'its owner adds one with: sudo mosquitto_passwd %s %s && sudo systemctl reload mosquitto' "$file" "${DEVICE_UID:-NAME}"
  else
    printf 'its owner has to add one, in the way in which it keeps them'
  fi
}

raise_their_queue() {
  local queued fragment=$MOSQUITTO_DIR/conf.d/techtemp.conf
  queued=$(setting max_queued_messages)
  if [ -n "$queued" ]; then
    if [ "$queued" != 0 ] && [ "$queued" -lt "$ENOUGH_QUEUED" ] && [ ! -e "$fragment" ]; then
      detail "it keeps $queued messages for a server that is away, and drops what comes beyond; the devices send that again"
    fi
    return 0
  fi
  effective_settings | grep -F "include_dir $MOSQUITTO_DIR/conf.d" >/dev/null || return 0
  BROKER_DRAFT=$(mktemp -d "$SCRATCH/broker.XXXXXX")
  mkdir "$BROKER_DRAFT/conf.d"
  {
    printf '# TechTemp: what Mosquitto keeps for a server that is away. Its own default is 1000 messages, and what exceeds them is dropped\n'
    printf '# without a word. Everything else stays as its owner has set it.\n'
    grep -E '^max_queued_(messages|bytes) ' "$PROJECT_DIR/config/mosquitto/techtemp.conf"
  } >"$BROKER_DRAFT/conf.d/techtemp.conf"
  if [ -z "${DRY_RUN-}" ] && ! try_configuration "$BROKER_DRAFT"; then
    warn 'Mosquitto would not start with a longer queue (see above), so its settings stay as they are'
    return 0
  fi
  ! install_copy "$BROKER_DRAFT/conf.d/techtemp.conf" "$fragment" 0644 root:root ||
    detail 'a longer queue for a server that is away; in force from its next start, which is left to you'
}
