# shellcheck shell=bash
# shellcheck disable=SC2034 # some of what is set here is read by the other modules
# Releases lie side by side in /opt/techtemp/releases; `current` is the one that runs, `previous` the one before. A release gets its
# name only when it is whole, on the disk, and has shown that it starts under the very Node.js that systemd will use.

RELEASES=$INSTALL_DIR/releases
# Names of releases that did not publish a reading and were left again, with when and why.
REFUSED=$RECORD_DIR/refused-releases
# Current, previous, and one more to go back to by hand.
KEPT_RELEASES=3

# Sets RELEASE_NAME, RELEASE_DIR and RELEASE_IS_NEW. Nothing that runs is touched.
stage_release() {
  step 'release'
  discard_leftovers
  name_release
  RELEASE_DIR=$RELEASES/$RELEASE_NAME RELEASE_IS_NEW='' RELEASE_IS_MADE=''
  [ "$(release_of current)" = "$RELEASE_NAME" ] || RELEASE_IS_NEW=1
  refuse_known_bad
  if [ -d "$RELEASE_DIR" ]; then
    detail "$RELEASE_NAME is there already"
    recheck_release
  else
    make_release
  fi
  detail "$RELEASE_DIR"
}

name_release() {
  if [ -n "$BUNDLE_FILE" ]; then
    RELEASE_NAME=$(bundle_name "$BUNDLE_FILE")
  elif [ -e "$PROJECT_DIR/RELEASE" ]; then
    RELEASE_NAME=$(release_fact "$PROJECT_DIR" name)
    RELEASE_NAME=${RELEASE_NAME#techtemp-}
    # The installed copy of this script: its folder is the release, under whatever name it got.
    [ "$(dirname "$PROJECT_DIR")" != "$RELEASES" ] || RELEASE_NAME=${PROJECT_DIR##*/}
    [[ $RELEASE_NAME =~ ^[0-9A-Za-z.+-]+$ ]] || fail "$PROJECT_DIR/RELEASE is damaged: no name in it" 'unpack the bundle again, into an empty folder'
  else
    RELEASE_NAME=$(source_name)
  fi
}

# What an earlier run that was cut off has left; whole releases have names without a dot.
discard_leftovers() {
  local path
  for path in "$RELEASES"/.*.partial "$RELEASES"/.build "$INSTALL_DIR"/.*.new; do
    { [ ! -e "$path" ] && [ ! -L "$path" ]; } || run rm -rf "$path" || fail "$path, left by an earlier run, could not be removed"
  done
}

refuse_known_bad() {
  local line
  line=$(grep "^$RELEASE_NAME " "$REFUSED" 2>/dev/null | tail -n 1) || return 0
  [ -n "$RELEASE_IS_NEW" ] || return 0
  [ -z "$FORCE" ] || { detail "tried again although it was left on $(cut -d' ' -f2- <<<"$line")" && return; }
  fail "the release $RELEASE_NAME was tried before and left: $(cut -d' ' -f2- <<<"$line")" \
    'remove the cause or take a newer release; --force tries this one again'
}

make_release() {
  local partial=$RELEASES/.$RELEASE_NAME.partial before=${#UNDO[@]}
  if [ -n "$DRY_RUN" ]; then
    printf '    $ %s\n' "make, verify and try $RELEASE_DIR from ${BUNDLE_FILE:-$PROJECT_DIR}"
    CHANGES=$((CHANGES + 1))
    return 0
  fi
  make_folder "$RELEASES"
  on_undo "the unfinished release is gone" rm -rf "$partial" "$RELEASES/.build"
  fill_release "$partial"
  verify_release "$partial" || fail "the release $RELEASE_NAME is damaged: $DAMAGE" 'fetch, copy or unpack it again'
  fit_release "$partial"
  # Root's and readable for the services, no matter which user unpacked it and with which umask.
  { run chown -R root:root "$partial" && run chmod -R u+rwX,go+rX,go-w "$partial" && run touch "$partial"; } ||
    fail "$partial could not be given to root"
  { run sync -f "$partial" && run mv -T "$partial" "$RELEASE_DIR" && run sync -f "$RELEASES"; } ||
    fail "$RELEASE_DIR could not be written" "$(room_words "$RELEASES")"
  # It changes nothing that runs, and making it may have taken an hour: from here on it stays, whatever fails, for the next run.
  UNDO=("${UNDO[@]:0:before}") RELEASE_IS_MADE=1
  changed "added the release $RELEASE_NAME"
}

fill_release() {
  if [ -n "$BUNDLE_FILE" ]; then
    unpack_bundle "$BUNDLE_FILE" "$1"
  elif [ -e "$PROJECT_DIR/RELEASE" ]; then
    copy_bundle "$PROJECT_DIR" "$1"
  else
    build_release "$RELEASE_NAME" "$1"
  fi
}

# A release that is there may have suffered (a card that forgets), or its Node.js may have changed below it.
recheck_release() {
  [ -z "$DRY_RUN" ] || return 0
  if ! verify_release "$RELEASE_DIR"; then
    warn "the release $RELEASE_NAME on the disk is damaged: $DAMAGE. It is built again beside it; see whether the card fails: dmesg"
    RELEASE_NAME=$RELEASE_NAME.again RELEASE_DIR=$RELEASE_DIR.again RELEASE_IS_NEW=1
    if [ -d "$RELEASE_DIR" ]; then recheck_release; else make_release; fi
    return
  fi
  if smoke_test "$RELEASE_DIR"; then return 0; fi
  # Only adds files for this Node.js; what runs has loaded its own already.
  fit_release "$RELEASE_DIR"
}

# fit_release FOLDER: it starts here, or the parts that do not fit are compiled here, or the reason is told.
fit_release() {
  local folder=$1
  [ -z "${ARMV6-}" ] || [ -e "$folder/COMPILED" ] || rm -rf "$folder"/node_modules/*/lib/binding/node-v*-linux-arm
  if smoke_test "$folder"; then return 0; fi
  [ -n "$UNFIT" ] || fail "the release $RELEASE_NAME does not start: $SMOKE" 'take another bundle; nothing that runs was touched'
  detail "made elsewhere, and does not fit here (Node.js $NODE_VERSION, ABI $(node_abi), $ARCHITECTURE): ${UNFIT//$'\n'/, }"
  detail "$(grep -c '^native=' "$folder/RELEASE" || :) native parts are in it: $(sed -n 's/^native=\([^ ]*\) [^ ]* \([^ ]* [^ ]*\).*/\1 \2/p' "$folder/RELEASE" | paste -sd ',' | sed 's/,/, /g')"
  compile_native "$folder"
  smoke_test "$folder" || fail "the release $RELEASE_NAME does not start, although its native parts were compiled here: $SMOKE" \
    'see the lines above; nothing that runs was touched'
}

compile_native() {
  local folder=$1
  provide_build_tools
  # shellcheck disable=SC2086 # a list of names without spaces
  with_progress "compiling ${UNFIT//$'\n'/, }: $(about "$(compile_seconds $UNFIT)")" run "${BUILD_ENV[@]}" "$NODE_BIN" "$folder/scripts/compile-native.mjs" \
    "$folder" "$BUILD_CACHE" $UNFIT ||
    fail "the native parts for Node.js $NODE_VERSION on $ARCHITECTURE could not be compiled" \
      "see the lines above; or make a bundle for this machine elsewhere: npm run bundle -- --arch $ARCHITECTURE --abi $(node_abi)"
  tidy_build_cache
}

# compile_seconds PACKAGE...: on a PC of today.
compile_seconds() {
  local name seconds=0
  for name in "$@"; do
    case $name in better-sqlite3) seconds=$((seconds + 60)) ;; *) seconds=$((seconds + 5)) ;; esac
  done
  printf '%s' "$seconds"
}

# smoke_test FOLDER: fails with the reason in SMOKE, and the packages that do not load in UNFIT. Under the Node.js of the units.
smoke_test() {
  local folder=$1 output status=0 program
  SMOKE='' UNFIT=''
  # shellcheck disable=SC2016 # the dollars are JavaScript's
  output=$(cd "$folder" && timeout 120 "$NODE_BIN" scripts/install/load-native.cjs "$(release_role)" 2>&1) || status=$?
  if [ "$status" != 0 ]; then
    UNFIT=$(sed -n 's/^unfit \([^ :]*\).*/\1/p' <<<"$output")
    SMOKE=$(sed -n 's/^unfit //p' <<<"$output" | head -n 1)
    SMOKE=${SMOKE:-$NODE_BIN ended with $status: $(tail -n 1 <<<"$output")}
    # Ended by a signal: code for another processor. Which one it was can't be said.
    [ -n "$UNFIT" ] || [ "$status" -lt 128 ] || UNFIT=$(native_packages)
    return 1
  fi
  for program in device server; do
    output=$(timeout 120 "$NODE_BIN" "$folder/dist/techtemp-$program.js" --version 2>&1 </dev/null) || status=$?
    if [ "$status" != 0 ] || [ "$output" != "$(release_fact "$folder" version)" ]; then
      SMOKE="techtemp-$program --version ended with $status: $(tail -n 1 <<<"$output")"
      return 1
    fi
  done
}
native_packages() {
  echo sd-notify
  [ -z "$ROLE_DEVICE" ] || echo i2c-bus
  [ -z "$ROLE_SERVER" ] || echo better-sqlite3
}

release_fact() { sed -n "s/^$2=//p" "$1/RELEASE" 2>/dev/null | head -n 1; }
# release_of LINK: the release that `current` or `previous` names; nothing where it names none.
release_of() {
  local target
  target=$(readlink "$INSTALL_DIR/$1" 2>/dev/null) || return 0
  [ ! -d "$INSTALL_DIR/$1" ] || printf '%s' "${target##*/}"
}

# remove_release NAME: never one that is named by a link. First the name, so that half of it is never taken for a whole.
remove_release() {
  if [ "$1" = "$(release_of current)" ] || [ "$1" = "$(release_of previous)" ]; then return 0; fi
  [ ! -d "$RELEASES/$1" ] || { mv -T "$RELEASES/$1" "$RELEASES/.$1.partial" && rm -rf "$RELEASES/.$1.partial"; }
}

# The newest KEPT_RELEASES stay, among them current and previous in any case.
prune_releases() {
  local name kept=0
  find "$RELEASES" -mindepth 1 -maxdepth 1 -type d -name '[^.]*' -printf '%T@ %f\n' | sort -rn | cut -d' ' -f2 | while IFS= read -r name; do
    kept=$((kept + 1))
    [ "$kept" -gt "$KEPT_RELEASES" ] || continue
    if [ "$name" != "$(release_of current)" ] && [ "$name" != "$(release_of previous)" ]; then
      remove_release "$name" && detail "removed the old release $name"
    fi
  done
}

# --rollback: back to the release before, with its unit files; readings and settings stay.
roll_back() {
  local from
  step 'back to the release before'
  from=$(release_of current)
  RELEASE_NAME=$(release_of previous)
  [ -n "$RELEASE_NAME" ] || fail "there is no release before ${from:-any other} here" "ls $RELEASES shows what there is"
  [ "$RELEASE_NAME" != "$from" ] || fail "$from is the only release here" "ls $RELEASES shows what there is"
  RELEASE_DIR=$RELEASES/$RELEASE_NAME RELEASE_IS_NEW=1
  detail "from $from to $RELEASE_NAME"
  use_installed_roles
  NODE_MINIMUM=$(sed -n 's/.*"node": *">=\([0-9.]*\)".*/\1/p' "$RELEASE_DIR/package.json")
  find_node || fail "Node.js $NODE_MINIMUM or newer, which $RELEASE_NAME needs, is not there (${NODE_BIN:-none} ${NODE_VERSION})" 'apt policy nodejs'
  ARCHITECTURE=$(dpkg --print-architecture)
  [ -n "$DRY_RUN" ] || { verify_release "$RELEASE_DIR" || fail "the release $RELEASE_NAME is damaged: $DAMAGE" 'install a bundle instead'; }
  [ -n "$DRY_RUN" ] || fit_release "$RELEASE_DIR"
  install_unit_files "$RELEASE_DIR"
  switch_release
  await_health
  LAST_WORDS="TechTemp $RELEASE_NAME runs again${UNSTORED:+, but readings are only kept on this machine: $UNSTORED}; --rollback once more goes back to $from."
  say "$LAST_WORDS"
}
