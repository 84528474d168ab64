/** Finds the password file by its setting: it has any name on a broker that we did not set up. */
const SET_PASSWORD = [
  "on the broker's machine, set the password again in the file that password_file names:",
  `$ sudo mosquitto_passwd "$(sudo grep -rhoP '^password_file\\s+\\K\\S+' /etc/mosquitto | head -n 1)" {account} && sudo systemctl reload mosquitto`,
  'no such file, as in Home Assistant? make the account {account} in the settings of that broker',
  'in {file}: username = {account} and password (or password_file)',
] as const;

/** Whether the broker lets us in; `{account}` is the user name that we suggest. */
export const BROKER_FINDINGS = {
  'broker.ok': { verdict: 'ok', found: '{host} port {port} accepts us (MQTT {version}{encryption})' },
  'broker.credentials': {
    verdict: 'fail',
    found: 'the broker refuses {user}: {problem}',
    cause: 'user name or password is wrong, or the broker lets no client in without them',
    remedy: [...SET_PASSWORD],
  },
  'broker.not-authorized': {
    verdict: 'fail',
    found: 'the broker does not let {user} in: {problem}',
    cause: 'it knows who we are but forbids the connection; Mosquitto 2 also says so for a wrong password',
    remedy: [...SET_PASSWORD],
  },
  'broker.client-id': {
    verdict: 'fail',
    found: 'the broker refuses the client id "{clientId}": {problem}',
    cause: 'it allows only ids of a certain form or length, or ids that equal the user name',
    remedy: ['in {file}: client_id = <an id that the broker allows>'],
  },
  'broker.refused': {
    verdict: 'fail',
    found: 'the broker refuses the connection: {problem}',
    cause: 'it is too busy, shuts down, or has banned this client',
    remedy: ["on the broker's machine:", '$ journalctl -u mosquitto -n 20'],
  },
  'broker.protocol': {
    verdict: 'fail',
    found: 'the broker does not speak MQTT {version}, which the config asks for',
    cause: '[mqtt] protocol = {version} allows no other',
    remedy: ['in {file}: protocol = auto'],
  },
  'broker.disconnects': {
    verdict: 'fail',
    found: 'the broker accepted us and ended the connection at once: {problem}',
    cause: 'it cuts clients that it has no room for, or whose id another client uses',
    remedy: ["on the broker's machine:", '$ journalctl -u mosquitto -n 20'],
  },
  'broker.no-answer': {
    verdict: 'warn',
    found: '{what} could not be found out: {problem}',
    cause: 'the broker or this machine is very busy at the moment, or the network loses packets',
    remedy: ['try again when they are less busy', "on the broker's machine:", '$ journalctl -u mosquitto -n 20'],
  },
  'broker.password-in-clear': {
    verdict: 'warn',
    found: 'the password goes to {host} unencrypted',
    cause: 'tls = no; everybody on that network can read it',
    remedy: ['give the broker a certificate, and in {file}: tls = yes, broker_port = 8883'],
  },
} as const;

