# shellcheck shell=bash
# Accounts at our broker for what runs on other machines: added with --add-device, --add-server and --add-reader, taken away with
# --remove-account. The password is shown once, with the command for the other machine.

# shellcheck disable=SC2034 # what is set here is read by broker.sh
change_account() {
  local is_new=1
  broker_is_ours || fail "this machine has no broker that was set up by $0 --with-broker" \
    'accounts of another Mosquitto are made with mosquitto_passwd, rights in its acl_file'
  FRAGMENTS_WRITTEN=() DEVICE_ACCOUNT_PASSWORD='' SERVER_BROKER_USER='' SERVER_BROKER_PASSWORD=''
  look_at_mosquitto
  decide_doors
  BROKER_DRAFT=$(mktemp -d "$SCRATCH/broker.XXXXXX")
  draft_accounts
  draft_fragments
  ! has_account "$ACCOUNT_NAME" || is_new=''
  if [ "$ACCOUNT_KIND" = --remove-account ]; then
    remove_account "$is_new"
    return
  fi
  step "account $ACCOUNT_NAME at the broker"
  [ "$ACCOUNT_KIND" != server ] || name_server_account
  ACCOUNT_PASSWORD=$(new_password)
  if [ -z "$is_new" ]; then
    is_used_here "$ACCOUNT_NAME" && fail "$ACCOUNT_NAME is the account of this machine's own service" 'it has its password already'
    confirm "$ACCOUNT_NAME has an account already. Give it another password?" ||
      fail "$ACCOUNT_NAME has an account already; nothing was changed" 'another password instead: the same with --yes'
  fi
  add_account "$ACCOUNT_KIND" "$ACCOUNT_NAME" "$ACCOUNT_PASSWORD"
  put_broker_in_force
  if [ -n "${DRY_RUN-}" ]; then return 0; fi
  may_connect "$(plain_host)" "$PLAIN_PORT" "$ACCOUNT_NAME" "$ACCOUNT_PASSWORD" ||
    fail "the broker does not let $ACCOUNT_NAME in: $PROBE_ANSWER" 'journalctl -u mosquitto says why'
  tell_account
}

# Further servers only listen; the one that keeps the record is techtemp-server.
name_server_account() {
  case $ACCOUNT_NAME in
  main | server) ACCOUNT_NAME=techtemp-server ;;
  techtemp-server | techtemp-server-*) ;;
  *) ACCOUNT_NAME=techtemp-server-$ACCOUNT_NAME ;;
  esac
}

is_used_here() {
  local file
  for file in "$CONFIG_DIR"/*.conf; do
    if [ -e "$file" ] && [ "$(ini_get "$file" mqtt username || :)" = "$1" ] && is_this_machine "$(ini_get "$file" mqtt broker_host || :)"; then return 0; fi
  done
  return 1
}

remove_account() {
  step "account $ACCOUNT_NAME at the broker is removed"
  if [ -n "$1" ]; then
    detail 'there is none of this name'
    return 0
  fi
  ! is_used_here "$ACCOUNT_NAME" || fail "$ACCOUNT_NAME is the account of this machine's own service" 'remove that first: --uninstall'
  without_account "$BROKER_DRAFT/techtemp.passwd" "$ACCOUNT_NAME" >"$BROKER_DRAFT/left"
  mv -f "$BROKER_DRAFT/left" "$BROKER_DRAFT/techtemp.passwd"
  revoke_rights "$ACCOUNT_NAME"
  put_broker_in_force
  # A reload lets those who are signed in go on.
  detail "who is connected with it stays so until its connection ends; sudo systemctl restart mosquitto ends all of them"
}

tell_account() {
  local host role=device tls=()
  host=$(hostname)
  case $PLAIN_DOOR in *\ localhost) host=$host.local ;; *) host=$(hostname -I 2>/dev/null | cut -d ' ' -f 1) ;; esac
  log_line "made the account $ACCOUNT_NAME and showed its password"
  # Not through detail(): the password must not stand in the log.
  printf '    %s\n' "user name  $ACCOUNT_NAME" "password   $ACCOUNT_PASSWORD   (shown this once)"
  if [ "$ACCOUNT_KIND" = reader ]; then
    printf '    %s\n' "for Home Assistant or mosquitto_sub; broker ${host:-$(hostname)}, port $PLAIN_PORT${TLS_DOOR:+, encrypted $TLS_DOOR}"
    return 0
  fi
  [ "$ACCOUNT_KIND" = device ] || role=server
  if [ -n "$TLS_DOOR" ]; then
    tls=(--broker "$(hostname).local:$TLS_DOOR" --tls-ca ca.crt)
    printf '    %s\n' "on that machine, with $(tls_dir)/ca.crt of this one beside it:"
  else
    tls=(--broker "${host:-$(hostname)}:$PLAIN_PORT")
    printf '    %s\n' 'on that machine:'
  fi
  printf '      sudo ./bootstrap-pi.sh --role %s %s --username %s\n' "$role" "${tls[*]}" "$ACCOUNT_NAME"
  [ "$ACCOUNT_KIND" != device ] || printf '    %s\n' "its device_uid has to be $ACCOUNT_NAME: the broker lets it speak under that name alone"
}
