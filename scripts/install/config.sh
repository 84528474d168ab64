# shellcheck shell=bash
# /etc/techtemp/device.conf: written once, from the annotated file of the release or from the settings of an older agent. It is
# the owner's file then: an option changes its own key, everything else stays to the byte, and what a newer release can be told
# beyond it is put beside it.

DEVICE_CONFIG=$CONFIG_DIR/device.conf
# What of config/device.conf has been told, so that an upgrade tells what is new and nothing twice.
KNOWN_KEYS_DIR=$RECORD_DIR/known-keys

# The program of the new release; in a dry run, where none is unpacked, the program of this bundle. Fails when there is none at all.
program_file() { # techtemp-device|techtemp-server
  local folder
  for folder in "${RELEASE_DIR-}" "$PROJECT_DIR" "$INSTALL_DIR/current"; do
    if [ -n "$folder" ] && [ -e "$folder/dist/$1.js" ]; then
      printf '%s\n' "$folder/dist/$1.js"
      return 0
    fi
  done
  return 1
}

# device_command ARGUMENTS...: the agent's own program, with the environment that its unit has, and without the environment of this shell.
device_command() {
  local program
  program=$(program_file techtemp-device) || return
  env -i PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 STATE_DIRECTORY=/var/lib/techtemp node "$program" "$@"
}

# decide_device_uid: sets DEVICE_UID, once. What a configuration says is kept exactly; else the agent itself says what it is,
# or what it would call itself. Also for those who need the name earlier, such as an access list of the broker.
decide_device_uid() {
  [ -z "${DEVICE_UID-}" ] || return 0
  local file
  for file in "$DEVICE_CONFIG" "${OLDER_CONFIG-}"; do
    if [ -n "$file" ] && [ -e "$file" ]; then
      DEVICE_UID=$(ini_get "$file" device device_uid) || :
      break
    fi
  done
  [ -n "${DEVICE_UID-}" ] || DEVICE_UID=$(device_command config --config "$(shipped_config device)" 2>/dev/null | ini_get - device device_uid) || :
  # The agent's word for "this machine has no network card": a name by chance then, as it would give itself.
  [ "${DEVICE_UID-}" != aht20-000000 ] || DEVICE_UID=aht20-$(head -c 6 /proc/sys/kernel/random/uuid)
  [ -n "${DEVICE_UID-}" ] || [ -n "${DRY_RUN-}" ] || fail 'the agent does not say what its device_uid would be' \
    'run techtemp-device config by hand and see what it says'
}

# shipped_config device|server: the annotated file of the release.
shipped_config() {
  local folder
  for folder in "${RELEASE_DIR-}" "$PROJECT_DIR"; do
    if [ -n "$folder" ] && [ -e "$folder/config/$1.conf" ]; then
      printf '%s\n' "$folder/config/$1.conf"
      return 0
    fi
  done
  fail "config/$1.conf is not in the release" 'get the bundle again'
}

write_device_config() {
  step 'settings of the agent'
  local draft origin=new
  DRAFTS=$(mktemp -d "$SCRATCH/settings.XXXXXX")
  draft=$DRAFTS/device.conf
  decide_device_uid
  if [ -e "$DEVICE_CONFIG" ]; then
    origin=existing
    cp "$DEVICE_CONFIG" "$draft" || fail "$DEVICE_CONFIG cannot be read"
  else
    cp "$(shipped_config device)" "$draft"
    chmod u+w "$draft"
    [ -z "${OLDER_CONFIG-}" ] || take_over_settings "$OLDER_CONFIG" "$draft"
    ini_get "$draft" device device_uid >/dev/null || [ -z "$DEVICE_UID" ] || ini_set "$draft" device device_uid "$DEVICE_UID"
  fi
  apply_device_options "$draft" "$origin"
  check_draft device "$draft" "$DEVICE_CONFIG"
  put_config_in_place "$draft" "$DEVICE_CONFIG"
  store_password device "$draft"
  tell_new_keys device "$DEVICE_CONFIG"
  rm -rf "$DRAFTS"
}

