# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by the other modules
# The command line, understood and judged as a whole before anything is touched. The names of the older TechTemp script work too.

# What takes a value, and what does not; the nearest of these is offered for a misspelt one.
OPTIONS_WITH_VALUE=(--broker --username --password-file --home --room --label --interval --bus --role --instance --bundle
  --health-seconds --tls-ca --broker-host --broker-port --read-interval --password --backend-host --backend-port --log-level
  --git-branch --listen --http-port --registration --add-device --add-server --add-reader --remove-account)
OPTIONS_WITHOUT=(--with-server --with-broker --dry-run --check --yes --uninstall --purge --rollback --version --help --force
  --no-watchdog --reboot-without-gateway --remove-build-tools --tls --skip-apt --non-interactive)

set_defaults() {
  ACTION='' TARGET='' SSH_KEY='' ROLE_DEVICE='' ROLE_SERVER='' WITH_BROKER='' INSTANCE='' BUNDLE_FILE=''
  BROKER_HOST='' BROKER_PORT='' BROKER_USER='' BROKER_PASSWORD='' BROKER_TLS='' BROKER_CA='' PASSWORD_FILE=''
  HOME_ID='' ROOM='' LABEL='' INTERVAL_SECONDS='' I2C_BUS=''
  ASSUME_YES='' DRY_RUN='' PURGE='' FORCE='' HEALTH_SECONDS=300 NO_WATCHDOG='' GATEWAY_REBOOT='' REMOVE_BUILD_TOOLS='' SKIP_APT=''
  ROLE='' GIVEN=() PASSED=() LOGGED_ARGUMENTS=''
  HTTP_HOST='' HTTP_PORT='' REGISTRATION='' ACCOUNT_KIND='' ACCOUNT_NAME=''
}

# parse_options ARGUMENT...: sets the variables above, or refuses.
parse_options() {
  local option value has_value
  set_defaults
  LOGGED_ARGUMENTS=$(without_secrets "$@")
  while [ $# -gt 0 ]; do
    option=$1 value='' has_value=''
    shift
    case $option in
    --*=*) value=${option#*=} option=${option%%=*} has_value=1 ;;&
    --*)
      if is_one_of "$option" "${OPTIONS_WITH_VALUE[@]}"; then
        if [ -z "$has_value" ] && [[ ${1-} != --* ]]; then
          value=${1-}
          shift || :
        fi
        [ -n "$value" ] || refuse "$option needs a value" "$option VALUE, or $option=VALUE where it begins with --"
        GIVEN+=("$option")
        # Files and secrets go another way than the command line to another machine.
        is_one_of "$option" --password --password-file --bundle --tls-ca || PASSED+=("$option=$value")
        take_value "$option" "$value"
      elif is_one_of "$option" "${OPTIONS_WITHOUT[@]}"; then
        [ -z "$has_value" ] || refuse "$option takes no value, but got \"$value\""
        GIVEN+=("$option")
        PASSED+=("$option")
        take_flag "$option"
      else
        refuse "there is no option $option" "did you mean $(nearest "$option" "${OPTIONS_WITH_VALUE[@]}" "${OPTIONS_WITHOUT[@]}")? --help lists all"
      fi
      ;;
    -y) GIVEN+=(--yes) && PASSED+=(--yes) && take_flag --yes ;;
    -h) GIVEN+=(--help) && take_flag --help ;;
    -i)
      [ -n "${1-}" ] || refuse '-i needs the file of an ssh key'
      SSH_KEY=$1
      shift
      ;;
    -*) refuse "there is no option $option" '--help lists all' ;;
    *) take_target "$option" ;;
    esac
  done
  finish_options
}

