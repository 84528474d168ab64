# shellcheck shell=bash
# shellcheck disable=SC2034 # some of what is set here is read by the other modules
# Whether a release works: its process stays up, a reading has been measured, the broker has taken it, and where a server keeps the
# record, it is stored there. A problem from before the switch, such as a broker or a sensor that was away, does not count against the
# release. If it does not work, the one before comes back.

# A process has to live this long: where there is a way back, longer, since a crash loop may be slow.
SETTLE_SECONDS=${TECHTEMP_SETTLE_SECONDS:-}
POLL_SECONDS=${TECHTEMP_POLL_SECONDS:-2}
# systemd has tried again this often: it won't get better.
MOST_RESTARTS=3
# A server that changes the form of its record first copies it, and must not be disturbed; the unit's own limit.
MIGRATION_SECONDS=1800
# A server on another machine may be switched off; so long is waited for its word that it has stored a reading.
STORE_SECONDS=${TECHTEMP_STORE_SECONDS:-60}
# The exit status of a run that has installed everything, while no reading is being stored.
NOT_STORED=3
# What the agent says where the broker has no subscriber for its readings (MQTT 5); what it remembers of servers.
UNHEARD='(nobody is subscribed)'
DELIVERY_FILE=/var/lib/techtemp/delivery.json
# Why no reading is being stored; the most readings that waited in the journal so far.
UNSTORED='' MOST_BUFFERED=0 WATCH_BEGAN=0

await_health() {
  local unit
  [ -z "$DRY_RUN" ] || return 0
  if [ "${#AWAITED[@]}" -gt 0 ]; then
    step "first reading (at most $HEALTH_SECONDS s)"
    watch_units || leave_release "$UNWELL" "$WHY"
    for unit in "${AWAITED[@]}"; do detail "${unit%.service}: ${WORDS[$unit]}"; done
  elif [ -n "$ROLE_DEVICE" ]; then
    watch_store
  fi
  commit_release
  LATEST_READING=$(latest_reading "$(unit_fact techtemp-device.service StatusText)")
}

# latest_reading STATUS_TEXT: the reading in the line of `systemctl status`, and whether it still waits for the right time on the device.
latest_reading() {
  local reading
  reading=$(sed -n 's/^\([^;]*°C[^;]*\);.*/\1/p' <<<"$1")
  [ -n "$reading" ] || return 0
  case $1 in
  *'; clock waiting'*) reading+=' (not stored yet: it is kept on the device until the clock is set)' ;;
  esac
  printf '%s' "$reading"
}

# watch_store: of an agent that runs on as it did, whether its readings leave the journal. Sets UNSTORED.
watch_store() {
  local text
  WATCH_BEGAN=$SECONDS MOST_BUFFERED=0
  while text=$(unit_fact techtemp-device.service StatusText); do
    # While the clock is waited for, they are kept, and no server could say anything.
    case $text in
    *'; clock waiting'*) return 0 ;;
    *'; connected to '*' taken)'* | *"$UNHEARD"*) ;;
    *) return 0 ;;
    esac
    if is_stored "$text"; then return 0; fi
    if [ $((SECONDS - WATCH_BEGAN)) -ge "$STORE_SECONDS" ]; then
      UNSTORED=$NOT_STORED_WHY
      return 0
    fi
    sleep "$POLL_SECONDS"
  done
}

# is_stored STATUS_TEXT: whether what the agent has measured is where it shall be kept. A reading leaves its journal when a server has
# confirmed that it is stored; when the broker has it, where no server was ever heard. What is sent from a long backlog counts: it
# grows less. A server on this machine is asked for its record too. Else NOT_STORED_WHY has the reason.
is_stored() {
  local buffered server=techtemp-server.service text
  case $1 in
  *"$UNHEARD"*)
    NOT_STORED_WHY="no program is subscribed at the broker; they are kept here: $1"
    # A recorder that is there before its server keeps what it measures for it.
    if expects_server; then return 1; else return 0; fi
    ;;
  esac
  buffered=$(sed -n 's/.*; \([0-9]*\) buffered.*/\1/p' <<<"$1")
  NOT_STORED_WHY="no server says that it has stored one; they are kept here: $1"
  # Another form of this line than today's.
  [ -n "$buffered" ] || return 0
  if [ "$buffered" -gt "$MOST_BUFFERED" ]; then MOST_BUFFERED=$buffered; fi
  if [ "$buffered" != 0 ] && [ "$buffered" -ge "$MOST_BUFFERED" ]; then return 1; fi
  keeps_record_here || return 0
  text=$(unit_fact "$server" StatusText)
  case $text in
  *[1-9]' readings stored'* | *[0-9]0' readings stored'* | *' came again'*) return 0 ;;
  esac
  NOT_STORED_WHY="the server on this machine has stored none yet: ${text:-it says nothing}"
  return 1
}

