# shellcheck shell=bash
# The same installation on another machine: the bundle goes there over ssh, runs once, and is removed again. A password travels on
# the standard input, never in a command line; every answer comes from here, because no person sits there.

run_remotely() {
  local status=0
  step "$TARGET"
  { has ssh && has tar; } || fail 'ssh is needed for another machine, and is not there' 'sudo apt install openssh-client'
  split_target
  # One connection for all that follows: who is asked for a passphrase is asked once.
  # shellcheck disable=SC2206 # several options, separated by spaces
  SSH=(ssh -o ControlMaster=auto -o "ControlPath=$SCRATCH/%C" -o ControlPersist=120 -o ConnectTimeout=20 -o ServerAliveInterval=15
    ${SSH_KEY:+-i "$SSH_KEY"} ${PORT:+-o "Port=$PORT"} ${TECHTEMP_SSH_OPTIONS-})
  can_ask || SSH+=(-o BatchMode=yes)
  connect
  on_undo "the connection to $TARGET closed" close_connection "$HOST"
  find_way_to_root
  { REMOTE_FOLDER=$(there -n "$HOST" 'umask 077; mktemp -d') && [[ $REMOTE_FOLDER == /*/tmp.?????????? ]]; } ||
    fail "no temporary folder could be made on $TARGET${REMOTE_FOLDER:+: $REMOTE_FOLDER}" 'is its disk full? does its shell say something at the start?'
  on_undo "$REMOTE_FOLDER on $TARGET removed" remove_remote_folder "$HOST" "$REMOTE_FOLDER"
  send_project
  # What has begun there goes on without us, and needs its folder: it removes that itself.
  UNDO=("${UNDO[@]:0:${#UNDO[@]}-1}")
  trap 'leave_it_running' INT TERM HUP PIPE
  run_there || status=$?
  # 129 and 143: what waited for it there was ended, as by an sshd that ends.
  case $status in "$SSH_FAILED" | 129 | 143) leave_it_running ;; esac
  # What does not go on by itself, such as a dry run, has left the folder.
  remove_remote_folder "$HOST" "$REMOTE_FOLDER" 2>/dev/null || :
  undo_all 2>/dev/null
  trap - EXIT ERR
  [ "$status" = 0 ] || [ "$status" = "$NOT_STORED" ] ||
    printf '\nfailed on %s with exit %s; its log there: %s\n' "$TARGET" "$status" "$LOG_FILE" >&2
  exit "$status"
}

# ssh's own exit status: the connection could not be made, or was lost.
SSH_FAILED=255

leave_it_running() {
  trap - EXIT ERR
  trap '' INT TERM HUP PIPE
  undo_all 2>/dev/null
  printf '\nthe connection to %s has ended; what has begun there goes on\n' "$TARGET" >&2 || :
  printf 'to do:  %s\n' "the same command again says how it stands, or how it ended; its log there: sudo tail -f $LOG_FILE" >&2 || :
  exit "$SSH_FAILED"
}

# TARGET as user@host, user@host:port or user@[IPv6]:port: sets HOST and PORT, as ssh is given them.
split_target() {
  local host=$TARGET port=''
  case $host in
  *\]:*) port=${host##*:} host=${host%:*} ;;
  *\]) ;;
  *:*) port=${host##*:} host=${host%:*} ;;
  esac
  HOST=${host/[/} PORT=$port
  HOST=${HOST/]/}
}

there() { "${SSH[@]}" "$@"; }

connect() {
  local words
  words=$(there -n "$HOST" true 2>&1) && return 0
  words=$(tail -n 1 <<<"$words")
  case $words in
  *'Permission denied'*) fail "$TARGET refuses this user: $words" 'ssh-copy-id, or name the key with -i KEYFILE; is the user name right?' ;;
  *'resolve'*) fail "the name of $TARGET is not known: $words" 'take its address, or NAME.local' ;;
  *'verification failed'*) fail "$TARGET shows another key than ssh knows, or ssh does not know it yet: $words" "ssh $HOST once, and look at the key" ;;
  *) fail "$TARGET can not be reached: $words" 'is it switched on, and ssh with it (sudo raspi-config, Interface Options)?' ;;
  esac
}
# Where ssh was told not to share connections there is none to close.
close_connection() { ssh -o "ControlPath=$SCRATCH/%C" -O exit "$1" || :; }
# Only what mktemp has made.
remove_remote_folder() {
  case $2 in /*/tmp.??????????) there -n "$1" "rm -rf $2 || sudo -n rm -rf $2" ;; *) return 1 ;; esac
}

# Sets ROOT_COMMAND and SUDO_PASSWORD: no command for root itself, sudo where it asks for nothing, else sudo with the password that
# is asked for here.
find_way_to_root() {
  local tries=3
  ROOT_COMMAND=() SUDO_PASSWORD=''
  [ "$(there -n "$HOST" id -u)" != 0 ] || return 0
  ROOT_COMMAND=(sudo -n)
  if there -n "$HOST" sudo -n true 2>/dev/null; then return 0; fi
  can_ask || fail "sudo on $TARGET asks for a password, and there is no terminal here to ask for it" \
    'call this from a terminal, or allow it there without (NOPASSWD)'
  ROOT_COMMAND=(sudo -S -p "''")
  while [ "$tries" -gt 0 ]; do
    IFS= read -r -s -p "Password of ${HOST%@*} for sudo on $TARGET: " SUDO_PASSWORD
    printf '\n'
    # Alone, so that a wrong one does not make sudo take the next line, which is the broker's password, for a second try.
    if there "$HOST" "sudo -k -S -p '' true" <<<"$SUDO_PASSWORD" 2>/dev/null; then return 0; fi
    tries=$((tries - 1))
  done
  fail "sudo on $TARGET did not take the password" 'may this user use sudo? (groups)'
}

# A bundle where one is given or can be made for that machine; else this folder, which is a bundle itself or is built there.
send_project() {
  SENT_BUNDLE=$BUNDLE_FILE
  if [ "$ACTION" = install ] && [ -z "$SENT_BUNDLE$DRY_RUN" ] && [ ! -e "$PROJECT_DIR/RELEASE" ]; then make_bundle_for_target; fi
  if [ -n "$SENT_BUNDLE" ]; then
    detail "sending $(basename "$SENT_BUNDLE")"
    there "$HOST" "mkdir $REMOTE_FOLDER/project && tar -xzf - -C $REMOTE_FOLDER/project --strip-components=1" <"$SENT_BUNDLE" ||
      fail "$SENT_BUNDLE could not be unpacked on $TARGET" 'is it a bundle of "npm run bundle", and is there room in /tmp?'
  else
    detail 'sending this folder'
    project_files | tar -C "$PROJECT_DIR" --null -T - -czf - |
      there "$HOST" "mkdir $REMOTE_FOLDER/project && tar -xzf - -C $REMOTE_FOLDER/project" ||
      fail "the project could not be copied to $TARGET" 'is there room in /tmp?'
  fi
  # So that the run there knows that the folder is its own to remove; see session.sh.
  there -n "$HOST" ": >$REMOTE_FOLDER/temporary" || fail "nothing could be written into $REMOTE_FOLDER on $TARGET" 'is its disk full?'
  [ -z "$BROKER_CA" ] || there "$HOST" "cat >$REMOTE_FOLDER/broker-ca.pem" <"$BROKER_CA" || fail "$BROKER_CA could not be copied to $TARGET"
}

# The native parts have to fit the processor there and the Node.js that it has or will have. Sets SENT_BUNDLE where that can be
# made here.
make_bundle_for_target() {
  local architecture abis
  has npm && has node || return 0
  architecture=$(there -n "$HOST" dpkg --print-architecture) || return 0
  abis=$(there -n "$HOST" node -p process.versions.modules 2>/dev/null) || abis=115,127,137
  detail "making a bundle for $architecture (npm run bundle)"
  if (cd "$PROJECT_DIR" && npm run --silent bundle -- --incomplete --arch "$architecture" --abi "$abis" --out "$SCRATCH/bundle") >"$SCRATCH/bundle.log" 2>&1; then
    SENT_BUNDLE=$(compgen -G "$SCRATCH/bundle/*.tar.gz")
  else
    warn "no bundle could be made here ($(tail -n 1 "$SCRATCH/bundle.log")); it is built on $TARGET, which takes longer"
  fi
}

# What belongs to the project, each name ended by a zero byte.
project_files() {
  local file
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
    [ -z "$SUDO_PASSWORD" ] || printf '%s\n' "$SUDO_PASSWORD"
    [ -z "$BROKER_PASSWORD" ] || printf '%s\n' "$BROKER_PASSWORD"
  } | there "$HOST" "cd / && ${ROOT_COMMAND[*]} bash $REMOTE_FOLDER/project/bootstrap-pi.sh$words"
}