take_value() {
  local option=$1 value=$2
  case $value in *[[:cntrl:]]*) refuse "$option contains a line break or another control character" ;; esac
  case $option in
  --broker) split_broker "$value" ;;
  --broker-host) need_host "$option" "$value" && BROKER_HOST=$value ;;
  --broker-port) need_whole "$option" "$value" 1 65535 && BROKER_PORT=$value ;;
  --username) BROKER_USER=$value ;;
  --password-file) PASSWORD_FILE=$value ;;
  --password)
    BROKER_PASSWORD=$value
    say_early 'the password stands in the command line, where others on this machine can read it: TECHTEMP_PASSWORD or --password-file keep it out'
    ;;
  --tls-ca) BROKER_CA=$value BROKER_TLS=1 ;;
  --home) need_name "$option" "$value" && HOME_ID=$value ;;
  --room) ROOM=$value ;;
  --label) LABEL=$value ;;
  --interval | --read-interval) need_interval "$option" "$value" && INTERVAL_SECONDS=$value ;;
  --bus) need_bus "$option" "$value" ;;
  --role) need_role "$value" ;;
  --instance) need_instance "$option" "$value" && INSTANCE=$value ;;
  --bundle) BUNDLE_FILE=$value ;;
  --listen) need_host "$option" "$value" && HTTP_HOST=$value ;;
  --http-port) need_whole "$option" "$value" 1024 65535 && HTTP_PORT=$value ;;
  --registration) need_registration "$value" && REGISTRATION=$value ;;
  --add-device | --add-server | --add-reader | --remove-account)
    need_name "$option" "$value"
    [ -z "$ACTION" ] || refuse "$option and --$ACTION exclude each other" 'one after the other'
    ACTION=account ACCOUNT_KIND=${option#--add-} ACCOUNT_NAME=$value
    ;;
  --health-seconds) need_whole "$option" "$value" 10 86400 && HEALTH_SECONDS=$value ;;
  --backend-host | --backend-port) say_early "$option is not needed any more: a device makes itself known through the broker" ;;
  --git-branch) say_early "$option is not needed any more: what is installed is this release" ;;
  --log-level) say_early "$option is not taken any more: log_level stands in $CONFIG_DIR/device.conf, and takes effect when it is saved" ;;
  esac
}

take_flag() {
  case $1 in
  --with-server) ROLE_SERVER=1 ;;
  --with-broker) WITH_BROKER=1 ;;
  --tls) BROKER_TLS=1 ;;
  --dry-run) DRY_RUN=1 ;;
  --yes | --non-interactive) ASSUME_YES=1 ;;
  --purge) PURGE=1 ;;
  --force) FORCE=1 ;;
  --no-watchdog) NO_WATCHDOG=1 ;;
  --reboot-without-gateway) GATEWAY_REBOOT=1 ;;
  --remove-build-tools) REMOVE_BUILD_TOOLS=1 ;;
  --skip-apt) SKIP_APT=1 ;;
  --help | --version) ACTION=${1#--} ;;
  --check | --uninstall | --rollback)
    if [ -n "$ACTION" ] && [ "$ACTION" != "${1#--}" ]; then refuse "--$ACTION and $1 exclude each other" 'one after the other'; fi
    ACTION=${1#--}
    ;;
  esac
}

