# shellcheck shell=bash
# The configuration of a server: /etc/techtemp/server.conf, or server-NAME.conf of a further instance. By the same rules as the
# agent's: written once, an option changes its own key, everything else stays to the byte.

# The port of the first server; further ones take the next that is free.
FIRST_HTTP_PORT=3000

server_name() { printf 'server%s' "${INSTANCE:+-$INSTANCE}"; }
server_config() { printf '%s/%s.conf' "$CONFIG_DIR" "$(server_name)"; }

write_server_config() {
  step "settings of the server${INSTANCE:+ $INSTANCE}"
  local place draft origin=new
  # At our own broker each server has an account of its own; at another one it uses what was given.
  local BROKER_HOST=${SERVER_BROKER_HOST:-$BROKER_HOST} BROKER_PORT=${SERVER_BROKER_PORT:-$BROKER_PORT}
  local BROKER_USER=${SERVER_BROKER_USER:-$BROKER_USER} BROKER_PASSWORD=${SERVER_BROKER_PASSWORD:-$BROKER_PASSWORD}
  place=$(server_config)
  DRAFTS=$(mktemp -d "$SCRATCH/server.XXXXXX")
  draft=$DRAFTS/server.conf
  if [ -e "$place" ]; then
    origin=existing
    cp "$place" "$draft" || fail "$place cannot be read"
  else
    cp "$(shipped_config server)" "$draft"
    chmod u+w "$draft"
    first_settings "$draft"
  fi
  apply_server_options "$draft" "$origin"
  check_draft server "$draft" "$place"
  put_config_in_place "$draft" "$place"
  store_password "$(server_name)" "$draft"
  tell_new_keys server "$place"
}

# What only a new configuration gets.
first_settings() {
  local draft=$1 zone
  # A day begins at midnight of the house, also if the machine is moved to UTC one day. A machine whose zone is not set yet also
  # reports UTC.
  zone=$(time_zone)
  case $zone in '' | UTC | Etc/UTC | Etc/UCT | Universal | Zulu) ;; *) set_option "$draft" new house time_zone "$zone" ;; esac
  [ -n "$HTTP_PORT" ] || set_option "$draft" new http port "$(next_http_port)"
  if [ -n "$INSTANCE" ]; then
    # A device forgets a reading as soon as any server has confirmed it: only the one that keeps the record may.
    set_option "$draft" new mqtt receipts no
    detail "it listens, but confirms nothing to the devices, so it can't take a reading from the server that keeps the record"
  fi
}

apply_server_options() { # DRAFT ORIGIN
  set_option "$@" mqtt broker_host "${BROKER_HOST-}"
  set_option "$@" mqtt broker_port "${BROKER_PORT-}"
  set_option "$@" mqtt username "${BROKER_USER-}"
  set_password_key "$1"
  [ -z "${BROKER_TLS-}" ] || set_option "$@" mqtt tls yes
  if [ -n "${BROKER_CA-}" ]; then
    provide_broker_ca
    set_option "$@" mqtt tls_ca_file "$BROKER_CA_FILE"
  fi
  set_option "$@" ingest registration "${REGISTRATION-}"
  set_option "$@" http port "${HTTP_PORT-}"
  if [ -n "${HTTP_HOST-}" ]; then
    set_option "$@" http host "$HTTP_HOST"
    # Open to the network it shows nothing and changes nothing without a token.
    case $HTTP_HOST in
    127.* | ::1 | localhost) ;;
    *) ini_get "$1" http reading >/dev/null || set_option "$@" http reading token ;;
    esac
  fi
}

time_zone() {
  local zone=''
  zone=$(timedatectl show -p Timezone --value 2>/dev/null) || zone=''
  # No timedatectl, or none that answers: what the link says.
  [[ $zone == */* || $zone == UTC ]] || zone=$(readlink -f /etc/localtime 2>/dev/null | sed -n 's|^.*/zoneinfo/||p')
  if [ -e "/usr/share/zoneinfo/$zone" ]; then printf '%s' "$zone"; fi
}

# The first port from FIRST_HTTP_PORT on that no program uses and no configuration of a server claims.
next_http_port() {
  local port=$FIRST_HTTP_PORT file claimed=''
  for file in "$CONFIG_DIR"/server.conf "$CONFIG_DIR"/server-*.conf; do
    if [ ! -e "$file" ]; then continue; fi
    claimed+=" $(ini_get "$file" http port || printf '%s' "$FIRST_HTTP_PORT") "
  done
  # The first server keeps its place, also when a further one comes before it.
  [ -z "$INSTANCE" ] || claimed+=" $FIRST_HTTP_PORT "
  while [[ $claimed == *" $port "* ]] || [ -n "$(listens_on "$port")" ]; do port=$((port + 1)); done
  printf '%s' "$port"
}
