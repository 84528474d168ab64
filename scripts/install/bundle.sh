# shellcheck shell=bash
# The three forms in which a release comes, an archive, its unpacked folder or the sources, each made into one folder that is
# whole: every file as SHA256SUMS says, and none besides.

# bundle_name FILE: the name that the bundle gives itself; what is no whole bundle of ours ends here.
bundle_name() {
  local file=$1 list name
  [ -f "$file" ] || fail "there is no file $file" 'npm run bundle makes one, in the folder bundle/'
  gzip -t "$file" 2>/dev/null || fail "$file is damaged or not complete: $(bundle_size "$file")" 'fetch or copy it again'
  compare_checksum "$file" "$file.sha256"
  compare_checksum "$file" "$(dirname "$file")/SHA256SUMS"
  list=$(tar -tzvf "$file" 2>/dev/null) || fail "$file is no archive that tar can read" 'npm run bundle makes one'
  # Nothing but files and folders, all below one folder with the name of a release.
  name=$(awk '{ path = $6; sub("/.*", "", path) }
    $1 !~ /^[-d]/ || $6 ~ /(^\/|\/\/|(^|\/)\.\.(\/|$))/ || path !~ /^techtemp-[0-9A-Za-z.+-]+$/ { exit 1 }
    !seen[path]++ { print path }' <<<"$list") || name=''
  if [ -z "$name" ] || [ "$name" != "${name%%$'\n'*}" ]; then fail "$file is not a bundle of TechTemp" 'npm run bundle makes one'; fi
  printf '%s' "${name#techtemp-}"
}
# compare_checksum FILE LIST: where the list is there and names the file.
compare_checksum() {
  local wanted found
  wanted=$(awk -v name="$(basename "$1")" '$2 == name || $2 == "*" name { print $1 }' "$2" 2>/dev/null | tail -n 1)
  [ -n "$wanted" ] || return 0
  found=$(sha256sum "$1")
  [ "$wanted" = "${found%% *}" ] ||
    fail "$1 has another checksum than $2 says" 'fetch or copy both again'
}
bundle_size() { printf '%s bytes, sha256 %s' "$(stat -c %s "$1")" "$(sha256sum "$1" | cut -c1-16)"; }

# unpack_bundle FILE FOLDER
unpack_bundle() {
  run mkdir -p "$2" || return
  with_progress "unpacking $(($(stat -c %s "$1") / 1000000)) MB: $(about 2)" run tar -xzf "$1" -C "$2" --strip-components=1 --no-same-owner --no-same-permissions ||
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
# Node.js, which is not known before it is installed: what does not fit another one is compiled again (fit_release).
source_name() {
  local commit key
  commit=$(source_commit)
  key=$({
    source_files | sort -z | (cd "$PROJECT_DIR" && xargs -0 sha256sum)
    printf '%s %s\n' "$ARCHITECTURE" "$(release_role)"
  } | sha256sum | cut -c1-8)
  printf '%s-%s%s' "$(installer_version)" "${commit:+${commit:0:7}.}" "$key"
}
# Only asked for the name: the clone may belong to another user, and git would refuse root in it.
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
  local name=$1 folder=$2 work=$RELEASES/.build parts
  provide_build_tools
  mapfile -t parts < <(parts_to_compile)
  run rm -rf "$work" || return
  run mkdir -p "$work" || return
  source_files >"$SCRATCH/files"
  run tar -cf "$SCRATCH/copy.tar" -C "$PROJECT_DIR" --null --files-from "$SCRATCH/files" || return
  run tar -xf "$SCRATCH/copy.tar" -C "$work" --no-same-owner || fail "the sources could not be copied to $work" "$(room_words "$RELEASES")"
  rm -f "$SCRATCH/copy.tar"
  # What has to be compiled is compiled by the bundle's own script, and only what the roles need.
  with_progress "fetching $(count_npm_packages) packages of the programs from npm, 30 MB: $(about 10), if the network is fast" run "${BUILD_ENV[@]}" env -C "$work" \
    npm --cache "$BUILD_CACHE/packages" --no-audit --no-fund --loglevel=http ci --omit=dev --ignore-scripts ||
    fail "npm could not fetch the packages: $(package_obstacle)" 'run this again when it can; or install an archive made elsewhere: --bundle FILE'
  with_progress "building the release, and in it ${parts[*]}: $(about $((10 + $(compile_seconds "${parts[@]}"))))" run "${BUILD_ENV[@]}" env -C "$work" \
    "npm_config_cache=$BUILD_CACHE/packages" "SOURCE_DATE_EPOCH=$(stat -c %Y "$PROJECT_DIR/package.json")" \
    "$NODE_BIN" scripts/bundle.mjs --role "$(release_role)" --unpacked "$folder" --cache "$BUILD_CACHE" \
    --id "${name#"$(installer_version)-"}" --commit "$(source_commit)" ||
    fail 'the release could not be built' "see the lines above; what was compiled is kept for the next run; $(room_words "$RELEASES")"
  run rm -rf "$work"
  tidy_build_cache
}

count_npm_packages() {
  "$NODE_BIN" -p 'Object.entries(JSON.parse(fs.readFileSync(process.argv[1])).packages).filter(([name, { dev }]) => name !== "" && dev !== true).length' \
    "$PROJECT_DIR/package-lock.json"
}
# What the roles need compiled, a line each. better-sqlite3 13 comes compiled for 64 bits and Node-API 10.
parts_to_compile() {
  echo sd-notify
  [ -z "$ROLE_DEVICE" ] || echo i2c-bus
  [ -n "$ROLE_SERVER" ] || return 0
  case $ARCHITECTURE in
  amd64 | arm64) [ "$("$NODE_BIN" -p process.versions.napi)" -ge 10 ] || echo better-sqlite3 ;;
  *) echo better-sqlite3 ;;
  esac
}

room_words() { df -Pm "$(existing_parent "$1")" | awk 'NR == 2 { print $4 " MB are free on " $6 (($4 < 100) ? ": make room (sudo apt clean)" : "") }'; }
existing_parent() {
  local path=$1
  while [ ! -e "$path" ]; do path=$(dirname "$path"); done
  printf '%s' "$path"
}
