# shellcheck shell=bash
# Packages of the distribution: apt without questions; it waits for another program that holds apt's lock, and says what went wrong
# when it fails.

APT_LOCKS=(/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock)

# Written before packages are brought, read after it, also by a later run where this one was cut off: what was there.
PACKAGES_BEFORE=$RECORD_DIR/packages-before

# apt COMMAND...: nothing recommended. What an installation brings is noted, the packages that come along too.
apt() {
  local status=0
  wait_for_apt
  [ "$1" != install ] || note_packages_before "${@:2}"
  apt_get "$@" || status=$?
  [ "$1" != install ] || note_packages_brought
  return "$status"
}
apt_get() {
  run env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -q -y -o DPkg::Lock::Timeout="${APT_LOCK_SECONDS:-600}" \
    -o Acquire::Retries=3 -o DPkg::Options::=--force-confdef -o DPkg::Options::=--force-confold --no-install-recommends "$@"
}

# Soon after the first start, Raspberry Pi OS updates itself for minutes. apt's own waiting does not cover the lists.
wait_for_apt() {
  [ -z "${DRY_RUN-}" ] || return 0
  local holder told='' deadline=$((SECONDS + ${APT_LOCK_SECONDS:-600}))
  while holder=$(apt_lock_holder) && [ -n "$holder" ]; do
    [ -n "$told" ] || detail "apt is at work for $holder: waiting for it"
    told=1
    [ "$SECONDS" -lt "$deadline" ] ||
      fail "apt was still locked by $holder after ${APT_LOCK_SECONDS:-600} s" 'wait until it is done, or end it; then run this again'
    sleep 1
  done
}

# The program that holds one of apt's locks, as "name (process 123)"; nothing when they are free.
apt_lock_holder() {
  local pid link lock
  while read -r pid; do
    for link in "/proc/$pid/fd"/*; do
      link=$(readlink "$link" 2>/dev/null) || continue
      for lock in "${APT_LOCKS[@]}"; do
        if [ "$link" = "$lock" ]; then
          printf '%s (process %s)' "$(cat "/proc/$pid/comm" 2>/dev/null || echo 'a program')" "$pid"
          return 0
        fi
      done
    done
  done < <(awk '$2 == "POSIX" && $4 == "WRITE" { print $5 }' /proc/locks 2>/dev/null)
}

# note_packages_before NAME...: first line what is asked for, then what is there. One that came as a need of others, and that apt marks
# as wanted when it is asked for, gets its mark back with --purge.
note_packages_before() {
  local name
  [ -z "${DRY_RUN-}" ] || return 0
  note_packages_brought
  mkdir -p "$RECORD_DIR"
  for name in "$@"; do
    if is_installed "$name" && apt-mark showauto "$name" 2>/dev/null | grep -xF -- "$name" >/dev/null; then manifest_add auto-mark "$name"; fi
  done
  {
    { printf '%s\n' "$*" && installed_packages; } >"$PACKAGES_BEFORE.new" && mv -f "$PACKAGES_BEFORE.new" "$PACKAGES_BEFORE"
  } || fail "$PACKAGES_BEFORE could not be written" "$(room_words "$RECORD_DIR")"
}

# Of what is new, what was asked for and what apt brought for it. Between a run that was cut off and this one, others may have
# installed something: that is marked as wanted.
note_packages_brought() {
  local name named
  if [ -n "${DRY_RUN-}" ] || [ ! -e "$PACKAGES_BEFORE" ]; then return 0; fi
  named=$(head -n 1 "$PACKAGES_BEFORE" | tr ' ' '\n')
  comm -13 <(sed 1d "$PACKAGES_BEFORE" | sort) <(installed_packages) |
    comm -12 - <({ printf '%s\n' "$named" && apt-mark showauto 2>/dev/null; } | sed 's/:.*//' | sort -u) |
    while IFS= read -r name; do
      manifest_add brought "$name"
      ! grep -xF -- "$name" <<<"$named" >/dev/null || manifest_add package "$name"
    done
  rm -f "$PACKAGES_BEFORE"
}

is_installed() { [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]; }
installed_packages() { dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u; }

# install_packages NAME...: those that are missing; they go into the manifest, because what we brought we may remove.
install_packages() {
  local name missing=()
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  [ "${#missing[@]}" -gt 0 ] || return 0
  [ -z "${SKIP_APT-}" ] || fail "missing: ${missing[*]}, and --skip-apt was given" "sudo apt install ${missing[*]}; then run this again"
  update_package_lists
  with_progress "$(package_sizes "${missing[@]}")" apt install "${missing[@]}" || fail "apt could not install ${missing[*]}: $(package_obstacle)" \
    "see the lines above; then run this again, it goes on where it ended"
  for name in "${missing[@]}"; do manifest_add package "$name"; done
  changed "installed ${missing[*]}"
}

# package_sizes NAME...: what apt would do, in words: how many packages, how much to fetch, how much on the disk. Changes nothing.
package_sizes() {
  local names count fetched=0 disk=0 quiet=()
  # Without a cache of its own, apt writes nothing at all.
  [ -z "${DRY_RUN-}" ] || quiet=(-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  names=$(apt-get "${quiet[@]}" -s --no-install-recommends install "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p')
  if [ -z "$names" ]; then
    printf 'installing %s: how many packages that are is known when the package lists have been fetched' "$*"
    return
  fi
  # shellcheck disable=SC2086 # a list of names without spaces
  read -r count fetched disk < <(apt-cache "${quiet[@]}" --no-all-versions show $names 2>/dev/null |
    awk '/^Installed-Size:/ { disk += $2 } /^Size:/ { count += 1; size += $2 } END { printf "%d %.0f %.0f\n", count, size / 1e6, disk / 1024 }')
  printf 'installing %s' "$*"
  [ "$count" -le $# ] || printf ', and what they need'
  printf ': %s packages, %s MB to fetch, %s MB on the disk; %s' "$count" "$fetched" "$disk" "$(about $((count / 5 + fetched / 5 + 2)))"
}

# Once a run. Lists of other vendors that fail must not stop ours: what is missing shows itself at the installation.
update_package_lists() {
  [ -z "${LISTS_UPDATED-}" ] || return 0
  with_progress "fetching the lists of packages: $(about 4)" apt update || warn 'apt-get update had errors; going on with the lists that are there'
  LISTS_UPDATED=1
}

# Why nothing can be fetched, told apart: no network, no names, or the server itself.
package_obstacle() {
  local host
  if [ -n "$(apt-config dump 2>/dev/null | grep -iE '^Acquire::https?::proxy "..*"' || :)" ]; then
    echo 'packages come through a proxy (apt-config dump), which may be the matter'
    return
  fi
  # shellcheck disable=SC2016 # apt's own variable
  host=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | sed -n 's,^https\?://\([^/:]*\).*,\1,p' | sed -n 1p)
  if ! has_route; then
    echo 'this machine has no network (no default route)'
  elif [ -n "$host" ] && ! getent ahosts "$host" >/dev/null; then
    echo "there is a network, but the name $host can not be resolved (DNS)"
  else
    echo "the network works${host:+ and $host is known}, so it is the packages themselves"
  fi
}

has_route() { awk '$2 == "00000000" && $8 == "00000000" { found = 1 } END { exit !found }' /proc/net/route 2>/dev/null || ipv6_route; }
ipv6_route() { awk '$1 ~ /^0+$/ && $2 == "00" && $10 != "lo" { found = 1 } END { exit !found }' /proc/net/ipv6_route 2>/dev/null; }
