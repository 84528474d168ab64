# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by the modules that write the configurations
# The broker on this machine. A Mosquitto that a person has configured is used as it is; otherwise ours is set up in files
# of our own: a door to the network, a password and a topic folder per device, limits that suit an outage. Tried in a copy
# first, probed afterwards, and put back as it was when the probe fails.

# Where the parts of our configuration are noted as we wrote them: what differs from it, somebody has edited.
BROKER_SUMS=$RECORD_DIR/broker.sums
TLS_PORT=8883
RELOAD_SECONDS=2

# Sets BROKER_HOST, BROKER_PORT, BROKER_USER, BROKER_PASSWORD for the device, and the same with SERVER_ before for the server.
provide_broker() {
  broker_is_wanted || return 0
  step 'MQTT broker on this machine'
  look_at_mosquitto
  case $MOSQUITTO_IS in
  theirs) use_their_broker ;;
  default)
    [ -z "$MOSQUITTO_RUNS" ] || ask_to_open
    provide_our_broker
    ;;
  *) provide_our_broker ;;
  esac
}

# With --with-broker; and without it if an earlier run has set up the broker of this machine and no option names another one: what
# is added here needs an account there.
broker_is_wanted() {
  if [ -n "$WITH_BROKER" ]; then return 0; fi
  broker_is_ours && [ -z "$BROKER_USER" ] && is_this_machine "$BROKER_HOST"
}
broker_is_ours() { [ -e "$MOSQUITTO_DIR/conf.d/techtemp-listener.conf" ]; }
is_this_machine() { case $1 in '' | localhost | 127.* | ::1) return 0 ;; *) return 1 ;; esac; }

# Mosquitto as installed serves the programs of this machine without a password. A door to the network ends that for all.
ask_to_open() {
  local count
  count=$(connected_to 1883)
  warn "Mosquitto runs here as installed: programs of this machine use it without a password ($count connected now)"
  detail 'With a door to the network it will ask everybody for one, those programs too, and it has to be restarted.'
  [ -z "$FORCE" ] || return 0
  if can_ask && confirm 'Set it up so?'; then return 0; fi
  fail 'the Mosquitto of this machine was left as it is' \
    '--force sets it up with passwords; or leave out --with-broker: this machine'"'"'s own agent and server can use it as it is'
}

provide_our_broker() {
  local parts=(mosquitto mosquitto-clients)
  FRAGMENTS_WRITTEN=() DEVICE_ACCOUNT_PASSWORD='' SERVER_BROKER_USER='' SERVER_BROKER_PASSWORD=''
  decide_doors
  check_doors_are_free
  [ -z "$TLS_DOOR" ] || parts+=(openssl)
  install_packages "${parts[@]}"
  [ -z "$ROLE_DEVICE" ] || decide_device_uid
  if ! has mosquitto; then
    # Only a dry run comes here without it.
    detail "then: listener on port $PLAIN_PORT, an account per device, limits of config/mosquitto/techtemp.conf; tried in a copy, probed"
    name_local_broker
    return 0
  fi
  BROKER_DRAFT=$(mktemp -d "$SCRATCH/broker.XXXXXX")
  draft_accounts
  own_accounts
  draft_fragments
  [ -z "$TLS_DOOR" ] || draft_certificates
  put_broker_in_force
  name_local_broker
}

# decide_doors: sets PLAIN_PORT, PLAIN_DOOR (what follows "listener") and TLS_DOOR (a port, or nothing). What is open stays open:
# devices use it.
decide_doors() {
  local fragment=$MOSQUITTO_DIR/conf.d/techtemp-listener.conf tls_fragment=$MOSQUITTO_DIR/conf.d/techtemp-tls.conf
  PLAIN_DOOR='' TLS_DOOR=''
  [ ! -r "$fragment" ] || PLAIN_DOOR=$(sed -n 's/^listener  *//p' "$fragment" | head -n 1)
  [ ! -r "$tls_fragment" ] || TLS_DOOR=$(sed -n 's/^listener  *//p' "$tls_fragment" | head -n 1)
  if [ -n "$BROKER_TLS" ]; then
    TLS_DOOR=${BROKER_PORT:-${TLS_DOOR:-$TLS_PORT}}
    # A person who asks for encryption does not want unencrypted passwords beside it; programs of this machine need no encryption.
    PLAIN_DOOR=${PLAIN_DOOR:-1883 localhost}
  elif [ -n "$BROKER_PORT" ] && [ "${PLAIN_DOOR%% *}" != "$BROKER_PORT" ]; then
    PLAIN_DOOR=$BROKER_PORT
  fi
  PLAIN_DOOR=${PLAIN_DOOR:-1883}
  PLAIN_PORT=${PLAIN_DOOR%% *}
  [ "$PLAIN_PORT" != "$TLS_DOOR" ] || fail "port $PLAIN_PORT can't be the encrypted and the plain door at once" 'give another --broker localhost:PORT'
}

