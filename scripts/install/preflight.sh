# shellcheck shell=bash
# shellcheck disable=SC2034 # some of what is set here is read by the other modules
# Whether this machine can take the installation, before anything is touched. What can't work is refused with its reason; what may
# work is a warning: systems that are newer than this script are judged by what they can do, not by their name.

# What the units need; Debian 12 has it.
LOWEST_SYSTEMD=252
# Free space in MB: a release from a bundle; one that is built here, with compiler and sources.
ROOM_FOR_BUNDLE=200
ROOM_FOR_BUILDING=1200

preflight() {
  step 'this machine'
  examine_architecture
  examine_system
  examine_file_systems
  examine_memory
  examine_clock
  examine_packages
  examine_ports
}

# Not uname: Raspberry Pi OS with 32 bit runs on a kernel with 64, which says aarch64.
examine_architecture() {
  { has dpkg && has apt-get; } || fail 'this is no Debian, Raspberry Pi OS or relative of them: dpkg and apt-get are missing' \
    'see the docs for installing by hand'
  ARCHITECTURE=$(dpkg --print-architecture)
  ARMV6=''
  case $ARCHITECTURE in
  amd64 | arm64) ;;
  armhf | armel) [ "$(uname -m)" != armv6l ] || ARMV6=1 ;;
  *) warn "TechTemp was never tried on the architecture $ARCHITECTURE; what must be compiled is compiled here" ;;
  esac
  detail "$(pi_model), $ARCHITECTURE${ARMV6:+, ARMv6}"
  if [ -n "$ARMV6" ]; then
    warn 'this is one of the first Raspberry Pis (ARMv6): nothing compiled elsewhere runs here, so the native parts are compiled on it, which takes about half an hour'
  fi
  if [ -n "$ROLE_SERVER" ] && [ -n "$ARMV6" ]; then
    fail 'the server needs more than an ARMv6 Raspberry Pi' '--role device here, and the server on another machine'
  fi
}

# The device tree ends its strings with a zero byte.
pi_model() { tr -d '\0' 2>/dev/null </proc/device-tree/model || echo 'no Raspberry Pi'; }

examine_system() {
  local name version id=''
  name=$(os_value PRETTY_NAME)
  id="$(os_value ID) $(os_value ID_LIKE)"
  case $id in
  *debian* | *raspbian*) ;;
  *) warn "${name:-this system} is not Debian or a relative of it; going on by what it can do" ;;
  esac
  case $(os_value ID)-$(os_value VERSION_ID) in
  debian-12 | debian-13 | raspbian-12 | raspbian-13) ;;
  *) warn "${name:-this system} was not tried; going on by what it can do" ;;
  esac
  [ -d /run/systemd/system ] || fail 'systemd does not run here, and it is what starts and watches the services' \
    'in a container, see config/container/'
  version=$(systemd-analyze --version 2>/dev/null | awk 'NR == 1 { print int($2) }')
  [ "${version:-0}" -ge "$LOWEST_SYSTEMD" ] ||
    fail "systemd ${version:-of unknown version} is too old: $LOWEST_SYSTEMD is needed" 'Debian 12, Raspberry Pi OS of 2023 (Bookworm), or newer'
  detail "${name:-unknown system}, systemd $version"
}
os_value() { sed -n "s/^$1=//p" /etc/os-release 2>/dev/null | tr -d '"'; }

examine_file_systems() {
  local path kind options free need=$ROOM_FOR_BUILDING
  if [ -n "$BUNDLE_FILE" ] || [ -e "$PROJECT_DIR/RELEASE" ]; then need=$ROOM_FOR_BUNDLE; fi
  for path in "$INSTALL_DIR" "$CONFIG_DIR" /var/lib; do
    while [ ! -e "$path" ]; do path=$(dirname "$path"); done
    kind=$(findmnt -n -o FSTYPE -T "$path" | tail -n 1)
    options=$(findmnt -n -o OPTIONS -T "$path" | tail -n 1)
    case $kind in
    overlay | tmpfs | ramfs)
      [ -n "$FORCE" ] || fail "$path lies in memory ($kind): the installation, and every reading, would be gone after the next start" \
        'switch the overlay off: sudo raspi-config nonint do_overlayfs 1, then restart (--force installs all the same)'
      ;;
    esac
    case ,$options, in *,ro,*) fail "$path is mounted read-only" 'sudo mount -o remount,rw ...; if it came by itself, the card may be failing: dmesg' ;; esac
    free=$(df -Pm "$path" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$need" ] || [ -n "$FORCE" ] ||
      fail "$path has $free MB free, $need MB are needed" 'make room (sudo apt clean; sudo journalctl --vacuum-size=50M), or take a bundle, which needs less'
  done
  detail "$free MB free"
}

