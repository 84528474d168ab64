# shellcheck shell=bash
# The last words: what is there now, and the commands that go with it.

summary() {
  local script=$INSTALL_DIR/current/bootstrap-pi.sh
  printf '\n'
  if [ -n "${DRY_RUN-}" ]; then
    say 'This was a dry run: nothing was changed.'
    return 0
  fi
  if [ "$CHANGES" = 0 ]; then say 'Nothing changed.'; else say "TechTemp${RELEASE_NAME:+ $RELEASE_NAME} is installed."; fi
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
  local home host port user reader
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
  [ -z "${FIRST_READING-}" ] || hint 'first reading' "$FIRST_READING"
  reader=(mosquitto_sub -h "$host" -p "$port")
  [ -z "$user" ] || reader+=(-u "$user" -P PASSWORD)
  if [ "$(setting_or "$DEVICE_CONFIG" mqtt tls no)" = yes ]; then
    reader+=(--cafile "$(setting_or "$DEVICE_CONFIG" mqtt tls_ca_file /etc/ssl/certs/ca-certificates.crt)")
  fi
  hint 'watch the readings' "$(printf '%q ' "${reader[@]}")-t 'home/+/sensors/+/reading' -v"
  hint 'settings' "sudoedit $DEVICE_CONFIG, in force when saved"
  hint '' 'sudo systemctl reload techtemp-device says so, or why not'
  hint 'log' 'sudo journalctl -u techtemp-device -f'
  hint 'the doctor' 'sudo techtemp-device check'
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
