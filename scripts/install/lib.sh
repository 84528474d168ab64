# shellcheck shell=bash
# shellcheck disable=SC2034 # some of what is set here is read by the other modules
# What every step of the installer is made of: words for people, one log, commands that a dry run only prints, files that are
# written only when they differ, a list of what is ours, and a way back when a step fails. Sourced by bootstrap-pi.sh.

INSTALL_DIR=/opt/techtemp
CONFIG_DIR=/etc/techtemp
# Where systemd looks for LoadCredential= of our units.
CREDENTIAL_DIR=/etc/credstore
RECORD_DIR=/var/lib/techtemp-install
MANIFEST=$RECORD_DIR/manifest
LOG_FILE=$RECORD_DIR/install.log
LOCK_FILE=/run/lock/techtemp-install.lock

# What happened so far; read by the summary and by failures.
CHANGES=0
STEP=''
UNDO=()
# How the run ended, for the next one to tell.
LAST_WORDS=''

# --- words

say() { printf '%s\n' "$*"; log_line "$*"; }
detail() { printf '    %s\n' "$*"; log_line "    $*"; }
warn() { printf 'warning: %s\n' "$*" >&2; log_line "warning: $*"; }
log_line() { if [ -n "${LOG_OPEN-}" ]; then printf '%s %s\n' "$(date -u +%FT%TZ)" "$*" >>"$LOG_FILE" || :; fi; }

# step TITLE: begins a part of the work; failures name it.
step() {
  STEP=$1
  say "* $1"
}

# --- failing: what failed, what was undone, what to do

# The exit status of a subshell whose reason has been told already.
TOLD=113

# fail WHAT [REMEDY]: undoes what is not committed, says what failed, what was undone and what to do, and ends.
fail() {
  printf '\nfailed: %s\n' "$1" >&2
  log_line "failed: $1"
  LAST_WORDS="failed: $1"
  # The way back is known to the outermost shell alone; $(...) and pipes end with a status that says that all has been told.
  if [ "$BASH_SUBSHELL" -gt 0 ]; then
    [ -z "${2-}" ] || printf 'to do:  %s\n' "$2" >&2
    exit "$TOLD"
  fi
  trap - EXIT ERR
  undo_all
  [ -z "${2-}" ] || printf 'to do:  %s\n' "$2" >&2
  name_log
  note_end 1
  exit 1
}

# Sets the traps: a command that fails and is not handled must not end the script without a message, nor leave half a step.
catch_failures() {
  # In memory: drafts can hold a password, and they are not needed after a power cut.
  SCRATCH=$(mktemp -d /run/techtemp-install.XXXXXX 2>/dev/null || mktemp -d)
  set -E
  FAILED_AT=''
  trap 'FAILED_AT="$BASH_COMMAND (line $LINENO of $(basename "${BASH_SOURCE[0]:-a command}"))"' ERR
  trap 'unexpected_end $?' EXIT
  trap 'FAILED_AT="interrupted"; exit 130' INT
  trap 'FAILED_AT="ended by a signal"; exit 143' TERM HUP
  # The terminal or the connection is gone: what is still to be said goes into the log.
  trap 'exec >>"${LOG_OPEN:-/dev/null}" 2>&1; FAILED_AT="the output is no longer read"; exit 141' PIPE
}

unexpected_end() {
  local status=$1
  trap - EXIT ERR
  if [ "$status" = 0 ]; then
    note_end 0
    rm -rf "$SCRATCH"
    return
  fi
  if [ "$status" != "$TOLD" ]; then
    printf '\nfailed: %s: %s, exit %s\n' "${STEP:-the installer}" "${FAILED_AT:-somewhere}" "$status" >&2
    LAST_WORDS="failed: ${STEP:-the installer}: ${FAILED_AT:-somewhere}, exit $status"
    log_line "$LAST_WORDS"
  fi
  undo_all
  if [ "$status" != "$TOLD" ]; then
    printf 'to do:  %s\n' 'run it again, it goes on where it ended; if it fails at the same place, report the lines above' >&2
  fi
  name_log
  [ "$status" != "$TOLD" ] || status=1
  note_end "$status"
  exit "$status"
}

