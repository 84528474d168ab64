# shellcheck shell=bash
# A token for the HTTP API, made once for each server, shown once, and never written down by us.

# create_token: for the server of this run, when it runs and none was made by an earlier run.
create_token() {
  local made answer secret status=0 name
  name=$(server_name)
  made=$RECORD_DIR/token-made-$name
  if [ "$(cat "$made" 2>/dev/null || :)" = "$(record_id)" ]; then return 0; fi
  step "token for the API of the server${INSTANCE:+ $INSTANCE}"
  # There is no terminal to show it on.
  if terminal_is_lost; then
    detail 'the terminal is gone, so the next call makes it and shows it'
    return 0
  fi
  if [ -n "${DRY_RUN-}" ]; then
    detail "\$ techtemp-server token create installer --scope write"
    return 0
  fi
  answer=$(server_command token create installer --scope write) || status=$?
  secret=$(printf '%s\n' "$answer" | grep -o 'ttk_[A-Za-z0-9_-]*' | head -n 1) || secret=''
  if [ "$status" != 0 ] || [ -z "$secret" ]; then
    warn "no token could be made: $answer"
    detail "later: sudo techtemp-server token create NAME --scope write"
    return 0
  fi
  record_id >"$made"
  CHANGES=$((CHANGES + 1))
  # Not through detail(): the secret must not stand in the log.
  printf '    %s\n' 'To change rooms or devices from another machine, you need this token. It is shown only this once:' '' "    $secret" ''
  log_line 'made a token for the API and showed it'
}

# Tells a record from the one that was there before a --purge. Never empty.
record_id() { stat -L -c 'folder %i of %W' "/var/lib/techtemp-$(server_name)" 2>/dev/null || printf 'elsewhere\n'; }

# server_command ARGUMENT...: techtemp-server as the running service would run it. Its record lies in a folder that only root
# and the user of its DynamicUser= can enter, and what root left in there would be closed to that user: so its user it is, and
# its view of the files.
server_command() {
  local unit pid ids
  unit=$(server_unit)
  pid=$(systemctl show -p MainPID --value "$unit")
  if [ "${pid:-0}" = 0 ]; then
    printf '%s does not run\n' "$unit"
    return 1
  fi
  mapfile -t ids < <(awk '$1 == "Uid:" || $1 == "Gid:" { print $3 }' "/proc/$pid/status")
  # The configuration is for the group techtemp.
  nsenter --target "$pid" --mount --root -- \
    setpriv --reuid="${ids[0]}" --regid="${ids[1]}" --groups="$(getent group techtemp | cut -d : -f 3)" -- \
    env -i -C / PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 "STATE_DIRECTORY=/var/lib/techtemp-$(server_name)" \
    node "$INSTALL_DIR/current/dist/techtemp-server.js" "$@" --config "$(server_config)" 2>&1 </dev/null
}
