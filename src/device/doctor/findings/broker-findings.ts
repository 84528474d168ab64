/** What the broker says once it is reached. */
export const BROKER_FINDINGS = {
  'broker.ok': { verdict: 'ok', found: '{host} port {port} accepts us (MQTT {version}{encryption})' },
  'broker.credentials': {
    verdict: 'fail',
    found: 'the broker refuses {user}: {problem}',
    cause: 'user name or password is wrong, or the broker does not let in anybody without them',
    remedy: [
      "on the broker's machine, set the password anew:",
      '$ sudo mosquitto_passwd /etc/mosquitto/techtemp.passwd {deviceUid} && sudo systemctl reload mosquitto',
      'in {file}: username = {deviceUid} and password (or password_file)',
    ],
  },
  'broker.not-authorized': {
    verdict: 'fail',
    found: 'the broker does not let {user} in: {problem}',
    cause: 'it knows who we are but forbids the connection; Mosquitto 2 also says so for a wrong password',
    remedy: [
      "on the broker's machine:",
      '$ sudo mosquitto_passwd /etc/mosquitto/techtemp.passwd {deviceUid} && sudo systemctl reload mosquitto',
      'in {file}: username = {deviceUid} and password (or password_file)',
    ],
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
  'broker.old-protocol': {
    verdict: 'warn',
    found: 'we speak MQTT 3.1.1 with the broker, {why}; whether it drops what we publish cannot be seen',
    cause: 'MQTT 3.1.1 acknowledges a message that the access list forbids as if it were delivered',
    remedy: [
      'MQTT 5 tells: a newer broker (Mosquitto 1.6 or later), and in {file}: protocol = auto',
      'meanwhile look whether readings arrive: $ mosquitto_sub -h {host} -p {port} -v -t "home/{homeId}/sensors/{deviceUid}/#"',
    ],
  },
  'broker.acl-publish': {
    verdict: 'fail',
    found: 'the broker forbids us to publish below {folder}: {problem}',
    cause: 'its access list does not contain this topic for {user}',
    remedy: [
      "on the broker's machine, in the file of acl_file: pattern write home/+/sensors/%u/#",
      '(%u is the user name: it must equal device_uid, else: user {user}, topic write {folder}/#)',
      '$ sudo systemctl reload mosquitto',
    ],
  },
  'broker.acl-subscribe': {
    verdict: 'fail',
    found: 'the broker forbids us to subscribe to {topic}: {problem}',
    cause: 'its access list does not contain this topic for {user}; without it there are {loss}',
    remedy: [
      "on the broker's machine, in the file of acl_file: pattern read {pattern}",
      '$ sudo systemctl reload mosquitto',
    ],
  },
  'broker.permissions': {
    verdict: 'ok',
    found: 'we may publish below {folder} and subscribe to receipts and commands',
  },
  'broker.packet-too-small': {
    verdict: 'fail',
    found: 'the broker takes packets of at most {maximum} bytes; one reading of this device needs {needed}',
    cause: 'its limit (max_packet_size in Mosquitto) is smaller than a reading',
    remedy: ["on the broker's machine: max_packet_size 65536", '$ sudo systemctl restart mosquitto'],
  },
  'broker.packet-small': {
    verdict: 'warn',
    found: 'the broker takes packets of at most {maximum} bytes: batches of the backlog hold few readings',
    cause: 'its limit (max_packet_size in Mosquitto) is smaller than one status message or a useful batch',
    remedy: ["on the broker's machine: max_packet_size 65536", '$ sudo systemctl restart mosquitto'],
  },
  'broker.receive-maximum': {
    verdict: 'warn',
    found: 'the broker takes only {maximum} unacknowledged message(s) at once: a backlog drains slowly',
    cause: 'its Receive Maximum (max_inflight_messages in Mosquitto) is set very low',
    remedy: ["on the broker's machine: max_inflight_messages 20", '$ sudo systemctl reload mosquitto'],
  },
  'broker.disconnects': {
    verdict: 'fail',
    found: 'the broker accepted us and ended the connection at once: {problem}',
    cause: 'it cuts clients that it has no room for, or whose id another client uses',
    remedy: ["on the broker's machine:", '$ journalctl -u mosquitto -n 20'],
  },
  'broker.password-in-clear': {
    verdict: 'warn',
    found: 'the password goes to {host} unencrypted',
    cause: 'tls = no; everybody on that network can read it',
    remedy: ['give the broker a certificate, and in {file}: tls = yes, broker_port = 8883'],
  },
  'broker.duplicate-uid': {
    verdict: 'fail',
    found: 'another device publishes as {deviceUid}: its journal is {theirs}, here it is {ours}',
    cause: 'an SD card or a config was copied; both devices disturb each other, and their readings mix',
    remedy: [
      'give one of them another device_uid, in its {file}',
      '$ cat /sys/class/net/eth0/address /sys/class/net/wlan0/address',
    ],
  },
  'broker.ghost': {
    verdict: 'warn',
    found: 'the broker says that {deviceUid} is online with our journal, but no agent is running here',
    cause: 'a copy of this SD card runs in another device; or the agent has just ended and the broker has not noticed',
    remedy: ['check again in two minutes; still so? give the copy another device_uid and an empty journal'],
  },
  'broker.no-server': {
    verdict: 'ok',
    found: 'no TechTemp server has announced itself here: a reading counts as delivered when the broker has it',
  },
  'broker.no-server-but-receipts': {
    verdict: 'warn',
    found: 'the config waits for receipts, but no TechTemp server has announced itself on this broker',
    cause: '[mqtt] delivery = receipt keeps every reading in the journal until a server says that it is stored',
    remedy: ['start the server: $ sudo systemctl start techtemp-server', 'or, without one, in {file}: delivery = auto'],
  },
  'broker.server': { verdict: 'ok', found: 'TechTemp server: {servers}; readings are kept until it has stored them' },
  'broker.server-offline': {
    verdict: 'warn',
    found: 'TechTemp server: {servers}; readings are kept here until it is back',
    cause: 'the server is stopped, or has lost its own connection to the broker',
    remedy: ["on the server's machine:", '$ systemctl status techtemp-server'],
  },
} as const;
