# shellcheck shell=bash
# The three forms in which a release comes, an archive, its unpacked folder or the sources, each made into one folder that is
# whole: every file as SHA256SUMS says, and none besides.

# bundle_name FILE: the name that the bundle gives itself; what is no whole bundle of ours ends here.
bundle_name() {
  local file=$1 list name
  [ -f "$file" ] || fail "there is no file $file" 'npm run bundle makes one, in the folder bundle/'
  gzip -t "$file" 2>/dev/null || fail "$file is damaged or not complete: $(bundle_size "$file")" 'fetch or copy it again'
  if [ -e "$file.sha256" ] && [ "$(cut -d' ' -f1 "$file.sha256")" != "$(sha256sum "$file" | cut -d' ' -f1)" ]; then
    fail "$file has another checksum than $file.sha256 says" 'fetch or copy both again'
  fi
  list=$(tar -tzvf "$file" 2>/dev/null) || fail "$file is no archive that tar can read" 'npm run bundle makes one'
  # Nothing but files and folders, all below one folder with the name of a release.
  name=$(awk '{ path = $6; sub("/.*", "", path) }
    $1 !~ /^[-d]/ || $6 ~ /(^\/|\/\/|(^|\/)\.\.(\/|$))/ || path !~ /^techtemp-[0-9A-Za-z.+-]+$/ { exit 1 }
    !seen[path]++ { print path }' <<<"$list") || name=''
  if [ -z "$name" ] || [ "$name" != "${name%%$'\n'*}" ]; then fail "$file is not a bundle of TechTemp" 'npm run bundle makes one'; fi
  printf '%s' "${name#techtemp-}"
}
bundle_size() { printf '%s bytes, sha256 %s' "$(stat -c %s "$1")" "$(sha256sum "$1" | cut -c1-16)"; }

# unpack_bundle FILE FOLDER
unpack_bundle() {
  run mkdir -p "$2" || return
  run tar -xzf "$1" -C "$2" --strip-components=1 --no-same-owner --no-same-permissions ||
    fail "$1 could not be unpacked into $2" "$(room_words "$2")"
}

# copy_bundle SOURCE FOLDER: of an unpacked bundle, what it lists; what lies there besides stays there.
copy_bundle() {
  run mkdir -p "$2" || return
  sed 's/^[0-9a-f]*  //' "$1/SHA256SUMS" >"$SCRATCH/files"
  printf 'SHA256SUMS\n' >>"$SCRATCH/files"
  run tar --no-recursion -cf "$SCRATCH/copy.tar" -C "$1" --files-from "$SCRATCH/files" ||
    fail "the bundle in $1 is not complete; the lines above say what is missing" 'unpack it again, into an empty folder'
  run tar -xf "$SCRATCH/copy.tar" -C "$2" --no-same-owner --no-same-permissions ||
    fail "$1 could not be copied into $2" "$(room_words "$2")"
  rm -f "$SCRATCH/copy.tar"
}

# verify_release FOLDER: every file as listed, and no other. The words are left in DAMAGE.
verify_release() {
  local folder=$1 output
  DAMAGE=''
  if [ ! -s "$folder/SHA256SUMS" ]; then
    DAMAGE='SHA256SUMS is missing'
  elif ! output=$(cd "$folder" && sha256sum --check --strict --quiet SHA256SUMS 2>&1); then
    DAMAGE=$(head -n 1 <<<"$output")
  else
    output=$(comm -3 <(cd "$folder" && find . ! -type d ! -path ./SHA256SUMS -printf '%P\n' | sort) \
      <(sed 's/^[0-9a-f]*  //' "$folder/SHA256SUMS" | sort) | tr -d '\t' | head -n 1)
    [ -z "$output" ] || DAMAGE="$output is in it, but not in its list"
  fi
  [ -z "$DAMAGE" ]
}

# source_name: version and what the sources and this machine make of it: the same ones are not built twice. Without the version of
# Node.js, which is not known before it is installed: what does not fit another one is compiled anew (fit_release).
source_name() {
  local commit key
  commit=$(source_commit)
  key=$({
    source_files | sort -z | (cd "$PROJECT_DIR" && xargs -0 sha256sum)
    printf '%s %s\n' "$ARCHITECTURE" "$(release_role)"
  } | sha256sum | cut -c1-8)
  printf '%s-%s%s' "$(installer_version)" "${commit:+${commit:0:7}.}" "$key"
}
# Only asked for the name: the clone belongs to whom it belongs to, and git would refuse root in it.
source_commit() { git -c safe.directory='*' -C "$PROJECT_DIR" rev-parse HEAD 2>/dev/null || :; }
source_files() {
  (cd "$PROJECT_DIR" && find bootstrap-pi.sh package.json package-lock.json .npmrc README.md LICENSE CHANGELOG.md config docs drivers \
    scripts src systemd -type f -print0 2>/dev/null)
}
node_abi() { "$NODE_BIN" -p process.versions.modules; }
release_role() {
  case ${ROLE_DEVICE:+device}${ROLE_SERVER:+server} in device) echo device ;; server) echo server ;; *) echo all ;; esac
}

# build_release NAME FOLDER: in a copy, so that nothing of root's is left in the clone.
build_release() {
  local name=$1 folder=$2 work=$RELEASES/.build npm=(npm --cache "$RELEASES/.build/cache" --no-audit --no-fund --loglevel=error)
  provide_build_tools
  detail 'building it from the sources; that takes minutes, and on a Raspberry Pi Zero or 1 the better part of an hour'
  run rm -rf "$work" || return
  run mkdir -p "$work" || return
  source_files >"$SCRATCH/files"
  run tar -cf "$SCRATCH/copy.tar" -C "$PROJECT_DIR" --null --files-from "$SCRATCH/files" || return
  run tar -xf "$SCRATCH/copy.tar" -C "$work" --no-same-owner || fail "the sources could not be copied to $work" "$(room_words "$RELEASES")"
  rm -f "$SCRATCH/copy.tar"
  # What has to be compiled is compiled by the bundle's own script, and only what the roles need.
  run env -C "$work" "PATH=${NODE_BIN%/*}:$PATH" "${npm[@]}" ci --omit=dev --ignore-scripts ||
    fail "npm could not fetch the packages: $(package_obstacle)" 'run this again when it can; or install a bundle made elsewhere: npm run bundle, --bundle FILE'
  run env -C "$work" "PATH=${NODE_BIN%/*}:$PATH" "npm_config_cache=$work/cache" "SOURCE_DATE_EPOCH=$(stat -c %Y "$PROJECT_DIR/package.json")" \
    "$NODE_BIN" scripts/bundle.mjs --role "$(release_role)" --unpacked "$folder" --id "${name#"$(installer_version)-"}" \
    --commit "$(source_commit)" || fail 'the release could not be built' "see the lines above; $(room_words "$RELEASES")"
  run rm -rf "$work"
}

room_words() { df -Pm "$(existing_parent "$1")" | awk 'NR == 2 { print $4 " MB are free on " $6 (($4 < 100) ? ": make room (sudo apt clean)" : "") }'; }
existing_parent() {
  local path=$1
  while [ ! -e "$path" ]; do path=$(dirname "$path"); done
  printf '%s' "$path"
}
