# shellcheck shell=bash
# shellcheck disable=SC2034 # some of what is set here is read by the other modules
# Whether a release works: its process stays up, a reading has been measured, and the broker has taken it. What was amiss before the
# switch, a broker or a sensor that was away, does not count against the release. If it does not work, the one before comes back.

# A process has to live this long: where there is a way back, longer, since a crash loop may be slow.
SETTLE_SECONDS=${TECHTEMP_SETTLE_SECONDS:-}
POLL_SECONDS=${TECHTEMP_POLL_SECONDS:-2}
# systemd has tried again this often: it won't get better.
MOST_RESTARTS=3
# A server that changes the form of its record first copies it, and must not be disturbed; the unit's own limit.
MIGRATION_SECONDS=1800

await_health() {
  local unit
  [ -z "$DRY_RUN" ] || return 0
  if [ "${#AWAITED[@]}" -gt 0 ]; then
    step "first reading (at most $HEALTH_SECONDS s)"
    watch_units || leave_release "$UNWELL" "$WHY"
    for unit in "${AWAITED[@]}"; do detail "${unit%.service}: ${WORDS[$unit]}"; done
  fi
  commit_release
  FIRST_READING=$(unit_fact techtemp-device.service StatusText | sed -n 's/^\([^;]*°C[^;]*\);.*/\1/p')
}

# watch_units: 0 when all of AWAITED are well; else UNWELL is the unit and WHY the reason.
watch_units() {
  local started=$SECONDS limit unit left=("${AWAITED[@]}") next
  declare -gA WORDS=()
  SETTLE_SECONDS=${SETTLE_SECONDS:-$([ -n "$OLD_RELEASE" ] && echo 60 || echo 20)}
  while :; do
    next=()
    for unit in "${left[@]}"; do
      judge_unit "$unit"
      tell_news "$unit" "$WHY"
      case $VERDICT in
      well) ;;
      lost) UNWELL=$unit && return 1 ;;
      *)
        limit=$HEALTH_SECONDS
        [[ $VERDICT != migrating ]] || limit=$MIGRATION_SECONDS
        next+=("$unit")
        if [ $((SECONDS - started)) -ge "$limit" ]; then
          UNWELL=$unit WHY="$WHY, after $limit s"
          return 1
        fi
        ;;
      esac
    done
    [ "${#next[@]}" -gt 0 ] || return 0
    left=("${next[@]}")
    sleep "$POLL_SECONDS"
  done
}

tell_news() {
  [ "${WORDS[$1]-}" != "$2" ] || return 0
  WORDS[$1]=$2
  log_line "$1: $2"
}

# judge_unit UNIT: VERDICT well, waiting, migrating or lost, and WHY.
judge_unit() {
  local unit=$1 state restarts text invocation result started age was=${WAS[$1]:-stopped}
  local facts
  facts=$(systemctl show "$unit" -p ActiveState -p NRestarts -p StatusText -p InvocationID -p Result -p ExecMainStatus \
    -p ExecMainStartTimestampMonotonic 2>/dev/null) || facts=''
  state=$(fact ActiveState) restarts=$(fact NRestarts) text=$(fact StatusText) invocation=$(fact InvocationID)
  result=$(fact Result) started=$(fact ExecMainStartTimestampMonotonic)
  VERDICT=waiting WHY="it is ${state:-unknown to systemd}"
  # Not the process from before the restart.
  if [ -n "$invocation" ] && [ "$invocation" = "${was##* }" ]; then
    WHY='it has not ended yet'
    return 0
  fi
  if [ "${restarts:-0}" -ge "$MOST_RESTARTS" ]; then
    VERDICT=lost WHY="it ended $restarts times (${result:-unknown}, exit $(fact ExecMainStatus))"
    return 0
  fi
  if [ "$state" = failed ]; then
    VERDICT=lost WHY="it failed (${result:-unknown}, exit $(fact ExecMainStatus))"
    return 0
  fi
  if [ "$state" != active ]; then
    case $unit in techtemp-server*) [ "${restarts:-0}" != 0 ] || VERDICT=migrating ;; esac
    [ -z "$text" ] || WHY="$WHY: $text"
    return 0
  fi
  case $unit in
  techtemp-device.service) judge_device "$text" "$was" ;;
  *) judge_server "$unit" ;;
  esac
  [ "$VERDICT" = well ] || return 0
  age=$(($(cut -d. -f1 /proc/uptime) - ${started:-0} / 1000000))
  if [ "$age" -lt "$SETTLE_SECONDS" ]; then VERDICT=waiting; fi
}
fact() { sed -n "s/^$1=//p" <<<"$facts"; }

# judge_device STATUS_TEXT BASELINE: by what the agent says in the line of `systemctl status`.
judge_device() {
  local text=$1 was=$2
  VERDICT=waiting
  case $text in
  *°C*) ;;
  *'sensor fault'*)
    WHY="no reading: ${text#*sensor fault: }"
    [[ $was != *' fault '* ]] || { VERDICT=well && WHY="it runs; the sensor was away before too (${text#*sensor fault: })"; }
    return 0
    ;;
  *)
    WHY='no reading yet'
    return 0
    ;;
  esac
  case $text in
  *'; connected to '*' taken)'*) VERDICT=well WHY="measured and taken by the broker: $text" ;;
  *'; connected to '*'; clock waiting'*) VERDICT=well WHY="measured and kept until the clock is set: $text" ;;
  *'; connected to '*) WHY="measured and connected, but the broker has not taken a reading yet" ;;
  *)
    WHY="measured, but the broker has not taken it: $text"
    [[ $was != *' away '* ]] || { VERDICT=well && WHY="measured and kept; the broker was away before too: $text"; }
    ;;
  esac
}