# Everything is installed, and no reading is being stored: not a failure that takes anything back, and no success either.
end_unstored() {
  trap - EXIT ERR
  note_end "$NOT_STORED"
  rm -rf "$SCRATCH"
  exit "$NOT_STORED"
}

name_log() { [ -z "${LOG_OPEN-}" ] || printf 'log:    %s\n' "$LOG_FILE" >&2; }

# on_undo WORDS COMMAND...: what takes the present step back if it fails; done in reverse order.
on_undo() { [ -n "${DRY_RUN-}" ] || UNDO+=("$(printf '%q ' "$@")"); }
# committed: nothing before this point is taken back any more.
committed() { UNDO=(); }

undo_all() {
  local index entry words=()
  # A second Ctrl-C would leave the undoing unfinished.
  trap '' INT TERM HUP
  for ((index = ${#UNDO[@]} - 1; index >= 0; index--)); do
    entry=${UNDO[index]}
    eval "words=($entry)"
    if "${words[@]:1}" >>"${LOG_OPEN:-/dev/null}" 2>&1 </dev/null; then
      printf 'undone: %s\n' "${words[0]}" >&2
      log_line "undone: ${words[0]}"
    else
      printf 'could not be undone: %s\n' "${words[0]}" >&2
      log_line "could not be undone: ${words[0]}"
    fi
  done
  UNDO=()
  ! terminal_is_lost || IS_LOST=1
  rm -rf "$SCRATCH"
}

# Two installers at once would undo each other's steps.
one_at_a_time() {
  [ -z "${DRY_RUN-}" ] || return 0
  exec {LOCK_FD}>"$LOCK_FILE"
  flock -n "$LOCK_FD" || fail "another run of this script is at work on this machine$(running_words)" \
    "follow it: sudo tail -f $LOG_FILE; run this again when it has ended, and it says how"
}

open_log() {
  [ -z "${DRY_RUN-}" ] || return 0
  # An examination leaves nothing behind where nothing is installed.
  [ "$ACTION" != check ] || [ -d "$RECORD_DIR" ] || return 0
  mkdir -p "$RECORD_DIR"
  (umask 077 && : >>"$LOG_FILE")
  LOG_OPEN=$LOG_FILE
  log_line "--- bootstrap-pi.sh $(installer_version) ${LOGGED_ARGUMENTS-}"
}

# --- doing

# run COMMAND...: in the log with its output; printed only in a dry run. Fails as the command does, with its last words.
run() {
  if [ -n "${DRY_RUN-}" ]; then
    printf '    $ %s\n' "$(printf '%q ' "$@")"
    return 0
  fi
  log_line "\$ $(printf '%q ' "$@")"
  local output=${LOG_OPEN:-/dev/null} before=0 status=0
  # What it says is on the disk as it says it: after a power cut the log ends where the work ended.
  before=$(stat -c %s "$output")
  "$@" >>"$output" 2>&1 </dev/null || status=$?
  if [ "$status" != 0 ]; then
    tail -c +$((before + 1)) "$output" | tail -n 5 | sed 's/^/    | /' >&2
  fi
  return "$status"
}

# changed WORDS: counts towards "nothing changed". A dry run has printed the command, and has done nothing to report.
changed() {
  CHANGES=$((CHANGES + 1))
  [ -n "${DRY_RUN-}" ] || detail "$1"
}

# install_file DEST MODE OWNER < content: writes it, whole or not at all, when content, mode or owner differ. Returns 0 when
# something changed, 1 when it was there already. What did not exist before goes into the manifest.
install_file() {
  local dest=$1 mode=$2 owner=$3 draft kept
  draft=$(mktemp "$SCRATCH/file.XXXXXX")
  cat >"$draft"
  if [ -e "$dest" ] && cmp -s "$draft" "$dest" && [ "$(stat -c '%a %U:%G' "$dest")" = "${mode#0} $owner" ]; then
    rm -f "$draft"
    return 1
  fi
  if [ -n "${DRY_RUN-}" ]; then
    printf '    $ write %s (mode %s, %s)\n' "$dest" "$mode" "$owner"
    rm -f "$draft"
    CHANGES=$((CHANGES + 1))
    return 0
  fi
  # Callers ask `if install_file`, which switches set -e off in here: each of these says for itself that it failed.
  make_folder "$(dirname "$dest")"
  if [ -e "$dest" ]; then
    kept=$(mktemp "$SCRATCH/kept.XXXXXX")
    cp -p "$dest" "$kept" || fail "$dest could not be copied before it is changed"
    on_undo "$dest is as it was" restore_file "$kept" "$dest"
  else
    on_undo "$dest removed" forget_file "$dest"
    manifest_add file "$dest"
  fi
  { install -m "$mode" -o "${owner%:*}" -g "${owner#*:}" "$draft" "$dest.techtemp-new" && sync "$dest.techtemp-new" &&
    mv -f "$dest.techtemp-new" "$dest"; } || {
    rm -f "$dest.techtemp-new"
    fail "$dest could not be written" "$(df -h "$(dirname "$dest")" | awk 'NR == 2 { print "see whether there is room and a writable file system: " $4 " free on " $6 }')"
  }
  rm -f "$draft"
  changed "wrote $dest"
}

# A folder that was made here is removed again when its time comes, if it is empty then.
make_folder() {
  [ ! -d "$1" ] || return 0
  make_folder "$(dirname "$1")"
  mkdir "$1" || fail "the folder $1 could not be made"
  manifest_add directory "$1"
  on_undo "$1 removed" forget_folder "$1"
}
forget_folder() { rmdir --ignore-fail-on-non-empty "$1" && manifest_remove directory "$1"; }
forget_file() { rm -f "$1" "$1.techtemp-new" && manifest_remove file "$1"; }
restore_file() {
  rm -f "$2.techtemp-new"
  # On a full disk there may be no room for a second copy, and none is needed where the content never changed.
  if cmp -s "$1" "$2"; then
    chmod --reference="$1" "$2" && chown --reference="$1" "$2"
  else
    cp -p "$1" "$2.techtemp-new" && mv -f "$2.techtemp-new" "$2"
  fi
}

# install_copy SOURCE DEST MODE OWNER: as install_file, from a file.
install_copy() { install_file "$2" "$3" "$4" <"$1"; }

# --- what is ours (and only that is removed again): lines "KIND VALUE"; kinds: file, directory, package, group, link, unit,
# line (FILE<TAB>TEXT, a line that we added to somebody else's file)
manifest_add() {
  [ -z "${DRY_RUN-}" ] || return 0
  mkdir -p "$RECORD_DIR"
  grep -qxF -- "$1 $2" "$MANIFEST" 2>/dev/null || printf '%s %s\n' "$1" "$2" >>"$MANIFEST"
}
manifest_list() { sed -n "s/^$1 //p" "$MANIFEST" 2>/dev/null || :; }
manifest_remove() {
  [ -e "$MANIFEST" ] || return 0
  grep -vxF -- "$1 $2" "$MANIFEST" >"$MANIFEST.new" || :
  mv -f "$MANIFEST.new" "$MANIFEST"
}

# --- asking: never without a terminal, never with --yes

can_ask() { [ -z "${ASSUME_YES-}" ] && [ -t 0 ]; }

# confirm QUESTION: yes with --yes and without a terminal only where DEFAULT_YES is given as second word.
confirm() {
  local answer
  if ! can_ask; then [ -n "${ASSUME_YES-}" ] || [ "${2-}" = yes ]; return; fi
  read -r -p "$1 [y/N] " answer
  [[ $answer =~ ^[yYjJoO] ]]
}

has() { command -v "$1" >/dev/null 2>&1; }
root() { [ "$(id -u)" = 0 ]; }
