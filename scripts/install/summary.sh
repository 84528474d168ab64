# shellcheck shell=bash
# The last words: what is there now, and the commands that go with it.

summary() {
  local script=$INSTALL_DIR/current/bootstrap-pi.sh
  printf '\n'
  if [ -n "${DRY_RUN-}" ]; then
    say 'This was a dry run: nothing was changed.'
    return 0
  fi
  if [ "$CHANGES" = 0 ]; then LAST_WORDS='Nothing changed.'; else LAST_WORDS="TechTemp${RELEASE_NAME:+ $RELEASE_NAME} is installed."; fi
  if [ -n "$UNSTORED" ]; then LAST_WORDS="${LAST_WORDS%.}, but readings are only kept on this machine: $UNSTORED"; fi
  say "$LAST_WORDS"
  [ -z "$UNSTORED" ] || remedy_for_unstored
  [ -z "${ROLE_DEVICE-}" ] || summarise_device
  [ -z "${ROLE_SERVER-}" ] || summarise_server
  ! broker_is_ours || summarise_broker "$script"
  say ''
  say 'Later'
  hint 'examine it' "sudo $script --check"
  hint 'upgrade' 'sudo ./bootstrap-pi.sh, in the folder of a newer release'
  hint 'the release before' "sudo $script --rollback"
  hint 'remove it' "sudo $script --uninstall"
  hint 'what was done' "$LOG_FILE"
  tell_reboot
}

hint() { detail "$(printf '%-20s %s' "$1" "$2")"; }

summarise_device() {
  local home host port user reader=() password=''
  home=$(setting_or "$DEVICE_CONFIG" device home_id home-001)
  host=$(setting_or "$DEVICE_CONFIG" mqtt broker_host localhost)
  port=$(setting_or "$DEVICE_CONFIG" mqtt broker_port 1883)
  user=$(setting_or "$DEVICE_CONFIG" mqtt username '')
  decide_device_uid
  say ''
  say 'Device'
  hint 'name' "$DEVICE_UID"
  hint 'topic' "home/$home/sensors/$DEVICE_UID/reading"
  hint 'broker' "$host:$port"
  if [ -n "${LATEST_READING-}" ]; then
    # Only what was started by this run had its first one now.
    if is_awaited techtemp-device.service; then hint 'first reading' "$LATEST_READING"; else hint 'latest reading' "$LATEST_READING"; fi
  fi
  reader=(mosquitto_sub -h "$host" -p "$port")
  if [ -n "$user" ]; then
    reader+=(-u "$user")
    # A shell of a person's own reads it: it stands on no screen and in no file that was not made for it.
    password=" -P \"\$($(password_reader))\""
  fi
  if [ "$(setting_or "$DEVICE_CONFIG" mqtt tls no)" = yes ]; then
    reader+=(--cafile "$(setting_or "$DEVICE_CONFIG" mqtt tls_ca_file /etc/ssl/certs/ca-certificates.crt)")
  fi
  if has mosquitto_sub; then
    # The account of a device hears its own folder alone.
    hint 'watch the readings' "$(printf '%q ' "${reader[@]}" | sed 's/ $//')$password -t $(printf '%q' "home/$home/sensors/$DEVICE_UID/reading") -v"
  fi
  hint 'settings' "sudoedit $DEVICE_CONFIG, in force when saved"
  hint '' 'sudo systemctl reload techtemp-device says so, or why not'
  hint 'log' 'sudo journalctl -u techtemp-device -f'
  hint 'the doctor' 'sudo techtemp-device check'
}

# password_reader: the command that prints the password of the agent's account, from where the agent has it.
password_reader() {
  local file
  if [ -n "$(setting_or "$DEVICE_CONFIG" mqtt password '')" ]; then
    printf "sudo sed -n 's/^ *password *= *//p' %q" "$DEVICE_CONFIG"
  else
    file=$(setting_or "$DEVICE_CONFIG" mqtt password_file '')
    printf 'sudo head -n 1 %q' "${file:-$CREDENTIAL_DIR/techtemp.mqtt-password}"
  fi
}

is_awaited() {
  local unit
  for unit in "${AWAITED[@]}"; do [ "$unit" != "$1" ] || return 0; done
  return 1
}

# What to do where readings pile up.
remedy_for_unstored() {
  if [ -e "$CONFIG_DIR/server.conf" ] && [ -z "$ROLE_SERVER" ] && ! manifest_list unit | grep -xF techtemp-server.service >/dev/null; then
    hint 'to do' "the settings of a server lie here ($CONFIG_DIR/server.conf); it is installed again by"
    hint '' 'sudo ./bootstrap-pi.sh --role all'
  else
    hint 'to do' 'look at the server that keeps the record: does it run, and is it signed in at the same broker?'
  fi
  hint '' 'sudo techtemp-device check says what is wrong, as far as it can be seen from here'
  hint '' "where there is no server any more: delivery = broker under [mqtt] in $DEVICE_CONFIG"
}

summarise_server() {
  local config name host port
  name=techtemp-server${INSTANCE:+@$INSTANCE}
  config=$CONFIG_DIR/server${INSTANCE:+-$INSTANCE}.conf
  host=$(setting_or "$config" http host 127.0.0.1)
  port=$(setting_or "$config" http port 3000)
  case $host in 0.0.0.0 | ::) host=$(hostname) ;; esac
  say ''
  say "Server${INSTANCE:+ $INSTANCE}"
  hint 'dashboard' "http://$host:$port/ (the API is explained at /docs)"
  case $host in 127.* | ::1 | localhost) hint '' "open to this machine alone; [http] host = 0.0.0.0 opens it to the network" ;; esac
  hint 'settings' "sudoedit $config"
  hint '' "sudo systemctl reload $name puts them in force, or says why not"
  hint 'log' "sudo journalctl -u $name -f"
  hint 'the doctor' "sudo techtemp-server check${INSTANCE:+ --config $config}"
}

summarise_broker() {
  local port secret=$CREDENTIAL_DIR/techtemp-server.mqtt-password
  port=$(sed -n 's/^listener  *\([0-9]*\).*/\1/p' "$MOSQUITTO_DIR/conf.d/techtemp-listener.conf" | head -n 1)
  say ''
  say 'Broker'
  hint 'a further device' "sudo $1 --add-device UID"
  hint 'Home Assistant' "sudo $1 --add-reader homeassistant"
  [ ! -e "$secret" ] ||
    hint 'watch all' "mosquitto_sub -p $port -u techtemp-server -P \"\$(sudo cat $secret)\" -t 'home/+/sensors/+/reading' -v"
  hint 'log' 'sudo journalctl -u mosquitto, and /var/log/mosquitto/mosquitto.log'
}

setting_or() { ini_get "$1" "$2" "$3" 2>/dev/null || printf '%s\n' "$4"; }

# What only a restart of the machine finishes, where a step said so.
tell_reboot() {
  [ -n "${REBOOT_NEEDED-}" ] || return 0
  say ''
  say "A restart of this machine is still needed: $REBOOT_NEEDED"
  hint 'then' 'sudo reboot'
}
