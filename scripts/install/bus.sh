# shellcheck shell=bash
# shellcheck disable=SC2034 # some of what is set here is read by the other modules
# The I2C bus: switched on now and at every start, its driver loaded, its devices open to group i2c, and the bus found on which a
# sensor answers.

MODULES_FILE=/etc/modules-load.d/techtemp.conf
# 89, as `stat` writes it; see admin-guide/devices.txt of the kernel.
I2C_MAJOR=59
UDEV_FILE=/etc/udev/rules.d/60-techtemp-i2c.rules

provide_bus() {
  step 'I2C bus'
  load_bus_driver
  switch_bus_on
  open_bus_to_group
  if [ -n "$(i2c_nodes)" ]; then
    detail "there: $(i2c_nodes | paste -sd ' ')"
  elif [ -n "${REBOOT_NEEDED-}" ]; then
    warn "there is no /dev/i2c-* before the next start of this machine"
  elif [ -z "$DRY_RUN" ]; then
    warn 'this machine shows no I2C bus (/dev/i2c-*): the agent runs, and measures as soon as there is one'
  fi
}

# i2c_nodes: the devices of the driver i2c-dev, a line each. Others may have given something else such a name.
i2c_nodes() {
  local node
  for node in /dev/i2c-*; do
    if [[ $node =~ ^/dev/i2c-[0-9]+$ ]] && [ ! -L "$node" ] && [ -c "$node" ] && [ "$(stat -c %t "$node")" = "$I2C_MAJOR" ]; then
      printf '%s\n' "$node"
    fi
  done
}

# The device nodes come from a module that nothing loads by itself.
load_bus_driver() {
  install_file "$MODULES_FILE" 0644 root:root <<<'i2c-dev' || :
  [ ! -d /sys/class/i2c-dev ] || return 0
  run modprobe i2c-dev || warn 'the driver i2c-dev could not be loaded; it is tried again at the next start'
}

# On a Raspberry Pi the firmware switches the bus on, as config.txt says; elsewhere there is nothing to do.
switch_bus_on() {
  local config bus_node kept
  config=$(find_config_txt) || return 0
  bus_node=/dev/i2c-${I2C_BUS:-1}
  # In a section for another model it would not count; where the bus is there, some section did.
  case $(i2c_in_config "$config") in
  on) return 0 ;;
  section) [ ! -e "$bus_node" ] || return 0 ;;
  esac
  if [ -z "$DRY_RUN" ]; then
    kept=$config.before-techtemp
    [ -e "$kept" ] || cp -p "$config" "$kept" || fail "$config could not be copied before it is changed" "is there room on $(dirname "$config")?"
    manifest_add file "$kept"
    on_undo "$config is as it was" restore_file "$kept" "$config"
  fi
  if has raspi-config; then
    run raspi-config nonint do_i2c 0 || warn 'raspi-config could not switch the bus on; it is written directly'
  fi
  # Also where raspi-config did something else than was asked of it.
  if [ "$(i2c_in_config "$config")" != on ]; then add_to_config_txt "$config"; fi
  [ -n "$DRY_RUN" ] || diff "$kept" "$config" | sed -n 's/^[<>]/    &/p' >>"$LOG_FILE" || :
  changed "switched I2C on in $config (before: $config.before-techtemp)"
  [ -e "$bus_node" ] || ! has dtparam || run dtparam i2c_arm=on || :
  [ -e "$bus_node" ] || [ -n "$DRY_RUN" ] || REBOOT_NEEDED='I2C was switched on, and the bus appears at the next start'
}

# The new place first: on Bookworm and later the old one is only a note that is not used.
find_config_txt() {
  local file
  for file in /boot/firmware/config.txt /boot/config.txt; do
    if [ -f "$file" ]; then
      printf '%s\n' "$file"
      return 0
    fi
  done
  return 1
}

