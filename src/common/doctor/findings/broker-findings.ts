/** Whether the broker lets us in; `{account}` is the user name that we suggest. */
export const BROKER_FINDINGS = {
  'broker.ok': { verdict: 'ok', found: '{host} port {port} accepts us (MQTT {version}{encryption})' },
  'broker.credentials': {
    verdict: 'fail',
    found: 'the broker refuses {user}: {problem}',
    cause: 'user name or password is wrong, or the broker does not let in anybody without them',
    remedy: [
      "on the broker's machine, set the password anew:",
      '$ sudo mosquitto_passwd /etc/mosquitto/techtemp.passwd {account} && sudo systemctl reload mosquitto',
      'in {file}: username = {account} and password (or password_file)',
    ],
  },
  'broker.not-authorized': {
    verdict: 'fail',
    found: 'the broker does not let {user} in: {problem}',
    cause: 'it knows who we are but forbids the connection; Mosquitto 2 also says so for a wrong password',
    remedy: [
      "on the broker's machine:",
      '$ sudo mosquitto_passwd /etc/mosquitto/techtemp.passwd {account} && sudo systemctl reload mosquitto',
      'in {file}: username = {account} and password (or password_file)',
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
