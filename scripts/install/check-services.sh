# shellcheck shell=bash
# The part of --check that looks at our services: their units, the walls around them, and what the doctors inside say.

check_units() {
  local unit state folder
  [ -n "$(our_units)" ] || { unexamined 'Services' 'none is installed' && return 0; }
  for unit in $(our_units); do
    state=$(systemctl is-active "$unit" 2>/dev/null) || :
    if [ "$state" != active ]; then
      wrong 'Service' "$unit is ${state:-unknown}" '' "journalctl -u $unit -n 30"
    elif ! systemctl is-enabled --quiet "$unit" 2>/dev/null; then
      doubtful 'Service' "$unit runs, but does not start at boot" 'somebody has disabled it' "sudo systemctl enable $unit"
    elif [ "$(systemctl show -p NeedDaemonReload --value "$unit")" = yes ]; then
      doubtful 'Service' "$unit runs with older settings than its file has" 'the file was changed' "sudo systemctl daemon-reload; sudo systemctl restart $unit"
    else
      fine 'Service' "$unit runs, and starts at boot"
    fi
    folder=$UNIT_DIR/$unit.d
    [ ! -d "$folder" ] || unexamined 'Service' "$unit has drop-ins of yours in $folder"
  done
}

# A kernel without BPF for cgroups ignores DevicePolicy= without a word, so it is tried: a program within the walls of our units
# opens a device that is none of its business. Opening this one does nothing.
check_sandbox() {
  local node=/dev/kmsg walls=() wall unit
  [ -n "$(our_units)" ] || return 0
  unit=$(our_units | sed -n 1p)
  while IFS= read -r wall; do walls+=(-p "$wall"); done < <(walls_of "$unit")
  if ! has systemd-run || ! walled -p "TimeoutStartSec=20" head -c 0 "$node"; then
    unexamined 'Sandbox' 'programs can not be started through systemd here'
  elif walled "${walls[@]}" head -c 0 "$node"; then
    doubtful 'Sandbox' "within the walls of $unit, $node can be opened" \
      'the kernel does not enforce DevicePolicy= (CONFIG_CGROUP_BPF), or a drop-in takes it away' "systemctl cat $unit"
  else
    fine 'Sandbox' "other devices than the service's own are refused"
  fi
}

walls_of() { systemctl show "$1" -p DevicePolicy | grep .; printf 'DeviceAllow=char-i2c rw\n'; }
walled() { systemd-run --quiet --wait --collect --service-type=exec "$@" >/dev/null 2>&1; }

# run_doctors: each in its own words; fails when one of them finds a failure.
run_doctors() {
  local unit status=0
  if [ -z "$RELEASE_DIR" ] || [ -z "$NODE_VERSION" ]; then return 0; fi
  for unit in $(our_units); do
    printf '\n'
    case $unit in
    techtemp-device.service) examine_device || status=1 ;;
    *) examine_server "$unit" || status=1 ;;
    esac
  done
  return "$status"
}

# As root: it sees who else has the bus open, and only reads.
examine_device() { as_root techtemp-device techtemp.mqtt-password check --config "$DEVICE_CONFIG"; }

# as_root PROGRAM CREDENTIAL ARGUMENTS...: with the password where the unit gets it, and without the environment of this shell.
as_root() {
  local program=$1 credential=$2 credentials status=0
  shift 2
  credentials=$(mktemp -d "$SCRATCH/credentials.XXXXXX")
  [ ! -e "$CREDENTIAL_DIR/$credential" ] || ln -s "$CREDENTIAL_DIR/$credential" "$credentials/mqtt-password"
  env -i PATH="$PATH" LANG=C.UTF-8 CREDENTIALS_DIRECTORY="$credentials" "$NODE_BIN" "$RELEASE_DIR/dist/$program.js" "$@" </dev/null ||
    status=$?
  rm -rf "$credentials"
  return "$status"
}

# As the server's own user and where it lives, so that what it may not do is found; as root when it does not run.
examine_server() {
  local unit=$1 pid name=server config
  case $unit in *@*)
    name=${unit#techtemp-server@}
    name=server-${name%.service}
    ;;
  esac
  config=$CONFIG_DIR/$name.conf
  pid=$(systemctl show -p MainPID --value "$unit" 2>/dev/null) || pid=0
  if [ "${pid:-0}" = 0 ]; then
    as_root techtemp-server "techtemp-$name.mqtt-password" check --config "$config"
    return
  fi
  nsenter --target "$pid" --mount -- setpriv --reuid="$(stat -c %u "/proc/$pid")" --regid="$(stat -c %g "/proc/$pid")" \
    --groups="$(getent group techtemp | cut -d : -f 3)" --inh-caps=-all --no-new-privs \
    env -i PATH="$PATH" LANG=C.UTF-8 STATE_DIRECTORY="/var/lib/techtemp-$name" CREDENTIALS_DIRECTORY="/run/credentials/$unit" \
    "$NODE_BIN" "$RELEASE_DIR/dist/techtemp-server.js" check --config "$config" </dev/null
}
