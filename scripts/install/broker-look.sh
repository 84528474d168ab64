# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by broker.sh
# Looks at the Mosquitto that is on this machine, and touches nothing: whose it is, whether it runs, where it listens, whom it
# lets in. What is somebody else's is reused, never rearranged.

MOSQUITTO_DIR=/etc/mosquitto
# Everything of ours below it. What is not among these files and not Debian's default is somebody's.
OUR_FRAGMENTS=(techtemp.conf techtemp-listener.conf techtemp-tls.conf)

# look_at_mosquitto: sets MOSQUITTO_IS (absent, ours, default, theirs) and MOSQUITTO_RUNS.
look_at_mosquitto() {
  MOSQUITTO_RUNS=''
  if ! has mosquitto; then
    MOSQUITTO_IS=absent
    return 0
  fi
  if systemctl is-active --quiet mosquitto; then MOSQUITTO_RUNS=1; fi
  if [ -n "$(their_settings)" ]; then
    MOSQUITTO_IS=theirs
  elif [ -e "$MOSQUITTO_DIR/conf.d/techtemp-listener.conf" ] || manifest_list package | grep -x mosquitto >/dev/null; then
    MOSQUITTO_IS=ours
  else
    MOSQUITTO_IS=default
  fi
}

# Settings that neither the package nor we have made, as FILE:LINE:TEXT; empty where there are none.
their_settings() {
  effective_settings | awk -F '\t' -v dir="$MOSQUITTO_DIR" -v ours="${OUR_FRAGMENTS[*]}" '
    BEGIN { split(ours, names, " "); for (i in names) own[dir "/conf.d/" names[i]] }
    $1 in own { next }
    # What Debian ships. A listener, a password, a bridge: anything else is somebody else his or her work.
    $1 == dir "/mosquitto.conf" && $3 ~ /^(pid_file|persistence|persistence_location|log_dest|include_dir)[ \t]/ { next }
    { print $1 ":" $2 ":" $3 }'
}

# The settings in force, in Mosquitto's own order (a fragment stands where its folder is named, fragments by name), as
# FILE<TAB>LINE<TAB>TEXT without comments and empty lines.
effective_settings() { settings_of "$MOSQUITTO_DIR/mosquitto.conf"; }

settings_of() {
  local file=$1 number=0 line fragment
  [ -r "$file" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    line=$(trimmed "$line")
    case $line in '' | '#'*) continue ;; esac
    printf '%s\t%s\t%s\n' "$file" "$number" "$line"
    if [[ $line =~ ^include_dir[[:space:]]+(.+)$ ]]; then
      for fragment in "$(trimmed "${BASH_REMATCH[1]}")"/*.conf; do settings_of "$fragment"; done
    fi
  done <"$file"
}

trimmed() {
  local text=${1%$'\r'}
  text=${text#"${text%%[![:space:]]*}"}
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# setting NAME: the value that is in force (the last one wins), or nothing.
setting() { effective_settings | awk -F '\t' -v name="$1" '{ split($3, word, /[ \t]+/) } word[1] == name { value = substr($3, length(name) + 2) } END { gsub(/^[ \t]+/, "", value); print value }'; }

# Doors that TCP opens, one per line: PORT SCOPE KIND; scope: lan or here; kind: mqtt, tls, websockets.
listeners() {
  effective_settings | awk -F '\t' '
    function flush() { if (port != "" && port != 0) print port, scope, kind; port = "" }
    function open(number, address) { flush(); port = number; kind = "mqtt"; scope = "lan"; place(address) }
    function place(address) { if (address ~ /^(localhost|127\.|::1$)/) scope = "here" }
    { n = split($3, word, /[ \t]+/) }
    word[1] == "listener" { open(word[2], word[3]) }
    word[1] == "port" { open(word[2], "") }
    word[1] == "bind_address" { place(word[2]) }
    word[1] == "bind_interface" && word[2] == "lo" { scope = "here" }
    word[1] == "protocol" && word[2] == "websockets" { kind = "websockets" }
    (word[1] == "certfile" || word[1] == "psk_hint") && kind == "mqtt" { kind = "tls" }
    END { flush() }'
}

# Without any listener Mosquitto 2 serves this machine alone, without passwords.
is_local_only() { [ -z "$(listeners)" ]; }

# Whether programs may connect without a password. Since 2.0 the default is no, but yes where no listener is configured.
lets_anyone_in() {
  case $(setting allow_anonymous) in
  true) return 0 ;;
  false) return 1 ;;
  *) is_local_only ;;
  esac
}

# How many programs are connected to PORT, ours not counted.
connected_to() { ss -Htn state established "sport = :$1" 2>/dev/null | wc -l; }

# Who listens on PORT, as "name (process N)"; nothing where no program does.
listens_on() {
  ss -Hltnp "sport = :$1" 2>/dev/null | awk 'NR == 1 { if (match($0, /\(\("[^"]*",pid=[0-9]+/)) { split(substr($0, RSTART + 3, RLENGTH - 3), part, /",pid=/); print part[1] " (process " part[2] ")" } else print "another program" }'
}
