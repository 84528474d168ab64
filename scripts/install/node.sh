# shellcheck shell=bash
# shellcheck disable=SC2034 # some of what is set here is read by the other modules
# Node.js where systemd finds it, new enough: the one that is there, else the distribution's, else NodeSource's, said before it is
# done. And what compiling needs, where a release is built here.

# Where systemd looks for a program without a path, in this order.
NODE_FOLDERS=(/usr/local/sbin /usr/local/bin /usr/sbin /usr/bin)
BUILD_TOOLS=(g++ make python3 libsystemd-dev)
NODESOURCE=${TECHTEMP_NODESOURCE:-https://deb.nodesource.com}

# Sets NODE_BIN and NODE_VERSION.
provide_node() {
  step 'Node.js'
  NODE_MINIMUM=$(sed -n 's/.*"node": *">=\([0-9.]*\)".*/\1/p' "$PROJECT_DIR/package.json")
  if find_node; then
    detail "$NODE_BIN $NODE_VERSION"
    return 0
  fi
  local candidate
  refuse_hidden_node
  [ -z "$NODE_BIN" ] || detail "$NODE_BIN is ${NODE_VERSION:-broken}, $NODE_MINIMUM or newer is needed"
  [ -n "$SKIP_APT" ] || update_package_lists
  candidate=$(candidate_of nodejs)
  if [ -z "$candidate" ] && ! has_package_lists; then
    # Unknown is not the same as none.
    [ -n "$DRY_RUN" ] ||
      fail "it is not known which Node.js this distribution has: its package lists are not here, and could not be fetched: $(package_obstacle)" \
        'sudo apt-get update says why; then run this again; or install Node.js yourself'
    detail "it is not known yet which Node.js this distribution has: its package lists are not here (apt-get update)"
    detail "if it is $NODE_MINIMUM or newer, it is taken; else Node.js comes from $NODESOURCE, which is asked for first"
  elif is_new_enough "$candidate"; then
    detail "Node.js $candidate of this distribution is new enough"
    install_node
  else
    detail "this distribution has ${candidate:-no Node.js}${candidate:+, which is older than $NODE_MINIMUM}"
    add_nodesource
    install_node
  fi
  find_node || [ -n "$DRY_RUN" ] || fail "Node.js was installed, but $NODE_MINIMUM or newer is still not found in ${NODE_FOLDERS[*]}" \
    'apt policy nodejs shows where it came from'
  NODE_BIN=${NODE_BIN:-/usr/bin/node}
  [ -n "$DRY_RUN" ] || detail "$NODE_BIN $NODE_VERSION"
}

# The first node that systemd would find, and its version; fails when there is none, it does not run, or it is too old.
find_node() {
  local folder
  NODE_BIN='' NODE_VERSION=''
  for folder in "${NODE_FOLDERS[@]}"; do
    if [ -x "$folder/node" ]; then
      NODE_BIN=$folder/node
      NODE_VERSION=$("$NODE_BIN" -p process.versions.node 2>/dev/null </dev/null) || NODE_VERSION=''
      is_new_enough "$NODE_VERSION"
      return
    fi
  done
  return 1
}

is_new_enough() { [ -n "$1" ] && [ "$(printf '%s\n' "$NODE_MINIMUM" "$1" | sort -V | head -n 1)" = "$NODE_MINIMUM" ]; }

# A node that no package brought comes first in systemd's path: a package cannot correct that, and we do not touch what we did not install.
refuse_hidden_node() {
  [ -n "$NODE_BIN" ] || return 0
  case $NODE_BIN in
  /usr/local/*)
    fail "$NODE_BIN is ${NODE_VERSION:-broken}, and systemd would take it before any other; $NODE_MINIMUM or newer is needed" \
      "bring it up to date the way it was installed, or move it away: sudo mv $NODE_BIN $NODE_BIN.old"
    ;;
  esac
}

# The version that apt would install, without epoch and the distribution's own numbers.
candidate_of() {
  # Read to its end: a sed that quits early breaks the pipe, and with it the step.
  apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*:\)\?\([0-9.]*\).*/\2/p'
}

# Whether apt knows any package that could be installed: a new system has no lists, and one that was cleaned has none again.
has_package_lists() { compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; }

# Upgrades too: install_packages would be content with an old one.
install_node() {
  if is_installed nodejs; then
    apt install nodejs || fail "apt could not bring nodejs up to date: $(package_obstacle)"
    changed 'brought nodejs up to date'
  else
    install_packages nodejs
  fi
}

# NodeSource's repository for nodejs alone, in files of its own; nothing else is ever taken from there.
add_nodesource() {
  local major=24 key=/etc/apt/keyrings/techtemp-nodesource.asc list=/etc/apt/sources.list.d/techtemp-nodesource.sources draft
  [ -z "$SKIP_APT" ] || fail "Node.js $NODE_MINIMUM or newer is missing, and --skip-apt was given" 'install it; then run this again'
  if [ -n "$ARMV6" ]; then
    fail "only Raspberry Pi OS 13 (Trixie) has packages of Node.js $NODE_MINIMUM for ARMv6" 'install that system, 32 bit, and run this again'
  fi
  # There are none of 24 for 32 bit, and those of 22 end with 22.15.
  [ "$ARCHITECTURE" != armhf ] || major=22
  say "  Node.js $major would be installed from $NODESOURCE, a repository beside those of this system: its key and address are"
  say "  written to $key and $list, and only nodejs is taken from there."
  [ -n "$DRY_RUN" ] || confirm '  Do that?' ||
    fail "Node.js $NODE_MINIMUM or newer is missing, and the repository was not agreed to" \
      '--yes agrees to it; or install Node.js yourself and run this again'
  install_packages ca-certificates
  draft=$SCRATCH/nodesource.asc
  # apt's own fetcher: curl need not be there, and a proxy of apt's holds for it too.
  run /usr/lib/apt/apt-helper download-file "$NODESOURCE/gpgkey/nodesource-repo.gpg.key" "$draft" ||
    fail "the key of $NODESOURCE could not be fetched: $(package_obstacle)" 'run this again when it can; or install Node.js yourself'
  if [ -z "$DRY_RUN" ] && [ "$(head -n 1 "$draft")" != '-----BEGIN PGP PUBLIC KEY BLOCK-----' ]; then
    fail "what came from $NODESOURCE is not a key but: $(head -c 60 "$draft" | tr -cd '[:print:]')" 'a machine between here and there answered instead'
  fi
  [ -n "$DRY_RUN" ] || install_copy "$draft" "$key" 0644 root:root || :
  install_file "$list" 0644 root:root <<END || :
Types: deb
URIs: $NODESOURCE/node_$major.x
Suites: nodistro
Components: main
Architectures: $ARCHITECTURE
Signed-By: $key
END
  install_file /etc/apt/preferences.d/techtemp-nodesource 0644 root:root <<END || :
Package: nodejs
Pin: release n=nodistro
Pin-Priority: 600

Package: *
Pin: release n=nodistro
Pin-Priority: -1
END
  # Only this list: others, that may be broken, are none of our business here.
  apt update -o Dir::Etc::SourceList="$list" -o Dir::Etc::SourceParts=- -o APT::Get::List-Cleanup=0 ||
    fail "the list of $NODESOURCE could not be fetched: $(package_obstacle)" 'run this again when it can; or install Node.js yourself'
  [ -n "$DRY_RUN" ] || is_new_enough "$(candidate_of nodejs)" ||
    fail "$NODESOURCE has no Node.js $NODE_MINIMUM for $ARCHITECTURE" 'install Node.js yourself; then run this again'
}

# What compiling needs. Called where a release is built here, or its ready-made native parts do not fit.
provide_build_tools() {
  local before after name tools=("${BUILD_TOOLS[@]}")
  if needs_distributions_npm; then tools+=(npm); fi
  if needs_distributions_headers; then tools+=(libnode-dev); fi
  before=$(installed_packages)
  install_packages "${tools[@]}"
  provide_npm
  [ -z "$DRY_RUN" ] || return 0
  after=$(installed_packages)
  # Everything that came with them, so that it can go with them.
  comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after") | while IFS= read -r name; do
    [ -z "$name" ] || manifest_add build-package "$name"
  done
}

# Debian has the headers of its Node.js in a package of their own; NodeSource's nodejs and the archives of nodejs.org contain them.
needs_distributions_headers() {
  [ "${NODE_BIN-}" = /usr/bin/node ] && [ ! -e /usr/include/node/node_version.h ] && [ "$(candidate_of libnode-dev)" = "${NODE_VERSION:-$(candidate_of nodejs)}" ]
}

# Only what we brought, and only if nothing else has come to need it since.
remove_build_tools() {
  local packages removed
  step 'what only building needed'
  mapfile -t packages < <(manifest_list build-package)
  if [ "${#packages[@]}" = 0 ]; then
    detail 'none was brought by this script'
    return 0
  fi
  removed=$(apt-get -s remove "${packages[@]}" 2>/dev/null | sed -n 's/^Remv \([^ ]*\).*/\1/p' | sort)
  if [ -n "$(comm -23 <(printf '%s\n' "$removed") <(printf '%s\n' "${packages[@]}" | sort))" ]; then
    warn "other packages have come to need them: $(comm -23 <(printf '%s\n' "$removed") <(printf '%s\n' "${packages[@]}" | sort) | tr '\n' ' '); they stay"
    return 0
  fi
  apt remove "${packages[@]}" || fail "apt could not remove ${packages[*]}" 'see the lines above'
  local name
  for name in "${packages[@]}"; do
    manifest_remove build-package "$name"
    manifest_remove package "$name"
    manifest_remove brought "$name"
  done
  changed "removed ${#packages[@]} packages that only building needed"
}