check_doors_are_free() {
  local port who
  for port in "$PLAIN_PORT" ${TLS_DOOR:+"$TLS_DOOR"}; do
    who=$(listens_on "$port")
    case $who in '' | mosquitto\ *) continue ;; esac
    fail "port $port, where the broker would listen, is taken by $who" \
      'if that is a broker, such as one in a container: leave out --with-broker and say --broker localhost; else --broker localhost:PORT'
  done
}

draft_fragments() {
  local source=$PROJECT_DIR/config/mosquitto
  mkdir "$BROKER_DRAFT/conf.d"
  draft_fragment techtemp.conf <"$source/techtemp.conf"
  sed "s/@PORT@/$PLAIN_DOOR/" "$source/lan/techtemp-listener.conf" | draft_fragment techtemp-listener.conf
  [ -z "$TLS_DOOR" ] || sed "s/@PORT@/$TLS_DOOR/" "$source/lan/techtemp-tls.conf" | draft_fragment techtemp-tls.conf
}

# draft_fragment NAME < content: or the file as it is, where somebody has edited it since we wrote it.
draft_fragment() {
  local live=$MOSQUITTO_DIR/conf.d/$1
  cat >"$BROKER_DRAFT/conf.d/$1"
  if [ -e "$live" ] && ! cmp -s "$live" "$BROKER_DRAFT/conf.d/$1" && ! is_as_written "$live"; then
    detail "$live was edited here and stays as it is"
    cp "$live" "$BROKER_DRAFT/conf.d/$1"
  fi
}

is_as_written() { grep -xF -- "$(sha256sum "$1")" "$BROKER_SUMS" >/dev/null 2>&1; }

# put_broker_in_force: where the drafts differ from what is there, they are tried and take their place. Then the broker is
# probed, also when nothing differs: what an earlier run has left half-way shows itself.
put_broker_in_force() {
  local needs before=${#UNDO[@]}
  needs=$(needed_for_drafts)
  if [ -n "${DRY_RUN-}" ]; then
    install_drafts
    [ -z "$needs" ] || detail "\$ systemctl $needs mosquitto"
    return 0
  fi
  if [ -n "$needs" ]; then
    try_configuration "$BROKER_DRAFT" probe_trial ||
      fail 'Mosquitto does not accept the new configuration (see above); it is not in force' \
        "look at what stands in $MOSQUITTO_DIR, and at $LOG_FILE"
    on_undo 'Mosquitto runs as before' restart_as_before "$MOSQUITTO_RUNS"
    install_drafts
  fi
  systemctl is-enabled --quiet mosquitto || run systemctl enable mosquitto || warn 'mosquitto.service could not be enabled'
  case $needs in
  restart) restart_broker ;;
  reload)
    run systemctl reload mosquitto || fail 'Mosquitto did not reload its configuration' 'journalctl -u mosquitto'
    # Only a signal: it is asked ten times a second whether there was one, and until then the old rules would be probed.
    sleep "$RELOAD_SECONDS"
    ;;
  *) systemctl is-active --quiet mosquitto || restart_broker ;;
  esac
  probe_live || fail "the broker runs, but $PROBE_SAYS" "look at $(setting log_dest | sed 's/^file *//') and journalctl -u mosquitto"
  note_sums
  # What serves other devices from now on is not taken away when a later step fails; what was done before it, is.
  UNDO=("${UNDO[@]:0:before}")
}