# on: for every model; section: only for some; off: switched off or not mentioned. The last word counts, as it does for the
# firmware. An overlay that makes a bus of its own does as well.
i2c_in_config() {
  awk '
    { sub(/\r$/, ""); sub(/#.*/, ""); gsub(/^[ \t]+|[ \t]+$/, "") }
    /^\[/ { filtered = ($0 != "[all]"); next }
    /^dtoverlay=i2c/ { if (filtered) some = 1; else all = 1; next }
    /^(dtparam|device_tree_param)=/ {
      sub(/^[^=]*=/, "")
      count = split($0, part, ",")
      for (i = 1; i <= count; i++) {
        if (part[i] !~ /^i2c(1|_arm)?(=.*)?$/) continue
        value = part[i]; sub(/^[^=]*=?/, "", value)
        is_on = (value == "" || value == "on" || value == "yes" || value == "true" || value == "1" || value == "okay")
        if (filtered) { if (is_on) some = 1 } else all = is_on
      }
    }
    END { print all ? "on" : some ? "section" : "off" }' "$1"
}

# Under [all], whatever section the file ends in, and whether or not its last line has an end.
add_to_config_txt() {
  local config=$1 draft
  if [ -n "$DRY_RUN" ]; then
    printf '    $ append "[all]" and "dtparam=i2c_arm=on" to %s\n' "$config"
    return 0
  fi
  draft=$config.techtemp-new
  {
    cat "$config"
    [ -z "$(tail -c 1 "$config")" ] || printf '\n'
    printf '[all]\ndtparam=i2c_arm=on\n'
  } >"$draft" || fail "$config could not be written" "is there room on $(dirname "$config")?"
  { sync "$draft" && mv -f "$draft" "$config"; } || fail "$config could not be replaced"
  manifest_add line "$config"$'\tdtparam=i2c_arm=on'
}

# Raspberry Pi OS has a rule for this, and so has the package i2c-tools; plain Debian has none.
open_bus_to_group() {
  local node
  if ! grep -rqsE '^[^#]*i2c-dev.*GROUP="i2c"' /etc/udev/rules.d /usr/lib/udev/rules.d /lib/udev/rules.d || [ -e "$UDEV_FILE" ]; then
    if install_file "$UDEV_FILE" 0644 root:root <<<'SUBSYSTEM=="i2c-dev", GROUP="i2c", MODE="0660"'; then
      run udevadm control --reload || :
    fi
  fi
  for node in $(i2c_nodes); do
    if [ "$(stat -c %G "$node")" = i2c ]; then continue; fi
    run udevadm trigger --action=add --settle "$node" || :
    # Where udev does not run, or an older rule wins: at least until the next start.
    [ "$(stat -c %G "$node")" = i2c ] || [ -n "$DRY_RUN" ] || run chgrp i2c "$node" || :
    run chmod g+rw "$node" || :
    changed "$node belongs to group i2c"
  done
}

# Asks for the bus on which a sensor answers, with the agent's own eyes: i2cdetect would only see that somebody is there. For a
# new configuration alone; what is configured is not overruled.
find_sensor() {
  local node bus
  if [ -n "$I2C_BUS" ] || [ -e "$CONFIG_DIR/device.conf" ] || [ -n "$DRY_RUN" ]; then return 0; fi
  step 'sensor'
  # The header's bus first; a Pi 5 has more, for its screens and cameras.
  for node in $(i2c_nodes | sed -n '\,/i2c-1$,p') $(i2c_nodes); do
    bus=${node#/dev/i2c-}
    if device_command read --config "$(shipped_config device)" --set "sensor.i2c_bus=$bus" --json >"$SCRATCH/sensor" 2>&1 </dev/null; then
      detail "answers on $node: $(reading_in_words "$SCRATCH/sensor")"
      [ "$bus" = 1 ] || I2C_BUS=$bus
      return 0
    fi
    log_line "$node: $(tr '\n' ' ' <"$SCRATCH/sensor")"
  done
  warn 'no sensor answers on any I2C bus; going on, the agent looks for it all the time'
}
reading_in_words() {
  sed -n 's/.*"temperature_c": *\(-\?[0-9.]*\).*"humidity_pct": *\([0-9.]*\).*/\1 °C, \2 %/p' "$1" | sed -n 1p
}
