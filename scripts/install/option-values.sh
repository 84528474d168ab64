# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by the other modules
# What the values of options must be like; each refusal names the option, the value and an example of a right one.

# refuse WHAT [REMEDY]: a command line that can't be meant so. Nothing has been touched yet.
refuse() {
  printf 'refused: %s\n' "$1" >&2
  [ -z "${2-}" ] || printf 'to do:   %s\n' "$2" >&2
  exit 2
}

# Once: the process that does the work (session.sh) reads the same command line again.
say_early() { [ -n "${TECHTEMP_FRONT-}" ] || printf 'note: %s\n' "$1" >&2; }

is_one_of() {
  local wanted=$1 word
  shift
  for word in "$@"; do [ "$word" != "$wanted" ] || return 0; done
  return 1
}

need_whole() { # OPTION VALUE LOWEST HIGHEST
  if [[ $2 =~ ^[0-9]{1,9}$ ]] && [ "$((10#$2))" -ge "$3" ] && [ "$((10#$2))" -le "$4" ]; then return 0; fi
  refuse "$1 is \"$2\"" "a whole number from $3 to $4"
}

need_name() {
  [[ $2 =~ ^[A-Za-z0-9_-]{1,50}$ ]] || refuse "$1 is \"$2\"" '1 to 50 of the characters A-Z a-z 0-9 _ -, for example home-001; --room and --label may have any'
}

need_instance() {
  [[ $2 =~ ^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$ ]] || refuse "$1 is \"$2\"" '1 to 32 of the characters A-Z a-z 0-9 _ -, for example staging'
}

need_host() {
  [[ $2 =~ ^[A-Za-z0-9._-]+$ || $2 =~ ^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$ ]] ||
    refuse "$1 is \"$2\", which is not the name or address of a machine" '192.168.1.10 or broker.local, without mqtt:// before it'
}

need_file() {
  [ -e "$2" ] || refuse "$1: there is no file $2"
  [ -f "$2" ] || [ -p "$2" ] || [ -c "$2" ] || refuse "$1: $2 is no file"
  [ -r "$2" ] || refuse "$1: $2 can not be read by this user"
}

# HOST, HOST:PORT, [IPv6]:PORT or a bare IPv6 address.
split_broker() {
  local host=$1 port=''
  case $1 in
  *://*) refuse "--broker is \"$1\"" 'name or address alone, as in 192.168.1.10:1883; --tls encrypts' ;;
  \[*\]:*) host=${1%]:*} port=${1##*]:} host=${host#[} ;;
  \[*\]) host=${1#[} host=${host%]} ;;
  *:*:*) ;;
  *:*) host=${1%:*} port=${1##*:} ;;
  esac
  need_host --broker "$host"
  if [ "$host" != "$1" ] && [[ $1 != \[*\] ]]; then need_whole 'the port of --broker' "$port" 1 65535; fi
  BROKER_HOST=$host
  [ -z "$port" ] || BROKER_PORT=$port
}

need_interval() {
  if [[ $2 =~ ^[0-9]{1,5}([.][0-9]{1,3})?$ ]] && awk -v n="$2" 'BEGIN { exit !(n >= 0.1 && n <= 3600) }'; then return 0; fi
  refuse "$1 is \"$2\"" 'seconds between two readings, from 0.1 to 3600, for example 60'
}

# 1, i2c-1 and /dev/i2c-1 are the same bus.
need_bus() {
  local number=${2#/dev/}
  number=${number#i2c-}
  if ! [[ $number =~ ^[0-9]{1,3}$ ]] || [ "$((10#$number))" -gt 255 ]; then
    refuse "$1 is \"$2\"" 'the number of the bus, from 0 to 255; 1 is pins 3 and 5 of a Raspberry Pi'
  fi
  I2C_BUS=$((10#$number))
}

need_role() {
  is_one_of "$1" device server all || refuse "--role is \"$1\"" "device, server or all$(words_if_near "$1" device server all)"
  ROLE=$1
}

need_registration() {
  is_one_of "$1" auto approve reject || refuse "--registration is \"$1\"" "auto, approve or reject$(words_if_near "$1" auto approve reject)"
}

words_if_near() {
  local near
  near=$(nearest "$@")
  [ "$(distance "$1" "$near")" -gt 2 ] || printf '; did you mean %s?' "$near"
}

# nearest WORD CANDIDATE...: the candidate that needs the fewest changes.
nearest() {
  local word=$1 candidate best='' least=1000 now
  shift
  for candidate in "$@"; do
    # At least so many changes as they differ in length.
    now=$((${#word} - ${#candidate}))
    if [ "${now#-}" -lt "$least" ]; then now=$(distance "$word" "$candidate"); else now=${now#-}; fi
    # An option that begins with the same letters is meant more often than one of the same length.
    [[ $candidate != "$word"* ]] || now=1
    if [ "$now" -lt "$least" ]; then least=$now best=$candidate; fi
  done
  printf '%s' "$best"
}

# Levenshtein's distance of two words.
distance() {
  local a=$1 b=$2 i j cost left above row=() next=()
  for ((j = 0; j <= ${#b}; j++)); do row[j]=$j; done
  for ((i = 1; i <= ${#a}; i++)); do
    next=("$i")
    for ((j = 1; j <= ${#b}; j++)); do
      cost=1
      [ "${a:i-1:1}" != "${b:j-1:1}" ] || cost=0
      cost=$((row[j - 1] + cost)) left=$((next[j - 1] + 1)) above=$((row[j] + 1))
      next[j]=$((left < above ? left : above))
      next[j]=$((next[j] < cost ? next[j] : cost))
    done
    row=("${next[@]}")
  done
  printf '%s' "${row[${#b}]}"
}

# The command line for the log and for advice: quoted, and without the password.
without_secrets() {
  local word result=() is_secret=''
  for word in "$@"; do
    case $is_secret$word in
    --password=*) result+=('--password=***') ;;
    *) if [ -n "$is_secret" ]; then result+=('***'); else result+=("$(printf '%q' "$word")"); fi ;;
    esac
    if [ "$word" = --password ]; then is_secret=1; else is_secret=''; fi
  done
  printf '%s' "${result[*]}"
}

# The broker's password: given, in a file (- is the standard input), in the environment, or asked for. Never in a command line of
# ours, never in the log.
read_password() {
  [ "$ACTION" = install ] || return 0
  if [ -n "$PASSWORD_FILE" ]; then
    if [ "$PASSWORD_FILE" = - ]; then IFS= read -r BROKER_PASSWORD || :; else IFS= read -r BROKER_PASSWORD <"$PASSWORD_FILE" || :; fi
    BROKER_PASSWORD=${BROKER_PASSWORD%$'\r'}
    [ -n "$BROKER_PASSWORD" ] || fail "--password-file: the first line of $PASSWORD_FILE is empty" 'the password has to stand there'
  elif [ -z "$BROKER_PASSWORD" ] && [ -n "${TECHTEMP_PASSWORD-}" ]; then
    BROKER_PASSWORD=$TECHTEMP_PASSWORD
  elif [ -z "$BROKER_PASSWORD" ] && [ -n "$BROKER_USER" ] && [ -z "$WITH_BROKER$DRY_RUN" ] && can_ask; then
    IFS= read -r -s -p "Password of $BROKER_USER at the broker (empty: none): " BROKER_PASSWORD
    printf '\n'
  fi
  # From here on nothing that this script starts finds it in its environment.
  unset TECHTEMP_PASSWORD
}
