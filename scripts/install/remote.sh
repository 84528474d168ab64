# shellcheck shell=bash
# The same installation on another machine: the bundle goes there over ssh, runs once, and is removed again. A password travels on
# the standard input, never in a command line; every answer comes from here, since nobody sits there.

run_remotely() {
  local host port='' root_command=() sudo_password='' status=0
  step "$TARGET"
  { has ssh && has tar; } || fail 'ssh is needed for another machine, and is not there' 'sudo apt install openssh-client'
  split_target
  # One connection for all that follows: who is asked for a passphrase is asked once.
  # shellcheck disable=SC2206 # several options, separated by spaces
  SSH=(ssh -o ControlMaster=auto -o "ControlPath=$SCRATCH/%C" -o ControlPersist=120 -o ConnectTimeout=20 -o ServerAliveInterval=15
    ${SSH_KEY:+-i "$SSH_KEY"} ${port:+-o "Port=$port"} ${TECHTEMP_SSH_OPTIONS-})
  can_ask || SSH+=(-o BatchMode=yes)
  connect
  on_undo "the connection to $TARGET closed" close_connection "$host"
  find_way_to_root
  { REMOTE_FOLDER=$(there -n "$host" 'umask 077; mktemp -d') && [[ $REMOTE_FOLDER == /*/tmp.?????????? ]]; } ||
    fail "no temporary folder could be made on $TARGET${REMOTE_FOLDER:+: $REMOTE_FOLDER}" 'is its disk full? does its shell say something at the start?'
  on_undo "$REMOTE_FOLDER on $TARGET removed" remove_remote_folder "$host" "$REMOTE_FOLDER"
  send_project
  run_there || status=$?
  # Takes back what was needed for the way only: the folder there, and the connection.
  undo_all 2>/dev/null
  trap - EXIT ERR
  [ "$status" = 0 ] || printf '\nfailed on %s with exit %s; its log there: %s\n' "$TARGET" "$status" "$LOG_FILE" >&2
  exit "$status"
}

# TARGET as user@host, user@host:port or user@[IPv6]:port; what ssh is given stands in `host` and `port` of the caller.
split_target() {
  host=$TARGET
  case $host in
  *\]:*) port=${host##*:} host=${host%:*} ;;
  *\]) ;;
  *:*) port=${host##*:} host=${host%:*} ;;
  esac
  host=${host/[/} host=${host/]/}
}

there() { "${SSH[@]}" "$@"; }

connect() {
  local words
  words=$(there -n "$host" true 2>&1) && return 0
  words=$(tail -n 1 <<<"$words")
  case $words in
  *'Permission denied'*) fail "$TARGET refuses this user: $words" 'ssh-copy-id, or name the key with -i KEYFILE; is the user name right?' ;;
  *'resolve'*) fail "the name of $TARGET is not known: $words" 'take its address, or NAME.local' ;;
  *'verification failed'*) fail "$TARGET shows another key than ssh knows, or ssh does not know it yet: $words" "ssh $host once, and look at the key" ;;
  *) fail "$TARGET can not be reached: $words" 'is it switched on, and ssh with it (sudo raspi-config, Interface Options)?' ;;
  esac
}
# Where ssh was told not to share connections there is none to close.
close_connection() { ssh -o "ControlPath=$SCRATCH/%C" -O exit "$1" || :; }
# Only what mktemp has made.
remove_remote_folder() {
  case $2 in /*/tmp.??????????) there -n "$1" "rm -rf $2 || sudo -n rm -rf $2" ;; *) return 1 ;; esac
}

# Sets root_command: nothing for root itself, sudo where it asks for nothing, else sudo with the password that is asked for here.
find_way_to_root() {
  local tries=3
  root_command=()
  [ "$(there -n "$host" id -u)" != 0 ] || return 0
  root_command=(sudo -n)
  if there -n "$host" sudo -n true 2>/dev/null; then return 0; fi
  can_ask || fail "sudo on $TARGET asks for a password, and there is no terminal here to ask for it" \
    'call this from a terminal, or allow it there without (NOPASSWD)'
  root_command=(sudo -S -p "''")
  while [ "$tries" -gt 0 ]; do
    IFS= read -r -s -p "Password of ${host%@*} for sudo on $TARGET: " sudo_password
    printf '\n'
    # Alone, so that a wrong one does not make sudo take the next line, which is the broker's password, for a second try.
    if there "$host" "sudo -k -S -p '' true" <<<"$sudo_password" 2>/dev/null; then return 0; fi
    tries=$((tries - 1))
  done
  fail "sudo on $TARGET did not take the password" 'may this user use sudo? (groups)'
}

# A bundle where one is given or can be made for that machine; else this folder, which is a bundle itself or is built there.
send_project() {
  local bundle=$BUNDLE_FILE
  if [ "$ACTION" = install ] && [ -z "$bundle$DRY_RUN" ] && [ ! -e "$PROJECT_DIR/RELEASE" ]; then make_bundle_for_target; fi
  if [ -n "$bundle" ]; then
    detail "sending $(basename "$bundle")"
    there "$host" "mkdir $REMOTE_FOLDER/project && tar -xzf - -C $REMOTE_FOLDER/project --strip-components=1" <"$bundle" ||
      fail "$bundle could not be unpacked on $TARGET" 'is it a bundle of "npm run bundle", and is there room in /tmp?'
  else
    detail 'sending this folder'
    project_files | tar -C "$PROJECT_DIR" --null -T - -czf - |
      there "$host" "mkdir $REMOTE_FOLDER/project && tar -xzf - -C $REMOTE_FOLDER/project" ||
      fail "the project could not be copied to $TARGET" 'is there room in /tmp?'
  fi
  [ -z "$BROKER_CA" ] || there "$host" "cat >$REMOTE_FOLDER/broker-ca.pem" <"$BROKER_CA" || fail "$BROKER_CA could not be copied to $TARGET"
}

# The native parts have to fit the processor there and the Node.js that it has or will have. Sets `bundle` of the caller where
# that can be made here.
make_bundle_for_target() {
  local architecture abis
  has npm && has node || return 0
  architecture=$(there -n "$host" dpkg --print-architecture) || return 0
  abis=$(there -n "$host" node -p process.versions.modules 2>/dev/null) || abis=115,127,137
  detail "making a bundle for $architecture (npm run bundle)"
  if (cd "$PROJECT_DIR" && npm run --silent bundle -- --incomplete --arch "$architecture" --abi "$abis" --out "$SCRATCH/bundle") >"$SCRATCH/bundle.log" 2>&1; then
    bundle=$(compgen -G "$SCRATCH/bundle/*.tar.gz")
  else
    warn "no bundle could be made here ($(tail -n 1 "$SCRATCH/bundle.log")); it is built on $TARGET, which takes longer"
  fi
}

# What belongs to the project, each name ended by a zero byte.
project_files() {
  if [ -e "$PROJECT_DIR/.git" ] && has git; then
    # What is not committed yet is meant too; what is deleted but still listed is not.
    (cd "$PROJECT_DIR" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
      [ ! -e "$file" ] || printf '%s\0' "$file"
    done)
  else
    (cd "$PROJECT_DIR" && find . -mindepth 1 -maxdepth 1 ! -name var ! -name bundle -print0)
  fi
}

run_there() {
  local arguments=("${PASSED[@]}") words
  [ -z "$BROKER_CA" ] || arguments+=("--tls-ca=$REMOTE_FOLDER/broker-ca.pem")
  [ -z "$BROKER_PASSWORD" ] || arguments+=(--password-file=-)
  words=$(printf ' %q' "${arguments[@]}")
  [ "${#arguments[@]}" -gt 0 ] || words=''
  detail "running there: bootstrap-pi.sh$words"
  {
    [ -z "$sudo_password" ] || printf '%s\n' "$sudo_password"
    [ -z "$BROKER_PASSWORD" ] || printf '%s\n' "$BROKER_PASSWORD"
  } | there "$host" "cd / && ${root_command[*]} bash $REMOTE_FOLDER/project/bootstrap-pi.sh$words"
}
