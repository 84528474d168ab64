# shellcheck shell=bash
# What every step of the installer is made of: words for people, one log, commands that a dry run only prints, files that are
# written only when they differ, a list of what is ours, and a way back when a step fails. Sourced by bootstrap-pi.sh.

INSTALL_DIR=/opt/techtemp
CONFIG_DIR=/etc/techtemp
RECORD_DIR=/var/lib/techtemp-install
MANIFEST=$RECORD_DIR/manifest
LOG_FILE=$RECORD_DIR/install.log

# What happened so far; read by the summary and by failures.
CHANGES=0
STEP=''
UNDO=()

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

# fail WHAT [REMEDY]: undoes the current step, says what failed, what was undone and what to do, and ends.
fail() {
  local what=$1 remedy=${2-}
  printf '\nfailed: %s\n' "$what" >&2
  log_line "failed: $what"
  undo_all
  [ -z "$remedy" ] || printf 'to do:  %s\n' "$remedy" >&2
  if [ -n "${LOG_OPEN-}" ]; then printf 'log:    %s\n' "$LOG_FILE" >&2; fi
  trap - EXIT
  exit 1
}

# on_undo WORDS COMMAND...: what takes the present step back if it fails; done in reverse order.
on_undo() { UNDO+=("$(printf '%q ' "$@")"); }
# committed: nothing before this point is taken back any more.
committed() { UNDO=(); }

undo_all() {
  local index words
  for ((index = ${#UNDO[@]} - 1; index >= 0; index--)); do
    eval "set -- ${UNDO[index]}"
    words=$1
    shift
    if "$@" >>"${LOG_OPEN:-/dev/null}" 2>&1; then
      printf 'undone: %s\n' "$words" >&2
      log_line "undone: $words"
    else
      printf 'could not be undone: %s\n' "$words" >&2
      log_line "could not be undone: $words"
    fi
  done
  UNDO=()
}

# A command that nobody caught has failed (set -e): say where, instead of ending without a word.
unexpected_end() {
  local status=$?
  [ "$status" = 0 ] && return
  printf '\nfailed: %s (line %s of %s, exit %s)\n' "${STEP:-the installer}" "${BASH_LINENO[0]}" "${BASH_SOURCE[1]##*/}" "$status" >&2
  log_line "failed: ${STEP:-the installer}, exit $status"
  undo_all
  [ -z "${LOG_OPEN-}" ] || printf 'log:    %s\n' "$LOG_FILE" >&2
}

open_log() {
  [ -z "${DRY_RUN-}" ] || return 0
  mkdir -p "$RECORD_DIR"
  chmod 0755 "$RECORD_DIR"
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
  local output status=0
  output=$("$@" 2>&1 </dev/null) || status=$?
  [ -z "$output" ] || printf '%s\n' "$output" >>"$LOG_FILE"
  if [ "$status" != 0 ]; then
    printf '%s\n' "$output" | tail -n 5 | sed 's/^/    | /' >&2
    return "$status"
  fi
}

# changed WORDS: counts towards "nothing changed".
changed() {
  CHANGES=$((CHANGES + 1))
  detail "$1"
}

# install_file DEST MODE OWNER < content: writes it, whole or not at all, when content, mode or owner differ. Returns 0 when
# something changed, 1 when it was there already. What did not exist before goes into the manifest.
install_file() {
  local dest=$1 mode=$2 owner=$3 draft is_new=''
  draft=$(mktemp)
  cat >"$draft"
  if [ -e "$dest" ] && cmp -s "$draft" "$dest" && [ "$(stat -c '%a %U:%G' "$dest")" = "${mode#0} $owner" ]; then
    rm -f "$draft"
    return 1
  fi
  [ -e "$dest" ] || is_new=1
  if [ -n "${DRY_RUN-}" ]; then
    printf '    $ write %s (mode %s, %s)\n' "$dest" "$mode" "$owner"
    rm -f "$draft"
    CHANGES=$((CHANGES + 1))
    return 0
  fi
  mkdir -p "$(dirname "$dest")"
  [ -n "$is_new" ] || cp -p "$dest" "$draft.before"
  install -m "$mode" -o "${owner%:*}" -g "${owner#*:}" "$draft" "$dest.techtemp-new"
  sync "$dest.techtemp-new"
  mv -f "$dest.techtemp-new" "$dest"
  if [ -n "$is_new" ]; then
    on_undo "$dest removed" rm -f "$dest"
    manifest_add file "$dest"
  else
    on_undo "$dest as it was" mv -f "$draft.before" "$dest"
  fi
  rm -f "$draft"
  changed "wrote $dest"
  return 0
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

# apt COMMAND...: waits for the lock; no questions; nothing recommended.
apt() {
  run env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -q -y -o DPkg::Lock::Timeout="${APT_LOCK_SECONDS:-600}" \
    -o Acquire::Retries=3 --no-install-recommends "$@"
}

is_installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

# install_packages NAME...: those that are missing; they go into the manifest, because what we brought we may remove.
install_packages() {
  local name missing=()
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  [ "${#missing[@]}" -gt 0 ] || return 0
  update_package_lists
  apt install "${missing[@]}" || fail "apt could not install ${missing[*]}" "see the lines above; then run this again, it goes on where it ended"
  for name in "${missing[@]}"; do manifest_add package "$name"; done
  changed "installed ${missing[*]}"
}

# Once a run. Lists of other vendors that fail must not stop ours: what is missing shows itself at the installation.
update_package_lists() {
  [ -z "${LISTS_UPDATED-}" ] || return 0
  apt update || warn 'apt-get update had errors; going on with the lists that are there'
  LISTS_UPDATED=1
}

root() { [ "$(id -u)" = 0 ]; }