# Options that were given, into the draft.
apply_device_options() { # DRAFT ORIGIN
  set_option "$@" device home_id "${HOME_ID-}"
  set_option "$@" device room "${ROOM-}"
  set_option "$@" device label "${LABEL-}"
  set_option "$@" sensor read_interval_seconds "${INTERVAL_SECONDS-}"
  set_option "$@" sensor i2c_bus "${I2C_BUS-}"
  set_option "$@" mqtt broker_host "${BROKER_HOST-}"
  set_option "$@" mqtt broker_port "${BROKER_PORT-}"
  set_option "$@" mqtt username "${BROKER_USER-}"
  set_password_key "$1"
  [ -z "${BROKER_TLS-}" ] || set_option "$@" mqtt tls yes
  if [ -n "${BROKER_CA-}" ]; then
    provide_broker_ca
    set_option "$@" mqtt tls_ca_file "$BROKER_CA_FILE"
  fi
}

# set_option DRAFT ORIGIN SECTION KEY VALUE: when a value is given and the file says something else.
set_option() {
  local file=$1 origin=$2 section=$3 key=$4 value=$5 before
  [ -n "$value" ] || return 0
  before=$(ini_get "$file" "$section" "$key") || before=''
  [ "$before" != "$value" ] || return 0
  ini_set "$file" "$section" "$key" "$value" || fail "$key could not be written"
  if [ "$origin" = existing ]; then detail "$key = $value${before:+ (it was $before)}"; else detail "$key = $value"; fi
}