# restart, reload or nothing. A reload opens no port and closes none.
needed_for_drafts() {
  local name needs=''
  for name in techtemp.passwd techtemp.acl conf.d/techtemp.conf; do
    cmp -s "$BROKER_DRAFT/$name" "$MOSQUITTO_DIR/$name" || needs=reload
  done
  for name in ${TLS_DOOR:+techtemp-tls/broker.crt techtemp-tls/broker.key}; do
    cmp -s "$BROKER_DRAFT/$name" "$MOSQUITTO_DIR/$name" || needs=reload
  done
  for name in conf.d/techtemp-listener.conf ${TLS_DOOR:+conf.d/techtemp-tls.conf}; do
    cmp -s "$BROKER_DRAFT/$name" "$MOSQUITTO_DIR/$name" || needs=restart
  done
  printf '%s' "$needs"
}

install_drafts() {
  local file name
  # Secrets before what refers to them.
  for name in techtemp.passwd techtemp.acl; do
    install_copy "$BROKER_DRAFT/$name" "$MOSQUITTO_DIR/$name" 0600 "$MOSQUITTO_USER:$MOSQUITTO_USER" || :
  done
  [ -z "$TLS_DOOR" ] || install_certificates
  for file in "$BROKER_DRAFT"/conf.d/*.conf; do
    name=${file##*/}
    if install_copy "$file" "$MOSQUITTO_DIR/conf.d/$name" 0644 root:root; then FRAGMENTS_WRITTEN+=("$name"); fi
  done
}

restart_broker() {
  local count
  count=$(connected_to "$PLAIN_PORT")
  [ "$count" = 0 ] || detail "Mosquitto is restarted, since only that opens a port; $count connected programs will have to connect again"
  run systemctl restart mosquitto || fail 'Mosquitto did not start with the new configuration' 'journalctl -u mosquitto says why'
  changed 'restarted Mosquitto'
}

restart_as_before() { if [ -n "$1" ]; then systemctl restart mosquitto; else systemctl stop mosquitto; fi; }

# What was edited here keeps having no note.
note_sums() {
  local name live
  mkdir -p "$RECORD_DIR"
  # Ours by their names, also where the note of an earlier run was lost.
  for name in techtemp.passwd techtemp.acl "${OUR_FRAGMENTS[@]/#/conf.d/}"; do
    [ ! -e "$MOSQUITTO_DIR/$name" ] || manifest_add file "$MOSQUITTO_DIR/$name"
  done
  for name in "${OUR_FRAGMENTS[@]}"; do
    live=$MOSQUITTO_DIR/conf.d/$name
    if [ -e "$live" ] && { [[ " ${FRAGMENTS_WRITTEN[*]} " == *" $name "* ]] || is_as_written "$live"; }; then sha256sum "$live"; fi
  done >"$BROKER_SUMS.new"
  if cmp -s "$BROKER_SUMS.new" "$BROKER_SUMS"; then rm -f "$BROKER_SUMS.new"; else mv -f "$BROKER_SUMS.new" "$BROKER_SUMS"; fi
}

# For the modules that write the configurations. Programs of this machine need no encryption to speak with each other.
name_local_broker() {
  SERVER_BROKER_HOST='' SERVER_BROKER_PORT=''
  # In an upgrade without a word about the broker, a file that leads here already keeps its spelling.
  if [ -n "$SERVER_BROKER_USER" ] && { [ -n "$WITH_BROKER" ] || [ ! -e "$(server_config)" ]; }; then
    SERVER_BROKER_HOST=localhost SERVER_BROKER_PORT=$PLAIN_PORT
  fi
  BROKER_TLS=''
  if [ -z "$DEVICE_ACCOUNT_PASSWORD" ]; then
    BROKER_HOST='' BROKER_PORT='' BROKER_USER='' BROKER_PASSWORD=''
    return 0
  fi
  [ -z "$BROKER_USER" ] || [ "$BROKER_USER" = "$DEVICE_UID" ] ||
    warn "the account of a device at this broker is its uid, $DEVICE_UID; --username $BROKER_USER is not used"
  BROKER_USER=$DEVICE_UID BROKER_PASSWORD=$DEVICE_ACCOUNT_PASSWORD
  if [ -n "$WITH_BROKER" ] || [ ! -e "$CONFIG_DIR/device.conf" ]; then BROKER_HOST=localhost BROKER_PORT=$PLAIN_PORT; fi
}
