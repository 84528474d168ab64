#!/usr/bin/env bash
# Installs TechTemp on this machine (sudo ./bootstrap-pi.sh) or, over ssh, on another one (./bootstrap-pi.sh pi@host), upgrades
# it, examines it and removes it again; --help says more. What it does stands in scripts/install/, a file for each subject.
#
# Everything is in functions and nothing runs before the last line, whose brace is closed at its very end: of a file that was
# cut short in a download, not one command is carried out.
set -euo pipefail

main() {
  PROJECT_DIR=$(cd "$(dirname "${BASH_SOURCE[0]:-.}")" && pwd -P)
  load_modules
  parse_options "$@"
  case $ACTION in
  help)
    print_help
    return
    ;;
  version)
    installer_version
    return
    ;;
  esac
  need_all_modules
  catch_failures
  if [ -n "$TARGET" ]; then
    read_password
    run_remotely
  fi
  root || [ -n "$DRY_RUN" ] ||
    fail 'this changes the system, so it must run as root' "sudo ./bootstrap-pi.sh${LOGGED_ARGUMENTS:+ $LOGGED_ARGUMENTS}"
  outlive_terminal "$@"
  one_at_a_time
  open_log
  tell_last_run
  note_begin
  read_password
  case $ACTION in
  install) install_all ;;
  check) examine ;;
  uninstall) uninstall ;;
  rollback) roll_back ;;
  account) change_account ;;
  esac
  [ -z "$UNSTORED" ] || end_unstored
}

# The order in which a machine is brought from nothing to a running service. Up to switch_release nothing that runs is touched.
install_all() {
  tell_roles
  preflight
  provide_node
  provide_accounts
  [ -z "$ROLE_DEVICE" ] || provide_bus
  stage_release
  [ -z "$ROLE_DEVICE" ] || take_over_older_agent
  [ -z "$ROLE_DEVICE" ] || find_sensor
  provide_broker
  [ -z "$ROLE_DEVICE" ] || write_device_config
  [ -z "$ROLE_SERVER" ] || write_server_config
  write_units
  provide_watchdog
  switch_release
  await_health
  [ -z "$ROLE_SERVER" ] || create_token
  [ -z "$REMOVE_BUILD_TOOLS" ] || remove_build_tools
  summary
}

load_modules() {
  local file
  # Other languages sort, count and spell differently; root's path without /usr/sbin (su) would hide half of the tools.
  export LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  umask 022
  # The last command of a pipe runs in this shell, so that what it remembers for the way back is remembered.
  shopt -s lastpipe
  if [ ! -e "$PROJECT_DIR/scripts/install/lib.sh" ]; then
    printf '%s\n' "failed: scripts/install is not beside ${BASH_SOURCE[0]:-this script}" \
      'to do:  unpack the whole bundle (or clone the project) and run bootstrap-pi.sh in its folder' >&2
    exit 1
  fi
  # lib.sh first: the others name their files after its folders.
  for file in "$PROJECT_DIR"/scripts/install/{lib.sh,*.sh}; do
    # shellcheck source=/dev/null
    source "$file"
  done
}

need_all_modules() {
  local name missing=()
  if [ -e "$PROJECT_DIR/SHA256SUMS" ]; then
    (cd "$PROJECT_DIR" && grep -E '  (bootstrap-pi\.sh|scripts/install/.*)$' SHA256SUMS | sha256sum --check --quiet) >&2 || {
      printf '%s\n' 'failed: this bundle is not as it was made' 'to do:  get it again' >&2
      exit 1
    }
  fi
  # A file that was cut off between two functions has no syntax error; what it lacks must show itself now, not half-way.
  for name in parse_options run_remotely outlive_terminal tell_roles preflight provide_node provide_bus provide_accounts find_sensor stage_release \
    take_over_older_agent provide_broker write_device_config write_server_config write_units provide_watchdog switch_release \
    await_health create_token change_account remove_build_tools summary examine uninstall roll_back; do
    declare -F "$name" >/dev/null || missing+=("$name")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    printf '%s\n' "failed: scripts/install is not complete: ${missing[*]} missing" 'to do:  get the bundle again' >&2
    exit 1
  fi
}

{ main "$@"; exit; }