# Whether a server was set up here, or has confirmed readings of this machine's agent before.
expects_server() { [ -e "$CONFIG_DIR/server.conf" ] || grep -qsE '"servers": *\[ *[^] ]' "$DELIVERY_FILE"; }

# Whether the server that confirms the readings of this machine's agent runs here.
keeps_record_here() {
  local config=$CONFIG_DIR/server.conf key device server
  [ -e "$config" ] && is_running techtemp-server.service || return 1
  [ "$(setting_or "$config" mqtt receipts yes)" = yes ] || return 1
  for key in broker_host broker_port; do
    device=$(setting_or "$DEVICE_CONFIG" mqtt "$key" default) server=$(setting_or "$config" mqtt "$key" default)
    if [ "$key" = broker_host ] && is_this_machine "${device#default}" && is_this_machine "${server#default}"; then continue; fi
    [ "${device/#default/1883}" = "${server/#default/1883}" ] || return 1
  done
}

# watch_units: 0 when all of AWAITED are well; else UNWELL is the unit and WHY the reason.
watch_units() {
  local started=$SECONDS limit unit left=("${AWAITED[@]}") next
  WATCH_BEGAN=$SECONDS MOST_BUFFERED=0 UNSTORED=''
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
  *'; connected to '*'; clock waiting'*) VERDICT=well WHY="measured and kept until the clock is set: $text" ;;
  *'; connected to '*' taken)'* | *"$UNHEARD"*) judge_store "$text" "$was" ;;
  *'; connected to '*) WHY="measured and connected, but the broker has not taken a reading yet" ;;
  *)
    WHY="measured, but the broker has not taken it: $text"
    [[ $was != *' away '* ]] || { VERDICT=well && WHY="measured and kept; the broker was away before too: $text"; }
    ;;
  esac
}

# judge_store STATUS_TEXT BASELINE: the broker has taken a reading; is it stored? A server on this machine has to, within the time
# of all. If the server is elsewhere, this release cannot repair it, so nothing is undone: the run ends and says so.
judge_store() {
  local text=$1 was=$2
  if is_stored "$text"; then
    VERDICT=well WHY="measured and taken by the broker: $text"
    [[ $text != *"$UNHEARD"* ]] || WHY="measured and kept here until a server subscribes at the broker: $text"
    ! keeps_record_here || WHY="measured, taken by the broker and stored by the server on this machine: $text"
    UNSTORED=''
    return 0
  fi
  WHY="measured and taken by the broker, but not stored: $NOT_STORED_WHY"
  if [[ $was == *' piling '* ]] || { ! keeps_record_here && [ $((SECONDS - WATCH_BEGAN)) -ge "$STORE_SECONDS" ]; }; then
    VERDICT=well UNSTORED=$NOT_STORED_WHY
  fi
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
    # Last of all in the way back, when no link names it any more.
    [ -z "${RELEASE_IS_MADE-}" ] || UNDO=("$(printf '%q ' "the release $RELEASE_NAME is removed" remove_release "$RELEASE_NAME")" "${UNDO[@]}")
    fail "$RELEASE_NAME does not work here, ${unit%.service}: $why" \
      "see the lines above; the release $OLD_RELEASE runs again, and no reading was lost. --force tries $RELEASE_NAME once more"
  fi
  if [ -n "${OLDER_UNIT-}" ] || { [ -n "$OLD_RELEASE" ] && was_running; }; then
    fail "${unit%.service} does not work with the new settings: $why" 'see the lines above; everything is as it was before'
  fi
  commit_release
  case $unit in techtemp-device.service) tell_doctor_words ;; esac
  fail "TechTemp is installed, but ${unit%.service} does not work yet: $why" \
    "correct that; the service goes on trying by itself. Then run this again, or: sudo ./bootstrap-pi.sh --check"
}
was_running() {
  local unit
  for unit in "${AWAITED[@]}"; do [[ ${WAS[$unit]:-} != running* ]] || return 0; done
  return 1
}

# Into our own log, because the log of the system may be in memory; the end of it on the screen.
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
  # From here on the release goes back: a failure undoes no part of this.
  committed
  rm -f "$PENDING" && sync -f "$RECORD_DIR"
  if [ "$RELEASE_NAME" != "$OLD_RELEASE" ] || [ "${#RESTART_UNITS[@]}" -gt 0 ]; then
    run systemctl restart --no-block "${AWAITED[@]}" || :
  fi
}
