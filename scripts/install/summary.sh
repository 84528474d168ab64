# shellcheck shell=bash
# The last words: what is there now, and the commands that go with it.

summary() {
  printf '\n'
  if [ -n "${DRY_RUN-}" ]; then
    say 'This was a dry run: nothing was changed.'
    return 0
  fi
  if [ "$CHANGES" = 0 ]; then say 'Nothing changed.'; else say "TechTemp ${RELEASE_NAME-} is installed."; fi
  [ -z "${ROLE_DEVICE-}" ] || summarise_device
  [ -z "${ROLE_SERVER-}" ] || summarise_server
  say ''
  say 'Later'
  hint 'sudo ./bootstrap-pi.sh --check' 'examine everything, with remedies'
  hint 'sudo ./bootstrap-pi.sh' 'upgrade, from the folder of a newer release'
  hint 'sudo ./bootstrap-pi.sh --rollback' 'back to the release before'
  hint 'sudo ./bootstrap-pi.sh --uninstall' 'remove it; readings and settings stay'
  detail "bootstrap-pi.sh is kept in $INSTALL_DIR/current, what it did in $LOG_FILE"
  tell_reboot
}

hint() { detail "$(printf '%-58s %s' "$1" "${2-}")"; }

summarise_device() {
  local home host port user reader words=''
  home=$(setting_or "$DEVICE_CONFIG" device home_id home-001)
  host=$(setting_or "$DEVICE_CONFIG" mqtt broker_host localhost)
  port=$(setting_or "$DEVICE_CONFIG" mqtt broker_port 1883)
  user=$(setting_or "$DEVICE_CONFIG" mqtt username '')
  decide_device_uid
  say ''
  say 'Device'
  detail "name       $DEVICE_UID"
  detail "topic      home/$home/sensors/$DEVICE_UID/reading"
  detail "broker     $host:$port"
  [ -z "${FIRST_READING-}" ] || detail "reading    $FIRST_READING"
  reader=(mosquitto_sub -h "$host" -p "$port")
  [ -z "$user" ] || reader+=(-u "$user" -P PASSWORD)
  if [ "$(setting_or "$DEVICE_CONFIG" mqtt tls no)" = yes ]; then
    reader+=(--cafile "$(setting_or "$DEVICE_CONFIG" mqtt tls_ca_file /etc/ssl/certs/ca-certificates.crt)")
  fi
  words="$(printf '%q ' "${reader[@]}")-t 'home/+/sensors/+/reading' -v"
  hint "$words" 'watch the readings'
  hint "sudoedit $DEVICE_CONFIG" 'settings; in force when saved'
  hint 'sudo systemctl reload techtemp-device' 'in force now, or the reason why not'
  hint 'sudo journalctl -u techtemp-device -f' 'its log'
  hint "sudo node $INSTALL_DIR/current/dist/techtemp-device.js check" 'the doctor'
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
  hint "http://$host:$port/" 'dashboard; the API is explained at /docs'
  hint "sudoedit $config" 'settings'
  hint "sudo systemctl reload $name" 'in force now, or the reason why not'
  hint "sudo journalctl -u $name -f" 'its log'
}

setting_or() { ini_get "$1" "$2" "$3" 2>/dev/null || printf '%s\n' "$4"; }

# What only a reboot finishes, where a step said so.
tell_reboot() {
  [ -n "${REBOOT_NEEDED-}" ] || return 0
  say ''
  say "A restart of this machine is still needed: $REBOOT_NEEDED"
  detail 'sudo reboot'
}
