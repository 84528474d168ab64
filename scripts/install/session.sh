# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # some of what is set here is read by the other modules, and the other way round
# A run that outlives its terminal. People install over Wi-Fi: the connection may go away at any moment, and half an hour of building
# with it. So the work is done by a second process in a session of its own, which no closed terminal and no sshd ends; the first one
# only waits for it, and passes Ctrl-C on. How a run ended that lost its terminal is in the log, and the next call says it.

# Of the process that does the work: the one that waits for it, and where the loss of the terminal is noted.
FRONT=''
LOST_FILE=''
IS_LOST=''
# What is said is seen on a terminal, although this process writes into a pipe.
ON_TERMINAL=''
RELAYS=()

# outlive_terminal ARGUMENT...: comes back in the process that does the work; the one that waits ends in here.
outlive_terminal() {
  case $ACTION in check) return 0 ;; esac
  [ -z "${DRY_RUN-}" ] || return 0
  if [ -z "${TECHTEMP_FRONT-}" ]; then wait_for_worker "$@"; fi
  FRONT=$TECHTEMP_FRONT
  unset TECHTEMP_FRONT
  # Only what is meant for this very process ends it: Ctrl-C, which the other one passes on, and SIGTERM when the machine goes down.
  trap : HUP
  relay_output
}

wait_for_worker() {
  local worker status=0 scope=() option
  trap - EXIT ERR
  rm -rf "$SCRATCH"
  # Where systemd is told to end all that a session has left behind (KillUserProcesses=yes), a scope of its own is no part of it.
  # From systemd 253 on, a compiler that ends for want of memory would take the whole scope along.
  for option in --property=OOMPolicy=continue --collect; do
    if timeout 10 systemd-run --quiet --scope --collect "$option" true >/dev/null 2>&1 </dev/null; then
      scope=(systemd-run --quiet --scope --collect "$option")
      break
    fi
  done
  [ -e /proc/self/fd/0 ] || exec </dev/null
  # A shell starts what it does not wait for at once with Ctrl-C ignored and without a standard input.
  TECHTEMP_FRONT=$$ "${scope[@]}" env --default-signal=INT,QUIT,HUP,TERM,PIPE setsid "$BASH" "$PROJECT_DIR/bootstrap-pi.sh" "$@" <&0 &
  worker=$!
  trap 'kill -INT -- "-$worker" 2>/dev/null || kill -INT "$worker" 2>/dev/null || :' INT QUIT
  # The terminal is gone, or sshd is: the work goes on.
  trap 'exit 129' HUP PIPE
  trap 'exit 143' TERM
  while :; do
    status=0
    wait "$worker" || status=$?
    kill -0 "$worker" 2>/dev/null || break
  done
  exit "$status"
}

# Output goes through processes that go on reading when no program reads from them any more.
relay_output() {
  LOST_FILE=$SCRATCH/terminal-lost
  : >"$LOST_FILE"
  local is_one=''
  [ ! -t 1 ] || ON_TERMINAL=1
  [ ! /proc/self/fd/1 -ef /proc/self/fd/2 ] || is_one=1
  exec > >(relay)
  RELAYS+=("$!")
  if [ -n "$is_one" ]; then
    exec 2>&1
  else
    exec 2> >(relay >&2)
    RELAYS+=("$!")
  fi
}
# tee complains where it can't write any more, and goes on with the other file.
relay() {
  trap '' INT QUIT HUP TERM PIPE
  exec tee --output-error=warn /dev/null 2>>"$LOST_FILE"
}

# Whether the output no longer reaches a person.
terminal_is_lost() {
  [ -n "$FRONT" ] || return 1
  [ -n "$IS_LOST" ] || [ -s "$LOST_FILE" ] || ! kill -0 "$FRONT" 2>/dev/null
}

# note_begin, note_end STATUS: in the log, for those who call next.
note_begin() { [ -z "$FRONT" ] || log_line "--- begun in process $$: ${LOGGED_ARGUMENTS:-(no options)}"; }
note_end() {
  local status=$1 lost=seen
  [ -n "$FRONT" ] || return 0
  ! terminal_is_lost || lost=lost
  # Told in a subshell, whose variables are gone.
  if [ "$status" != 0 ] && [ -z "$LAST_WORDS" ]; then LAST_WORDS=$(sed -n 's/^[-0-9TZ:]* \(failed: .*\)/\1/p' "$LOG_FILE" 2>/dev/null | tail -n 1); fi
  [ ! -d "$RECORD_DIR" ] || log_line "--- ended $lost $status: ${LAST_WORDS:-done}"
  drain_relays
  remove_temporary_project
  FRONT=''
}

# Everything that was said has been shown before the process that waits ends.
drain_relays() {
  local relay tries
  exec >/dev/null 2>&1
  for relay in "${RELAYS[@]}"; do
    for ((tries = 0; tries < 50; tries++)); do
      kill -0 "$relay" 2>/dev/null || break
      sleep 0.1
    done
  done
}

# A run from another computer has sent its project into a temporary folder, and may be gone by now.
remove_temporary_project() {
  local folder=${PROJECT_DIR%/project}
  if [ "$folder" != "$PROJECT_DIR" ] && [ -e "$folder/temporary" ] && [[ $folder == /*/tmp.?????????? ]]; then rm -rf "$folder"; fi
}

# last_mark: the last line of those two kinds, as "TIME --- begun ..." or "TIME --- ended ..."; nothing where there is none.
last_mark() { grep -aE '^[-0-9TZ:]+ --- (begun|ended) ' "$LOG_FILE" 2>/dev/null | tail -n 1 || :; }
mark_time() { date -d "${1%% *}" '+%F %H:%M:%S' 2>/dev/null || printf '%s' "${1%% *}"; }

# running_words: since when the run is at work that holds the lock, as far as the log knows it.
running_words() {
  local mark process
  mark=$(last_mark)
  case $mark in
  *' --- begun '*)
    process=${mark#*in process }
    printf ', since %s (process %s; sudo kill -INT -- -%s ends it and takes back what it has begun)' "$(mark_time "$mark")" "${process%%:*}" "${process%%:*}"
    ;;
  esac
}

# tell_last_run: how the run before this one ended, if no person has seen that.
tell_last_run() {
  local mark begun words
  mark=$(last_mark)
  case $mark in
  *' --- begun '*)
    if [ -z "${LOCK_FD-}" ] && [ -e "$LOCK_FILE" ] && ! flock -n "$LOCK_FILE" true 2>/dev/null; then
      say "A run of this script is at work on this machine$(running_words)."
      detail "follow it: sudo tail -f $LOG_FILE"
    else
      say "The run before this one, of $(mark_time "$mark"), was cut off before its end (a power cut, or it was killed). What it had finished is used."
    fi
    ;;
  *' --- ended lost '*)
    begun=$(grep -aE '^[-0-9TZ:]+ --- begun ' "$LOG_FILE" | tail -n 1)
    words=${mark#* --- ended lost }
    say "The run before this one, of $(mark_time "$begun"), lost its terminal and went on. It ended at $(mark_time "$mark"), exit ${words%%:*}: ${words#*: }"
    detail "all that it did: $LOG_FILE"
    ;;
  esac
}