# The authority's certificate where the services can read it: they see neither /home nor what only root may open.
provide_broker_ca() {
  BROKER_CA_FILE=$BROKER_CA
  case $BROKER_CA in "$CONFIG_DIR"/* | /etc/ssl/* | /usr/share/ca-certificates/*) return 0 ;; esac
  [ -r "$BROKER_CA" ] || fail "the certificate $BROKER_CA cannot be read" 'name a PEM file with --broker-ca'
  grep -q -- '-----BEGIN .*CERTIFICATE-----' "$BROKER_CA" ||
    fail "$BROKER_CA is no certificate in PEM form" 'openssl x509 -inform der -in FILE -out FILE.pem makes one of a DER file'
  BROKER_CA_FILE=$CONFIG_DIR/broker-ca.pem
  provide_directory "$CONFIG_DIR" 0755
  install_copy "$BROKER_CA" "$BROKER_CA_FILE" 0644 root:root || :
}

# check_draft device|server DRAFT PLACE: asks the program itself; its words name the place, not the draft.
check_draft() {
  local words status=0 program
  if ! program=$(program_file "techtemp-$1") || { [ -n "${DRY_RUN-}" ] && ! has node; }; then
    [ -n "${DRY_RUN-}" ] || fail "the release has no program techtemp-$1" 'get the bundle again'
    detail "$3 is not examined: no built program is at hand in this dry run"
    return 0
  fi
  words=$(env -i PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 node "$program" config --config "$2" 2>&1 >/dev/null) || status=$?
  if [ "$status" != 0 ]; then
    printf '%s\n' "${words//"$2"/"$3"}" | sed 's/^/    | /' >&2
    log_line "$words"
    fail "the settings in $3 would be refused (see above); nothing was changed there" \
      "correct ${4-$3}, or give the value as an option, and run this again"
  fi
  [ -z "$words" ] || printf '%s\n' "${words//"$2"/"$3"}" | sed 's/^/    | /' >&2
}

# put_config_in_place DRAFT PLACE: a new file is for root and the services; an existing one keeps its owner and its mode, as
# long as the services can read it, and stays where a link leads to.
put_config_in_place() {
  local place mode=0640 owner=root:techtemp
  provide_directory "$CONFIG_DIR" 0755
  place=$(readlink -f "$2") || place=$2
  if [ -e "$place" ] && readable_for_services "$place"; then
    mode=0$(stat -c %a "$place")
    owner=$(stat -c %U:%G "$place")
  fi
  install_file "$place" "$mode" "$owner" <"$1" || detail "$2 is as it was"
}

readable_for_services() {
  local mode group
  read -r mode group < <(stat -c '%a %G' "$1")
  ((8#$mode & 8#004)) || { ((8#$mode & 8#040)) && [ "$group" = techtemp ]; }
}

# provide_directory PATH MODE: ours to remove, should it be empty one day.
provide_directory() {
  [ ! -d "$1" ] || return 0
  run install -d -m "$2" "$1" || fail "$1 could not be made"
  manifest_add directory "$1"
}

# BROKER_PASSWORD in the draft, where the file has one already: the program takes that before all others.
set_password_key() {
  local before
  if [ -z "${BROKER_PASSWORD-}" ] || ! before=$(ini_get "$1" mqtt password) || [ -z "$before" ]; then return 0; fi
  [ "$before" != "$BROKER_PASSWORD" ] || return 0
  ini_set "$1" mqtt password "$BROKER_PASSWORD" || fail 'the password could not be written'
  detail 'password = another one than before'
}

# store_password device|server[-NAME] CONFIG: BROKER_PASSWORD into the file that only root reads and that systemd hands over to the
# unit, unless the settings say that it is elsewhere.
store_password() {
  local file before
  [ -n "${BROKER_PASSWORD-}" ] || return 0
  ini_get "$2" mqtt username >/dev/null || fail 'a password for the broker is given, but no user name' 'give --username as well'
  if before=$(ini_get "$2" mqtt password) && [ -n "$before" ]; then return 0; fi
  if file=$(ini_get "$2" mqtt password_file) && [ -n "$file" ]; then
    printf '%s\n' "$BROKER_PASSWORD" | install_file "$file" 0640 root:techtemp || :
    return 0
  fi
  file=$CREDENTIAL_DIR/techtemp.mqtt-password
  [ "$1" = device ] || file=$CREDENTIAL_DIR/techtemp-$1.mqtt-password
  provide_directory "$CREDENTIAL_DIR" 0700
  # systemd hands it over at the start, so a running service would go on with the old one.
  if printf '%s\n' "$BROKER_PASSWORD" | install_file "$file" 0600 root:root; then restart_needed "techtemp-${1/server-/server@}"; fi
}

# tell_new_keys device|server CONFIG: what the release can be told and the owner's file has no word of, said once for each key.
# The whole annotated file with the owner's values is put beside it as .new: lines in a file that somebody keeps by hand are
# not for us to add, and a block at its end would belong to the wrong section as soon as somebody removed the #.
tell_new_keys() {
  local shipped known=$KNOWN_KEYS_DIR/$1 new='' key
  shipped=$(shipped_config "$1")
  [ -e "$2" ] || return 0
  new=$(comm -23 <(ini_known_keys "$shipped" | sort -u) <({ ini_known_keys "$2"; cat "$known" 2>/dev/null || :; } | sort -u))
  if [ -n "$new" ]; then
    merged_config "$shipped" "$2" | install_file "$2.new" 0640 root:techtemp || :
    if [ -e "$known" ]; then
      detail 'new in this release, with the defaults in force:'
      while read -r key; do detail "  $key"; done <<<"$new"
    fi
    detail "$2.new explains all settings, with your values; no program reads it"
  fi
  [ -z "${DRY_RUN-}" ] || return 0
  mkdir -p "$KNOWN_KEYS_DIR"
  new=$({ ini_known_keys "$shipped"; cat "$known" 2>/dev/null || :; } | sort -u)
  [ "$new" = "$(cat "$known" 2>/dev/null || :)" ] || printf '%s\n' "$new" >"$known"
}

# merged_config SHIPPED THEIRS: the annotated file with the values of theirs.
merged_config() {
  local merged section key value
  merged=$(mktemp "$SCRATCH/merged.XXXXXX")
  cat "$1" >"$merged"
  ini_keys "$2" | while IFS=. read -r section key; do
    value=$(ini_get "$2" "$section" "$key") || continue
    ini_set "$merged" "$section" "$key" "$value" </dev/null
  done
  cat "$merged"
  rm -f "$merged"
}
