# shellcheck shell=bash
# A small authority for the certificate of our broker, so that passwords and readings cross the network encrypted and a device
# knows whom it talks to. Its key stays with root on this machine; its certificate is what the other Pis need (--tls-ca).

# A Pi without a clock wakes up in the past: for it a certificate of today would not be valid yet.
VALID_FROM=20200101000000Z
AUTHORITY_DAYS=7300
# It is not renewed automatically, so it must last longer than the card: one that ends after two years would disconnect every device of
# the house in one night. A run of this script renews it in its last year.
CERTIFICATE_DAYS=3650
RENEW_DAYS=365

authority_dir() { printf '%s' "$MOSQUITTO_DIR/techtemp-authority"; }
tls_dir() { printf '%s' "$MOSQUITTO_DIR/techtemp-tls"; }

# draft_certificates: the certificate of the broker in BROKER_DRAFT/techtemp-tls, the one that is there where it still serves.
draft_certificates() {
  local tls=$BROKER_DRAFT/techtemp-tls authority=$BROKER_DRAFT/techtemp-authority wanted had=''
  mkdir -m 0700 "$tls" "$authority"
  if [ -r "$(tls_dir)/broker.crt" ]; then
    cp "$(tls_dir)/"* "$tls/"
    had=$(names_of "$tls/broker.crt")
  fi
  [ ! -r "$(authority_dir)/ca.key" ] || cp "$(authority_dir)/"* "$authority/"
  wanted=$(printf '%s\n' "$had" "$(names_of_this_machine)" | sed '/^$/d' | sort -u)
  if [ "$wanted" = "$had" ] && openssl x509 -checkend "$((RENEW_DAYS * 86400))" -noout -in "$tls/broker.crt" >/dev/null; then return 0; fi
  if [ -n "${DRY_RUN-}" ]; then
    detail "\$ openssl: a certificate for $(printf '%s' "$wanted" | paste -sd ' ')"
    return 0
  fi
  [ -e "$authority/ca.key" ] || make_authority "$authority"
  issue_certificate "$authority" "$tls" "$wanted"
  cp "$authority/ca.crt" "$tls/ca.crt"
}

make_authority() {
  local folder=$1
  new_key "$folder/ca.key"
  printf '%s\n' basicConstraints=critical,CA:TRUE,pathlen:0 keyUsage=critical,keyCertSign,cRLSign \
    subjectKeyIdentifier=hash >"$folder/extensions"
  sign "$folder" "$folder/ca.key" "/CN=TechTemp authority of $(hostname)" "$folder/ca.crt" "$AUTHORITY_DAYS" -selfsign
}

# issue_certificate AUTHORITY FOLDER NAMES: a new key each time, so that one that has leaked ends with its certificate.
issue_certificate() {
  local authority=$1 folder=$2 names
  names=$(printf '%s\n' "$3" | paste -sd ,)
  new_key "$folder/broker.key"
  printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth \
    subjectKeyIdentifier=hash authorityKeyIdentifier=keyid "subjectAltName=$names" >"$authority/extensions"
  sign "$authority" "$folder/broker.key" "/CN=$(hostname)" "$folder/broker.crt" "$CERTIFICATE_DAYS" -cert "$authority/ca.crt"
}

new_key() { (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$1") || fail "openssl could not make a key ($1)"; }

# sign AUTHORITY KEY SUBJECT CERTIFICATE DAYS ARGUMENT...: with "openssl ca", which alone takes a date of beginning in OpenSSL 3.0.
sign() {
  local authority=$1 key=$2 subject=$3 certificate=$4 days=$5 work status=0
  shift 5
  work=$(mktemp -d)
  : >"$work/database"
  printf '%s\n' '[ca]' 'default_ca = c' '[c]' "database = $work/database" "new_certs_dir = $work" 'rand_serial = yes' \
    'default_md = sha256' 'policy = p' '[p]' 'commonName = supplied' >"$work/openssl.cnf"
  { openssl req -new -key "$key" -subj "$subject" -out "$work/request" &&
    openssl ca -batch -notext -config "$work/openssl.cnf" -keyfile "$authority/ca.key" "$@" -in "$work/request" -out "$certificate" \
      -extfile "$authority/extensions" -startdate "$VALID_FROM" -enddate "$(date -u -d "+$days days" +%Y%m%d%H%M%SZ)"; } \
    >"$work/words" 2>&1 || status=$?
  [ "$status" = 0 ] || sed 's/^/    | /' "$work/words" >&2
  rm -rf "$work" "$authority/extensions"
  [ "$status" = 0 ] || fail "openssl could not make the certificate $certificate"
}

# Every name under which a device of the house may look for this machine. No IPv6 addresses: most of them change every day.
names_of_this_machine() {
  local host address
  host=$(hostname)
  host=${host%%.*}
  printf '%s\n' "DNS:$host" "DNS:$host.local" DNS:localhost IP:127.0.0.1
  for address in $(ip -4 -o addr show scope global 2>/dev/null | awk '$2 !~ /^(docker|br-|veth|virbr)/ { sub(/\/.*/, "", $4); print $4 }'); do
    printf 'IP:%s\n' "$address"
  done
}

# The names in a certificate, as names_of_this_machine prints them.
names_of() {
  openssl x509 -noout -ext subjectAltName -in "$1" | sed '1d; s/IP Address:/IP:/g; s/, */\n/g; s/ //g' | sed 's/^ *//' | sort -u
}

install_certificates() {
  local file authority tls
  authority=$(authority_dir) tls=$(tls_dir)
  if [ -z "${DRY_RUN-}" ]; then
    install -d -m 0700 "$authority" || fail "the folder $authority could not be made"
    install -d -m 0755 "$tls" || fail "the folder $tls could not be made"
    manifest_add directory "$authority"
    manifest_add directory "$tls"
  fi
  for file in ca.key ca.crt; do
    [ ! -e "$BROKER_DRAFT/techtemp-authority/$file" ] || install_copy "$BROKER_DRAFT/techtemp-authority/$file" "$authority/$file" 0600 root:root || :
  done
  [ -e "$BROKER_DRAFT/techtemp-tls/broker.crt" ] || return 0
  install_copy "$BROKER_DRAFT/techtemp-tls/broker.key" "$tls/broker.key" 0600 "$MOSQUITTO_USER:$MOSQUITTO_USER" || :
  install_copy "$BROKER_DRAFT/techtemp-tls/broker.crt" "$tls/broker.crt" 0644 root:root || :
  install_copy "$BROKER_DRAFT/techtemp-tls/ca.crt" "$tls/ca.crt" 0644 root:root || :
}

# probe_tls: the encrypted door, by address and by name, as a device would use it.
probe_tls() {
  local host account=${DEVICE_ACCOUNT_PASSWORD:+$DEVICE_UID} password=${DEVICE_ACCOUNT_PASSWORD:-${SERVER_BROKER_PASSWORD-}}
  account=${account:-${SERVER_BROKER_USER-}}
  [ -n "$account" ] || return 0
  for host in 127.0.0.1 localhost; do
    may_connect "$host" "$TLS_DOOR" "$account" "$password" --cafile "$(tls_dir)/ca.crt" ||
      says "over TLS it can't be reached as $host: $PROBE_ANSWER" || return
  done
}