examine_memory() {
  local total
  total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
  detail "$total MB of memory"
  [ "$total" -ge 200 ] || warn 'less than 200 MB of memory: the agent runs in it, other services may not'
  if [ -n "$ROLE_SERVER" ] && [ "$total" -lt 400 ]; then warn 'less than 400 MB of memory is little for the server'; fi
}

# A Raspberry Pi without a network wakes up in the past. apt and TLS then find everything "not valid yet".
examine_clock() {
  local waited=0 limit=${CLOCK_WAIT_SECONDS:-30} newest
  is_synchronized && return 0
  newest=$(newest_known_time)
  if [ -z "$DRY_RUN" ] && has_route; then
    detail "the clock has not been set from the network yet: waiting up to $limit s"
    while [ "$waited" -lt "$limit" ]; do
      sleep 1
      waited=$((waited + 1))
      is_synchronized && return 0
    done
  fi
  if [ "$(date +%s)" -lt "$newest" ]; then
    fail "the clock says $(date '+%F %H:%M'), but this system has files of $(date -d "@$newest" '+%F %H:%M'): it is in the past" \
      "connect the network so that the time can be fetched, or set it: sudo date -s '$(date -d "@$newest" '+%F') 12:00'"
  fi
  if [ -z "$(clock_answer)" ]; then
    warn "it is not known whether the clock was set from the network: timedatectl gives no answer; it says $(date '+%F %H:%M')"
    return 0
  fi
  warn "the clock was not set from the network; it says $(date '+%F %H:%M'). Readings wait until the time is right, or are marked"
}
# timedatectl asks a service that has to be started for it; without an answer it is what the time service has left as a mark.
is_synchronized() {
  case $(clock_answer) in
  yes) return 0 ;;
  no) return 1 ;;
  *) [ -e /run/systemd/timesync/synchronized ] ;;
  esac
}
clock_answer() { timedatectl show -p NTPSynchronized --value 2>/dev/null || :; }
newest_known_time() {
  # Not every system has all of these.
  { stat -c %Y "$PROJECT_DIR/package.json" /var/lib/dpkg/status /var/lib/systemd/timesync/clock /etc/os-release 2>/dev/null || :; } | sort -n | tail -n 1
}

examine_packages() {
  local broken
  broken=$(dpkg --audit 2>/dev/null || :)
  [ -n "$broken" ] || return 0
  detail 'an earlier installation of packages was interrupted: it is completed first'
  wait_for_apt
  run dpkg --configure -a || fail 'dpkg --configure -a failed' 'sudo dpkg --configure -a; sudo apt --fix-broken install'
  changed 'completed the interrupted installation of packages'
}

# Only the ports that this installation wants.
examine_ports() {
  local port config
  if [ -n "$WITH_BROKER" ]; then
    port=${BROKER_PORT:-1883}
    [ -z "$BROKER_TLS" ] || port=${BROKER_PORT:-8883}
    need_port "$port" 'the broker' mosquitto 'stop that program, or use its broker: --broker HOST:PORT instead of --with-broker'
  fi
  if [ -n "$ROLE_SERVER" ]; then
    config=$CONFIG_DIR/server${INSTANCE:+-$INSTANCE}.conf
    # A further instance is given a free port when its configuration is written.
    [ -e "$config" ] || [ -z "$INSTANCE" ] || return 0
    need_port "${HTTP_PORT:-$(server_port "$config")}" 'the server' "$config" "stop that program, or write another port under [http] in $config"
  fi
}
server_port() { # CONFIG
  local port
  port=$(awk -F= '/^[ \t]*\[/ { here = /\[http\]/ } here && $1 ~ /^[ \t]*port[ \t]*$/ { gsub(/[ \t]/, "", $2); print $2 }' "$1" 2>/dev/null | tail -n 1)
  printf '%s' "${port:-3000}"
}

need_port() { # PORT FOR_WHOM WORD_IN_OUR_COMMAND_LINE REMEDY
  local holder pid
  has ss || return 0
  holder=$(ss -Hltnp "sport = :$1" | sed -n 1p)
  [ -n "$holder" ] || return 0
  pid=$(sed -n 's/.*pid=\([0-9]*\).*/\1/p' <<<"$holder")
  if [ -n "$pid" ] && grep -qaF -- "$3" "/proc/$pid/cmdline" 2>/dev/null; then return 0; fi
  fail "port $1, which $2 wants, is taken by $(port_holder "$pid")" "$4"
}
port_holder() {
  [ -n "$1" ] || { echo 'a program that could not be found out' && return; }
  printf '%s (process %s: %s)' "$(cat "/proc/$1/comm")" "$1" "$(tr '\0' ' ' <"/proc/$1/cmdline" | cut -c1-120)"
}
