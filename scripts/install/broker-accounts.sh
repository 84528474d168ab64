# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by broker.sh and broker-probe.sh
# Who may sign in at our broker: a password per device, server and reader. Passwords are random; the broker keeps their hashes,
# the services of this machine get theirs as credentials that only root can read, and those of other machines are shown once.

# What follows it in the access list is never rewritten.
ACCOUNTS_LINE='# --- below: accounts that are no devices'

# add_account KIND NAME [PASSWORD]: into the drafts of password file and access list in BROKER_DRAFT.
add_account() {
  local kind=$1 name=$2 password=${3-}
  [ -n "$password" ] || password=$(new_password)
  set_password "$name" "$password"
  [ "$kind" = device ] || grant_rights "$kind" "$name"
}

# 24 letters and digits: nothing that a configuration file, a shell or a person could misread.
new_password() { head -c 256 /dev/urandom | tr -dc 'A-Za-z0-9' | cut -c 1-24; }

has_account() { cut -d : -f 1 "$MOSQUITTO_DIR/techtemp.passwd" 2>/dev/null | grep -xF -- "$1" >/dev/null; }

# set_password NAME PASSWORD: replaces the line of this account. Hashed apart and by standard input and a file, never in an
# argument; and apart because -U hashes what is hashed already once more.
set_password() {
  local name=$1 password=$2 file=$BROKER_DRAFT/techtemp.passwd alone=$BROKER_DRAFT/one-account
  (umask 077 && printf '%s:%s\n' "$name" "$password" >"$alone")
  mosquitto_passwd -U "$alone" >/dev/null || return
  without_account "$file" "$name" >"$file.new"
  cat "$alone" >>"$file.new"
  mv -f "$file.new" "$file"
  rm -f "$alone"
}

without_account() { awk -v name="$2" 'index($0, name ":") != 1' "$1"; }

# The rights of accounts that do not belong to devices, at the end of the access list, between lines that name the account.
grant_rights() {
  local kind=$1 name=$2 file=$BROKER_DRAFT/techtemp.acl
  revoke_rights "$name"
  rights_of "$kind" "$name" >>"$file"
}

revoke_rights() {
  local file=$BROKER_DRAFT/techtemp.acl
  awk -v name="$1" '$0 == "# account " name { skip = 1 } !skip { print } $0 == "# end of " name { skip = 0 }' "$file" >"$file.new"
  mv -f "$file.new" "$file"
}

rights_of() {
  local kind=$1 name=$2 instance
  printf '# account %s\nuser %s\ntopic read home/#\n' "$name" "$name"
  case $kind in
  server)
    # What the broker had to drop.
    # shellcheck disable=SC2016 # the name of a topic
    printf 'topic read %s\n' '$SYS/broker/#'
    instance=${name#techtemp-server}
    if [ -z "$instance" ]; then
      # Only the server that keeps the record may tell devices that they may forget.
      printf 'topic write home/+/sensors/+/receipt\ntopic readwrite techtemp/server/#\n'
    else
      printf 'topic read techtemp/server/#\ntopic write techtemp/server/%s\n' "${instance#-}"
    fi
    ;;
  reader)
    # Home Assistant: reads everything, says that it has started, asks for a measurement.
    printf 'topic read techtemp/server/#\ntopic readwrite homeassistant/#\ntopic write home/+/sensors/+/command\n'
    ;;
  esac
  printf '# end of %s\n' "$name"
}

# draft_accounts: the password file and the access list as they are, with the shipped part of the access list brought up to date.
draft_accounts() {
  (umask 077 && : >"$BROKER_DRAFT/techtemp.passwd")
  [ ! -e "$MOSQUITTO_DIR/techtemp.passwd" ] || cat "$MOSQUITTO_DIR/techtemp.passwd" >"$BROKER_DRAFT/techtemp.passwd"
  cat "$PROJECT_DIR/config/mosquitto/techtemp.acl" >"$BROKER_DRAFT/techtemp.acl"
  [ ! -e "$MOSQUITTO_DIR/techtemp.acl" ] ||
    awk -v line="$ACCOUNTS_LINE" 'found { print } $0 == line { found = 1 }' "$MOSQUITTO_DIR/techtemp.acl" >>"$BROKER_DRAFT/techtemp.acl"
}

# own_account KIND NAME CONFIG CREDENTIAL: an account of a service of this machine. Its password is the one that the service uses
# already where there is one; sets ACCOUNT_PASSWORD, which the module that writes the configuration stores.
own_account() {
  local kind=$1 name=$2
  ACCOUNT_PASSWORD=$(password_in_use "$name" "$3" "$CREDENTIAL_DIR/$4")
  if [ -n "$ACCOUNT_PASSWORD" ] && has_account "$name"; then return 0; fi
  [ -n "$ACCOUNT_PASSWORD" ] || ACCOUNT_PASSWORD=$(new_password)
  add_account "$kind" "$name" "$ACCOUNT_PASSWORD"
  changed "account $name at the broker"
}

# In the order in which the programs look. A password of another account is none of ours.
password_in_use() {
  local name=$1 config=$2 credential=$3 file
  if [ -r "$config" ]; then
    [ "$(ini_get "$config" mqtt username || :)" = "$name" ] || return 0
    if ini_get "$config" mqtt password; then return 0; fi
    if file=$(ini_get "$config" mqtt password_file) && [ -n "$file" ]; then credential=$file; fi
  fi
  [ ! -r "$credential" ] || head -n 1 "$credential"
}

# The accounts of what is installed here and uses this broker: the password of a configuration that is there already stays.
own_accounts() {
  local config name
  config=$CONFIG_DIR/device.conf
  [ -e "$config" ] || config=${OLDER_CONFIG:-$config}
  if [ -n "$ROLE_DEVICE" ] && [ -n "${DEVICE_UID-}" ] && uses_this_broker "$config" "$DEVICE_UID"; then
    own_account device "$DEVICE_UID" "$config" techtemp.mqtt-password
    DEVICE_ACCOUNT_PASSWORD=$ACCOUNT_PASSWORD
  fi
  config=$(server_config)
  name=techtemp-$(server_name)
  if [ -n "$ROLE_SERVER" ] && uses_this_broker "$config" "$name"; then
    own_account server "$name" "$config" "$name.mqtt-password"
    SERVER_BROKER_USER=$name SERVER_BROKER_PASSWORD=$ACCOUNT_PASSWORD
  fi
}

# uses_this_broker CONFIG ACCOUNT. A configuration that names another broker is not turned round, unless --broker says so.
uses_this_broker() {
  local host user
  if [ -n "$BROKER_HOST" ] || [ ! -e "$1" ]; then return 0; fi
  host=$(ini_get "$1" mqtt broker_host) || host=''
  user=$(ini_get "$1" mqtt username) || user=''
  if is_this_machine "$host"; then
    # An account of its owner's choice stays, unless --with-broker asks for ours.
    [ -n "$WITH_BROKER" ] || [ -z "$user" ] || [ "$user" = "$2" ]
    return
  fi
  [ -z "$WITH_BROKER" ] ||
    warn "$1 names the broker $host and stays so; --broker localhost beside --with-broker turns it to the one of this machine"
  return 1
}
