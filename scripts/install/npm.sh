# shellcheck shell=bash
# npm, where packages are fetched or compiled here: the one that is there; else the one that package.json names with its checksum, as
# one archive in a folder of our own; else the distribution's, which brings more than 350 packages along.

# What a build leaves for the next one: compiled parts. Removed with the releases.
BUILD_CACHE=$INSTALL_DIR/releases/.cache

# Sets BUILD_ENV, to be put before what calls npm, node or node-gyp.
provide_npm() {
  local spec cli node=${NODE_BIN:-/usr/bin/node}
  BUILD_ENV=(env "PATH=${node%/*}:$PATH")
  if has npm || [ -n "$DRY_RUN" ]; then return 0; fi
  if ! has corepack; then
    install_packages npm
    return
  fi
  spec=$(pinned_npm)
  [ -n "$spec" ] || fail "$PROJECT_DIR/package.json names no npm" 'get the project again'
  with_progress "fetching npm $(npm_version "$spec"), 3 MB, into a folder of its own" run fetch_npm "$spec" ||
    fail "npm could not be fetched: $(package_obstacle)" \
      'run this again when it can; or install an archive made elsewhere, which needs no npm: --bundle FILE'
  cli=$(npm_program "$spec")
  [ -n "$cli" ] || fail "Corepack fetched npm, but it is not in $BUILD_CACHE/npm" 'report this; sudo apt install npm helps meanwhile'
  # npm itself tells what it calls where its node-gyp is; who calls node-gyp without it needs to be told too.
  BUILD_ENV+=("npm_config_node_gyp=$(dirname "$(dirname "$cli")")/node_modules/node-gyp/bin/node-gyp.js")
  { mkdir -p "$BUILD_CACHE/npm/bin" && ln -sfn "$cli" "$BUILD_CACHE/npm/bin/npm"; } || fail "$BUILD_CACHE/npm/bin could not be written"
  BUILD_ENV[1]="PATH=$BUILD_CACHE/npm/bin:${node%/*}:$PATH"
}

# Whether npm comes from the distribution: neither is it there, nor what fetches one archive of it (Corepack, a part of nodejs in Debian 13).
needs_distributions_npm() { ! has npm && ! has corepack; }

pinned_npm() { sed -n 's/^ *"packageManager": "\(npm@[0-9.]*+sha512\.[0-9a-f]*\)".*/\1/p' "$PROJECT_DIR/package.json"; }
npm_version() { sed 's/^npm@//; s/+.*//' <<<"$1"; }
# Newer versions of Corepack have a folder more.
npm_program() { find "$BUILD_CACHE/npm" -maxdepth 5 -path "*/npm/$(npm_version "$1")/bin/npm-cli.js" 2>/dev/null | head -n 1; }

# Corepack compares the archive with the checksum before anything of it runs. It reads none of npm's settings, so these are handed on.
fetch_npm() {
  local settings=(COREPACK_HOME="$BUILD_CACHE/npm" COREPACK_ENABLE_DOWNLOAD_PROMPT=0) value
  value=$(npm_setting registry)
  [ -z "$value" ] || settings+=(COREPACK_NPM_REGISTRY="${value%/}")
  value=$(npm_setting cafile)
  [ -z "$value" ] || settings+=(NODE_EXTRA_CA_CERTS="$value")
  value=$(npm_setting https-proxy)
  [ -z "$value" ] || settings+=(HTTPS_PROXY="$value")
  mkdir -p "$BUILD_CACHE/npm" && env -C "$BUILD_CACHE/npm" "${settings[@]}" "PATH=${NODE_BIN%/*}:$PATH" "$(command -v corepack)" "$1" --version
}

# npm_setting NAME: as npm would find it, in the environment, the project's file, or the user's.
npm_setting() {
  local variable=npm_config_${1//-/_} file value
  if [ -n "${!variable-}" ]; then
    printf '%s' "${!variable}"
    return
  fi
  for file in "$PROJECT_DIR/.npmrc" "${HOME:-/root}/.npmrc" /etc/npmrc; do
    value=$(sed -n "s/^ *$1 *= *\"\{0,1\}\([^\"]*\)\"\{0,1\} *$/\1/p" "$file" 2>/dev/null | tail -n 1)
    if [ -n "$value" ]; then
      printf '%s' "$value"
      return
    fi
  done
}

# After a release was made: npm and what it fetched. The newest compiled parts stay, a few megabytes, and save the next upgrade its half hour.
tidy_build_cache() {
  local kept=12
  [ -d "$BUILD_CACHE" ] || return 0
  run rm -rf "$BUILD_CACHE/npm" "$BUILD_CACHE/packages" "$BUILD_CACHE"/techtemp-headers-* || return
  find "$BUILD_CACHE" -type f -printf '%T@ %p\n' | sort -rn | tail -n +$((kept + 1)) | cut -d' ' -f2- | xargs -r -d '\n' rm -f
}