take_target() {
  local word=$1
  [ -z "$TARGET" ] || refuse "only one machine at a time: $TARGET and $word" 'call it once for each'
  if is_one_of "--$word" "${OPTIONS_WITH_VALUE[@]}" "${OPTIONS_WITHOUT[@]}"; then refuse "\"$word\" is no machine" "did you mean --$word?"; fi
  [[ $word =~ ^([A-Za-z0-9._-]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?$ ]] ||
    refuse "\"$word\" is no machine" 'user@host, or user@host:port'
  TARGET=$word
}

# What can only be judged together.
finish_options() {
  local option may_be_server
  case $ACTION in help | version) return 0 ;; esac
  ACTION=${ACTION:-install}
  [ -z "$PURGE" ] || [ "$ACTION" = uninstall ] || refuse '--purge removes data, so it needs --uninstall beside it'
  if [ "$ACTION" = account ]; then
    for option in "${GIVEN[@]}"; do
      is_one_of "$option" --add-device --add-server --add-reader --remove-account --dry-run --yes --non-interactive ||
        refuse "an account of the broker is added or removed alone, without $option"
    done
  elif [ "$ACTION" != install ]; then
    for option in "${GIVEN[@]}"; do
      is_one_of "$option" --check --uninstall --rollback --purge --yes --non-interactive --dry-run --force --health-seconds \
        --instance --skip-apt || refuse "--$ACTION takes no $option"
    done
  fi
  case $ROLE in
  device)
    [ -z "$ROLE_SERVER" ] || refuse '--role device and --with-server exclude each other' '--role all installs both'
    ROLE_DEVICE=1
    ;;
  server) ROLE_SERVER=1 ;;
  all) ROLE_DEVICE=1 ROLE_SERVER=1 ;;
  '') [ -z "$ROLE_SERVER" ] || ROLE_DEVICE=1 ;;
  esac
  if [ "$ACTION" = install ] && [ -z "$ROLE" ] && [ -z "$ROLE_SERVER" ]; then keep_roles; fi
  if [ -z "$ROLE_DEVICE" ]; then
    for option in "${GIVEN[@]}"; do
      if is_one_of "$option" --home --room --label --interval --read-interval --bus; then refuse "$option belongs to a device, which --role server leaves out" '--role all installs both'; fi
    done
  fi
  may_be_server=$ROLE_SERVER
  # What another machine is, it decides itself.
  if [ -n "$TARGET" ] && [ -z "$ROLE" ]; then may_be_server=1; fi
  if [ -n "$INSTANCE" ] && [ "$ACTION" = install ] && [ -z "$may_be_server" ]; then refuse '--instance names a server, but none is installed' 'add --role server, or --with-server for the device too'; fi
  if [ -n "$HTTP_HOST$HTTP_PORT$REGISTRATION" ] && [ "$ACTION" = install ] && [ -z "$may_be_server" ]; then refuse '--listen, --http-port and --registration belong to a server, but none is installed' 'add --with-server'; fi
  if [ -n "$WITH_BROKER" ]; then
    case $BROKER_HOST in
    '' | localhost | 127.0.0.1 | ::1) ;;
    *) refuse "--with-broker installs a broker here, but --broker names another one ($BROKER_HOST)" 'leave one of them out' ;;
    esac
    [ -z "$BROKER_CA" ] || refuse '--with-broker makes an authority of its own for TLS, so it takes no --tls-ca' '--tls alone'
  fi
  if [ -n "$PASSWORD_FILE" ] && [ -n "$BROKER_PASSWORD" ]; then refuse '--password and --password-file exclude each other'; fi
  if [ -n "$PASSWORD_FILE$BROKER_PASSWORD" ] && [ -z "$BROKER_USER$WITH_BROKER" ]; then refuse 'a password needs --username beside it'; fi
  [ -z "$PASSWORD_FILE" ] || [ "$PASSWORD_FILE" = - ] || need_file --password-file "$PASSWORD_FILE"
  [ -z "$BROKER_CA" ] || need_file --tls-ca "$BROKER_CA"
  [ -z "$BUNDLE_FILE" ] || need_file --bundle "$BUNDLE_FILE"
  # The port that is usual for TLS, where a broker but no port is named.
  if [ -n "$BROKER_TLS" ] && [ -n "$BROKER_HOST" ] && [ -z "$BROKER_PORT" ]; then BROKER_PORT=8883; fi
  [ -z "$SSH_KEY" ] || [ -n "$TARGET" ] || refuse '-i is for ssh, but no machine is named' './bootstrap-pi.sh -i KEYFILE pi@HOST'
}

print_help() { cat "$PROJECT_DIR/scripts/install/usage.txt"; }

# The version of the project, as package.json has it; without Node.js, which may not be there yet.
installer_version() { sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p;T;q' "$PROJECT_DIR/package.json"; }