/** The way to the broker, up to its first word. */
export const CONNECTION_FINDINGS = {
  'connection.dns': {
    verdict: 'fail',
    found: 'the name {host} cannot be resolved: {problem}',
    cause: 'broker_host is misspelt, or the name server is not reached (names that end in .local need avahi)',
    remedy: ['$ getent hosts {host}', 'in {file}: broker_host = <the address of the broker, such as 192.168.1.10>'],
  },
  'connection.refused': {
    verdict: 'fail',
    found: '{host} is there, but nothing listens on port {port}',
    cause:
      'the broker is not running, listens on another port, or only on its own loopback ("local only mode" of Mosquitto 2)',
    remedy: [
      "on the broker's machine:",
      '$ systemctl status mosquitto',
      '$ sudo ss -ltnp | grep -E ":(1883|8883)"',
      'local only? give it a listener: a file in /etc/mosquitto/conf.d with the lines "listener 1883" and "allow_anonymous true" (or a password_file)',
    ],
  },
  'connection.unreachable': {
    verdict: 'fail',
    found: '{host} cannot be reached: {problem}',
    cause: 'this machine has no network, or no way to that address',
    remedy: ['$ ip -brief address', '$ ip route get {host}'],
  },
  'connection.time-out': {
    verdict: 'fail',
    found: '{host} port {port} does not answer: {problem}',
    cause:
      'the machine is off, a firewall drops the packets, or another program, which does not speak MQTT, listens there',
    remedy: ['$ ping -c 3 {host}', '$ nc -vz -w 5 {host} {port}', "on the broker's machine: $ sudo ufw status"],
  },
  'connection.not-mqtt': {
    verdict: 'fail',
    found: 'what answers on {host} port {port} is not an MQTT broker: {problem}',
    cause: '{guess}',
    remedy: ['in {file}: broker_port = 1883 (plain) or 8883 (with tls = yes)'],
  },
  'connection.plain-to-tls': {
    verdict: 'fail',
    found: '{host} port {port} wants TLS, but the config says tls = no',
    cause: 'broker_port is the port of the encrypted listener',
    remedy: [
      'in {file}: tls = yes, and tls_ca_file = <the CA of the broker, if it is your own>',
      'or the plain port: broker_port = 1883',
    ],
  },
  'connection.tls-to-plain': {
    verdict: 'fail',
    found: '{host} port {port} does not speak TLS, but the config says tls = yes',
    cause: 'broker_port is the port of the unencrypted listener',
    remedy: ['in {file}: broker_port = 8883', 'or, without encryption: tls = no'],
  },
  'connection.tls-unknown-ca': {
    verdict: 'fail',
    found: 'the certificate of {host} is not signed by a CA that is known here: {problem}',
    cause: 'the broker has a certificate of its own CA, and tls_ca_file does not name that CA',
    remedy: [
      "copy the CA's certificate from the broker (often /etc/mosquitto/ca_certificates/ca.crt), and in {file}:",
      'tls_ca_file = /etc/techtemp/ca.crt',
    ],
  },
  'connection.tls-expired': {
    verdict: 'fail',
    found: 'the certificate of {host} has expired: {problem}',
    cause: 'it was not renewed',
    remedy: [
      '$ openssl s_client -connect {host}:{port} </dev/null 2>/dev/null | openssl x509 -noout -dates',
      "renew it on the broker's machine, then: $ sudo systemctl reload mosquitto",
    ],
  },
  'connection.tls-not-yet-valid': {
    verdict: 'fail',
    found: 'the certificate of {host} is not valid yet; the clock of this machine says {time}',
    cause: 'the clock of this machine is in the past, or the clock of the machine that made the certificate was ahead',
    remedy: [
      '$ timedatectl',
      '$ sudo timedatectl set-ntp true',
      '$ openssl s_client -connect {host}:{port} </dev/null 2>/dev/null | openssl x509 -noout -dates',
    ],
  },
  'connection.tls-name': {
    verdict: 'fail',
    found: 'the certificate is made for another name than {name}: {problem}',
    cause: 'broker_host is an address or an alias that the certificate does not list',
    remedy: [
      'in {file}: tls_server_name = <a name that the certificate lists>',
      'or make a certificate with this name in subjectAltName',
    ],
  },
  'connection.tls-client-certificate': {
    verdict: 'fail',
    found: 'the broker does not accept our client certificate, or wants one and has got none: {problem}',
    cause: 'the listener has require_certificate true',
    remedy: ['in {file}: tls_cert_file and tls_key_file, signed by the CA that the broker trusts'],
  },
  'connection.tls-failed': {
    verdict: 'fail',
    found: 'no TLS connection to {host} port {port}: {problem}',
    cause: 'the two sides have no version or cipher in common, or the certificate files do not fit',
    remedy: ['$ openssl s_client -connect {host}:{port} </dev/null'],
  },
  'connection.file': {
    verdict: 'fail',
    found: '{problem}',
    cause: 'a file that [mqtt] names (a certificate, a key, a password) is missing or may not be read',
    remedy: ['$ sudo ls -l /etc/techtemp'],
  },
  'connection.password-private': {
    verdict: 'skipped',
    found: 'not examined: the password is in {file}, which only root may read',
    cause: 'systemd gives it only to the service',
    remedy: ['$ sudo {program} check'],
  },
  'connection.password-encrypted': {
    verdict: 'skipped',
    found: 'not examined: the password is in {file}, which only systemd can decrypt',
    cause: 'systemd gives it only to the service',
    remedy: ['whether the service is connected: $ systemctl status {program}'],
  },
  'connection.lost': {
    verdict: 'fail',
    found: '{host} port {port} ended the connection before it was accepted: {problem}',
    cause: 'the broker is overloaded or shuts down, or a firewall cuts the connection',
    remedy: ["on the broker's machine:", '$ journalctl -u mosquitto -n 20'],
  },
} as const;
