# shellcheck shell=bash
# Tries a configuration of Mosquitto before it counts: a copy of everything that would be in force, on free ports of this machine
# alone, without its database, its log and its bridges. Mosquitto's own --test-config is not used: on a configuration with
# persistence it overwrites the live database with an empty one (2.1, https://github.com/eclipse-mosquitto/mosquitto/issues/3712).

MOSQUITTO_USER=mosquitto
TRIAL_SECONDS=60
# What start_trial says when another program was quicker.
PORT_TAKEN=98

# try_configuration DRAFT [COMMAND...]: DRAFT holds files that will replace or join those in MOSQUITTO_DIR, by the same names.
# Starts the copy, and the command beside it, which finds the ports of the listeners in TRIAL_PORTS. Fails when either does,
# with Mosquitto's own words. Called as a condition, so each step says itself how it went.
try_configuration() {
  local draft=$1 attempt status=1
  shift
  # Another program may take a port between our look and the start.
  for ((attempt = 0; attempt < 3; attempt++)); do
    # The user of the broker passes through here to its copy, and sees nothing else.
    chmod 0711 "$SCRATCH"
    TRIAL=$(mktemp -d "$SCRATCH/trial.XXXXXX") TRIAL_PORTS=() status=0
    { copy_for_trial "$draft" && start_trial "$@"; } || status=$?
    rm -rf "$TRIAL"
    if [ "$status" != "$PORT_TAKEN" ]; then break; fi
  done
  return "$status"
}

# --- the copy

copy_for_trial() {
  local draft=$1
  mkdir "$TRIAL/live" "$TRIAL/copy" || return
  cp -a "$MOSQUITTO_DIR/." "$TRIAL/live/" && cp -a "$draft/." "$TRIAL/live/" || return
  TRIAL_FILES=0
  copy_settings "$MOSQUITTO_DIR/mosquitto.conf" "$TRIAL/copy/mosquitto.conf" || return
  printf 'log_dest stderr\n' >>"$TRIAL/copy/mosquitto.conf"
  # 2.0.16 and later want the secrets to belong to the user who reads them.
  chmod 0700 "$TRIAL/copy" && chmod 0711 "$TRIAL" && chown -R "$MOSQUITTO_USER:$MOSQUITTO_USER" "$TRIAL/copy"
}

# Where the draft's version of a file is, or the file itself.
drafted() {
  local path=$1
  case $path in "$MOSQUITTO_DIR"/*) path=$TRIAL/live/${path#"$MOSQUITTO_DIR"/} ;; esac
  printf '%s' "$path"
}

# copy_settings FILE COPY: line for line, so that a complaint about line 7 means line 7.
copy_settings() {
  local file=$1 copy=$2 line word value fragment into
  while IFS= read -r line || [ -n "$line" ]; do
    line=$(trimmed "$line")
    word=${line%%[[:space:]]*} value=$(trimmed "${line#"$word"}")
    case $word in
    listener | port)
      take_free_port
      line="listener $FREE_PORT 127.0.0.1"
      ;;
    include_dir)
      TRIAL_FILES=$((TRIAL_FILES + 1))
      into=$TRIAL/copy/$TRIAL_FILES
      line="include_dir $into"
      mkdir "$into" || return
      for fragment in "$(drafted "$value")"/*.conf; do
        [ ! -e "$fragment" ] || copy_settings "$fragment" "$into/${fragment##*/}" || return
      done
      ;;
    password_file | acl_file | psk_file | certfile | keyfile | cafile | crlfile | dhparamfile)
      TRIAL_FILES=$((TRIAL_FILES + 1))
      cp -L "$(drafted "$value")" "$TRIAL/copy/$TRIAL_FILES" || return
      chmod 0600 "$TRIAL/copy/$TRIAL_FILES"
      line="$word $TRIAL/copy/$TRIAL_FILES"
      ;;
    # Nothing that reaches beyond the copy: its database, its log, other brokers, plug-ins with files of their own.
    persistence | persistence_file | persistence_location | log_* | pid_file | user | bind_* | socket_domain | \
      connection | address | addresses | topic | bridge_* | remote_* | local_* | start_type | try_private | notification* | \
      restart_timeout | round_robin | cleansession | keepalive_interval | idle_timeout | threshold | lazy_* | username | password | \
      plugin* | auth_plugin* | auth_opt_* | global_plugin*)
      line="# left out: $word"
      ;;
    esac
    printf '%s\n' "$line"
  done <"$file" >"$copy"
}

# Sets FREE_PORT: one on which no program listens, and that this trial has not taken yet.
take_free_port() {
  while :; do
    FREE_PORT=$((20000 + (RANDOM % 12000)))
    [[ " ${TRIAL_PORTS[*]-} " != *" $FREE_PORT "* ]] || continue
    [ -n "$(ss -Hltn "sport = :$FREE_PORT" 2>/dev/null)" ] || break
  done
  TRIAL_PORTS+=("$FREE_PORT")
}

# --- running it

start_trial() {
  local log=$TRIAL/log pid status=0 waited
  # Made here: the other process may come to open it only after the first look.
  : >"$log"
  # When the installer is interrupted, it must not go on running.
  timeout "$TRIAL_SECONDS" setpriv --reuid="$MOSQUITTO_USER" --regid="$MOSQUITTO_USER" --init-groups \
    mosquitto -c "$TRIAL/copy/mosquitto.conf" >>"$log" 2>&1 &
  pid=$!
  for ((waited = 0; waited < 100; waited++)); do
    if ! kill -0 "$pid" 2>/dev/null || grep -q ' running$' "$log"; then break; fi
    sleep 0.1
  done
  if kill -0 "$pid" 2>/dev/null; then
    [ "$#" = 0 ] || "$@" || status=1
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
    return "$status"
  fi
  wait "$pid" 2>/dev/null || :
  ! grep -q 'Address already in use' "$log" || return "$PORT_TAKEN"
  # Its own words, with the names that the files have in the configuration.
  grep -v ' starting$' "$log" | sed "s|$TRIAL/copy/[0-9]*/||g; s|$TRIAL/copy/||g; s/^[0-9]*: //; s/^/    | /" >&2
  return 1
}
