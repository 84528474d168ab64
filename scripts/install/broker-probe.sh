# shellcheck shell=bash
# Asks a running broker what it allows and what it forbids, with the real accounts and in MQTT 5: in 3.1.1 a message that the
# access list forbids is acknowledged as if it had been delivered.

# An empty batch: a server that hears it stores nothing, and nothing stays behind.
PROBE_PAYLOAD='[]'
# A device that there is not.
PROBE_STRANGER=techtemp-check
PROBE_SECONDS=15

# probe_trial: the copy, on its first listener. probe_live: the real one, until it is up or the time is over.
probe_trial() {
  probe_accounts 127.0.0.1 "${TRIAL_PORTS[0]}" || {
    printf '    | %s\n' "$PROBE_SAYS" >&2
    return 1
  }
}

probe_live() {
  local host second
  host=$(plain_host)
  for ((second = 0; second < PROBE_SECONDS; second++)); do
    if probe_accounts "$host" "$PLAIN_PORT"; then break; fi
    [ "$second" -lt "$((PROBE_SECONDS - 1))" ] || return 1
    sleep 1
  done
  [ -z "$TLS_DOOR" ] || probe_tls
}

# The home of this device, so that a check speaks where the device will.
home_here() {
  if [ -n "$HOME_ID" ]; then printf '%s' "$HOME_ID"; else ini_get "$CONFIG_DIR/device.conf" device home_id 2>/dev/null || printf home-001; fi
}

# Where the plain door is to be reached from this machine.
plain_host() { case $PLAIN_DOOR in *\ *[0-9]) printf '%s' "${PLAIN_DOOR##* }" ;; *) printf localhost ;; esac; }

# probe_accounts HOST PORT: sets PROBE_SAYS to what is wrong.
probe_accounts() {
  local host=$1 port=$2 folder home server=${SERVER_BROKER_USER-} server_password=${SERVER_BROKER_PASSWORD-}
  home=$(home_here)
  PROBE_SAYS=''
  if [ -n "${DEVICE_ACCOUNT_PASSWORD-}" ]; then
    folder=home/$home/sensors
    may_publish "$host" "$port" "$DEVICE_UID" "$DEVICE_ACCOUNT_PASSWORD" "$folder/$DEVICE_UID/backlog" ||
      says "device $DEVICE_UID may not send its readings: $PROBE_ANSWER" || return
    if may_publish "$host" "$port" "$DEVICE_UID" "$DEVICE_ACCOUNT_PASSWORD" "$folder/$PROBE_STRANGER/backlog"; then
      says "device $DEVICE_UID may speak for other devices too" || return
    fi
    hears "$host" "$port" "${server:-$DEVICE_UID}" "${server_password:-$DEVICE_ACCOUNT_PASSWORD}" \
      "$folder/$DEVICE_UID/backlog" "$DEVICE_UID" "$DEVICE_ACCOUNT_PASSWORD" ||
      says "what device $DEVICE_UID sends does not reach ${server:-it}: $PROBE_ANSWER" || return
  fi
  if [ -n "$server" ]; then
    if may_publish "$host" "$port" "$server" "$server_password" "home/$home/sensors/$PROBE_STRANGER/receipt"; then
      [ -z "$INSTANCE" ] || says "$server may tell devices that their readings are stored" || return
    elif [ -z "$INSTANCE" ]; then
      says "$server may not confirm readings: $PROBE_ANSWER" || return
    fi
    if may_publish "$host" "$port" "$server" "$server_password" "home/$home/sensors/$PROBE_STRANGER/reading"; then
      says "$server may send readings, as if it were a device" || return
    fi
  fi
  if may_connect "$host" "$port" '' ''; then says 'it accepts clients without a password' || return; fi
}

says() {
  PROBE_SAYS=$1
  return 1
}

# as ACCOUNT PASSWORD PROGRAM ARGUMENT...: mosquitto_pub or mosquitto_sub, with the password in a file instead of an argument.
as() {
  local account=$1 password=$2 program=$3 home status=0
  shift 3
  home=$(mktemp -d) || return
  [ -z "$account" ] || printf -- '-u %s\n-P %s\n' "$account" "$password" >"$home/$program"
  XDG_CONFIG_HOME=$home timeout 10 stdbuf -oL "$program" -V 5 -q 1 "$@" 2>&1 </dev/null || status=$?
  rm -rf "$home"
  return "$status"
}

# may_publish HOST PORT ACCOUNT PASSWORD TOPIC: mosquitto_pub ends with 0 for a refused message too; its words tell.
may_publish() {
  PROBE_ANSWER=$(as "$3" "$4" mosquitto_pub -h "$1" -p "$2" -t "$5" -m "$PROBE_PAYLOAD") || return
  [ -z "$PROBE_ANSWER" ]
}

# may_connect HOST PORT ACCOUNT PASSWORD [ARGUMENT...]
may_connect() {
  local host=$1 port=$2 account=$3 password=$4
  shift 4
  PROBE_ANSWER=$(as "$account" "$password" mosquitto_sub -h "$host" -p "$port" -t "home/+/sensors/$PROBE_STRANGER/status" -E "$@")
}

# hears HOST PORT LISTENER PASSWORD TOPIC SPEAKER PASSWORD: whether what the speaker says on TOPIC reaches the listener.
hears() {
  local heard status=0 listening waited
  heard=$(mktemp) || return
  as "$3" "$4" mosquitto_sub -h "$1" -p "$2" -t "$5" -C 1 -W 5 -d >"$heard" &
  listening=$!
  for ((waited = 0; waited < 50; waited++)); do
    if grep -q SUBACK "$heard" || ! kill -0 "$listening" 2>/dev/null; then break; fi
    sleep 0.1
  done
  may_publish "$1" "$2" "$6" "$7" "$5" || status=1
  wait "$listening" || status=1
  [ "$status" = 0 ] || PROBE_ANSWER=$(tail -n 1 "$heard")
  rm -f "$heard"
  return "$status"
}
