# shellcheck shell=bash
# Long steps: what is done and about how long it takes on this machine, before it begins; a sign of life while it runs.

# Between two lines where the output is not a terminal; on a terminal one line moves.
PROGRESS_SECONDS=${TECHTEMP_PROGRESS_SECONDS:-30}

# with_progress WORDS COMMAND...: says WORDS, then does it, and tells how far it is. COMMAND is `run ...` or made of it.
with_progress() {
  local words=$1 started=$SECONDS status=0 watcher
  shift
  detail "$words"
  if [ -n "${DRY_RUN-}" ]; then
    "$@"
    return
  fi
  watch_progress "${words%%[:,;]*}" &
  watcher=$!
  "$@" || status=$?
  kill "$watcher" 2>/dev/null || :
  wait "$watcher" 2>/dev/null || :
  [ $((SECONDS - started)) -lt 10 ] || [ "$status" != 0 ] || detail "that took $(duration $((SECONDS - started)))"
  return "$status"
}

# On a terminal, also where what is said goes through another process on its way there.
is_on_terminal() { [ -n "${ON_TERMINAL-}" ] || [ -t 1 ]; }

# Ends when it is told to, when the installer is at its end, or when nothing listens any more.
watch_progress() {
  local words=$1 started=$SECONDS passed=0 due=$PROGRESS_SECONDS nap=''
  trap - ERR EXIT
  trap '[ -z "$nap" ] || kill "$nap" 2>/dev/null; ! is_on_terminal || printf "\r\033[K"; exit 0' TERM INT HUP PIPE
  set +eE
  # A lock that this process held on would outlive the installer.
  [ -z "${LOCK_FD-}" ] || exec {LOCK_FD}>&-
  while kill -0 $$ 2>/dev/null && [ -d "$SCRATCH" ]; do
    sleep 1 >/dev/null 2>&1 &
    nap=$!
    wait "$nap"
    passed=$((SECONDS - started))
    if is_on_terminal; then
      printf '\r%s\033[K' "$(cut -c1-78 <<<"    $words: $(duration "$passed"), $(last_work)")" 2>/dev/null || exit 0
    elif [ "$passed" -ge "$due" ]; then
      due=$((passed + PROGRESS_SECONDS))
      printf '    ... %s: %s so far, now %s\n' "$words" "$(duration "$passed")" "$(last_work)" 2>/dev/null || exit 0
    fi
  done
}

# The last step that the command named: the file that is compiled, the package that is fetched or unpacked. Compilers say more than that.
last_work() {
  local text
  text=$(tail -c 30000 "${LOG_OPEN:-/dev/null}" 2>/dev/null | tr '\r' '\n' | sed -n -e '
    s#^ *\(CC\|CXX\)([a-z]*) .*/\([^/]*\)\.o$#compiling \2#p
    s#^ *SOLINK.*#linking#p
    s#^npm http fetch [A-Z]* [0-9]* [a-z]*://[^/]*/\([^ ?]*\).*#fetching \1#p
    s#^Get:[0-9]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .*#fetching \1#p
    s#^\(Unpacking\|Setting up\|Processing triggers for\) \([^ ]*\) .*#\1 \2#p
    /^\(compiling\|building\|native parts\) /p
    s#^[0-9TZ:-]* \$ .*#at work#p' | tail -n 1)
  printf '%s' "${text:0:60}"
}

duration() {
  if [ "$1" -lt 60 ]; then
    printf '%s s' "$1"
  elif [ "$1" -lt 3600 ]; then
    printf '%s min' $(($1 / 60))
    [ $(($1 % 60)) = 0 ] || printf ' %s s' $(($1 % 60))
  else
    printf '%s h %s min' $(($1 / 3600)) $(($1 % 3600 / 60))
  fi
}
# For what is only known roughly.
rough_duration() {
  if [ "$1" -lt 60 ]; then duration $((($1 + 9) / 10 * 10)); else duration $((($1 + 30) / 60 * 60)); fi
}

# How long a PC of today takes for the loop below.
PC_LOOP_US=60000

# about PC_SECONDS: how long something takes here that takes so long on a PC of today. Both are in proportion to a loop of this shell.
about() {
  measure_machine
  printf 'about %s on this machine' "$(rough_duration $(($1 * LOOP_US / PC_LOOP_US)))"
}

# Sets LOOP_US, the fastest of three times.
measure_machine() {
  local try step before after
  [ -z "${LOOP_US-}" ] || return 0
  for try in 1 2 3; do
    before=${EPOCHREALTIME//[!0-9]/}
    for ((step = 0; step < 20000; step++)); do :; done
    after=${EPOCHREALTIME//[!0-9]/}
    if [ "$try" = 1 ] || [ $((after - before)) -lt "$LOOP_US" ]; then LOOP_US=$((after - before)); fi
  done
}