# judge_server UNIT: whether it answers over HTTP.
judge_server() {
  local name config host port base answer
  name=${1%.service} name=${name#techtemp-server} name=${name#@}
  config=$CONFIG_DIR/server${name:+-$name}.conf
  host=$(ini_get "$config" http host 2>/dev/null) || host=127.0.0.1
  port=$(ini_get "$config" http port 2>/dev/null) || port=3000
  base=$(ini_get "$config" http base_path 2>/dev/null) || base=
  case $host in 0.0.0.0 | '') host=127.0.0.1 ;; ::) host=::1 ;; esac
  VERDICT=waiting WHY="it is active, but does not answer on $host:$port"
  if ini_get "$config" http tls_cert_file >/dev/null 2>&1; then
    # HTTPS is not spoken here; its own READY came after it had begun to listen.
    VERDICT=well WHY='it is active'
    return 0
  fi
  # shellcheck disable=SC2016 # the inner shell's own arguments
  answer=$(timeout 10 bash -c 'exec 3<>/dev/tcp/"$1"/"$2" && printf "GET %s/health HTTP/1.0\r\nHost: %s\r\n\r\n" "$3" "$1" >&3 && head -n 1 <&3' \
    health "$host" "$port" "${base%/}" 2>/dev/null) || answer=''
  case $answer in
  'HTTP/1.'?' 200'*) VERDICT=well WHY="it answers on $host:$port" ;;
  'HTTP/1.'*) WHY="it answers ${answer//$'\r'/} on $host:$port/health" ;;
  esac
}

# leave_release UNIT WHY: back to what worked; where nothing did, what is there stays and says what is wrong.
leave_release() {
  local unit=$1 why=$2 config=''
  keep_last_words "$unit"
  if [ -n "$OLD_RELEASE" ] && [ "$OLD_RELEASE" != "$RELEASE_NAME" ] && was_running; then
    refuse_release "${unit%.service}: $why"
    fail "$RELEASE_NAME does not work here, ${unit%.service}: $why" \
      "see the lines above; the release $OLD_RELEASE runs again, and no reading was lost. --force tries $RELEASE_NAME once more"
  fi
  if [ -n "${OLDER_UNIT-}" ] || { [ -n "$OLD_RELEASE" ] && was_running; }; then
    fail "${unit%.service} does not work with the new settings: $why" 'see the lines above; everything is as it was before'
  fi
  commit_release
  case $unit in techtemp-device.service) tell_doctor_words ;; esac
  fail "TechTemp is installed, but ${unit%.service} does not work yet: $why" \
    "mend that; the service goes on trying by itself. Then run this again, or: sudo ./bootstrap-pi.sh --check"
}
was_running() {
  local unit
  for unit in "${AWAITED[@]}"; do [[ ${WAS[$unit]:-} != running* ]] || return 0; done
  return 1
}

# Into our own log, since that of the system may be in memory; the end of it on the screen.
keep_last_words() {
  local unit=$1 lines
  lines=$(journalctl -u "$unit" -n 40 --no-pager -o short-iso 2>/dev/null) || lines=''
  [ -z "$lines" ] || [ -z "${LOG_OPEN-}" ] || printf '%s\n' "$lines" >>"$LOG_FILE"
  tail -n 4 <<<"$lines" | sed 's/^/    | /' >&2
}

tell_doctor_words() {
  local program=$RELEASE_DIR/dist/techtemp-device.js
  printf '\n' >&2
  timeout 90 "$NODE_BIN" "$program" check --config "$DEVICE_CONFIG" </dev/null 2>&1 | sed 's/^/    /' >&2 || :
}

# finish_pending: for techtemp-commit, after a power cut: judges the release that boot has started, then keeps or leaves it.
finish_pending() {
  local unit was
  OLD_RELEASE=$(pending_fact old) HEALTH_SECONDS=$(pending_fact seconds)
  RELEASE_NAME=$(release_of current) RELEASE_DIR=$INSTALL_DIR/current
  use_installed_roles
  while read -r unit was; do
    # Another boot or another start: any process of now is a new one.
    WAS["$unit"]="${was% *} -"
    AWAITED+=("$unit")
  done < <(sed -n 's/^unit //p' "$PENDING")
  step "the release $(pending_fact new), whose upgrade was cut off"
  if [ ! -d "$RELEASES/$OLD_RELEASE" ]; then
    say "there is no release $OLD_RELEASE to go back to; $RELEASE_NAME stays"
    commit_release
  elif [ "$RELEASE_NAME" = "$OLD_RELEASE" ]; then
    # Cut off before the switch; only unit files may be newer.
    say "$OLD_RELEASE is still the current release"
    return_to_old
  elif watch_units; then
    commit_release
    say "$RELEASE_NAME works: ${WORDS[${AWAITED[-1]}]}"
  else
    keep_last_words "$UNWELL"
    refuse_release "${UNWELL%.service}: $WHY"
    say "$RELEASE_NAME does not work, ${UNWELL%.service}: $WHY"
    return_to_old
    say "$OLD_RELEASE runs again"
  fi
}

return_to_old() {
  point_at current "$OLD_RELEASE" || fail "$INSTALL_DIR/current could not be changed"
  RELEASE_DIR=$RELEASES/$OLD_RELEASE
  install_unit_files "$RELEASE_DIR"
  # The way back is the way now: nothing of it is undone by a failure.
  committed
  rm -f "$PENDING" && sync -f "$RECORD_DIR"
  if [ "$RELEASE_NAME" != "$OLD_RELEASE" ] || [ "${#RESTART_UNITS[@]}" -gt 0 ]; then
    run systemctl restart --no-block "${AWAITED[@]}" || :
  fi
}
