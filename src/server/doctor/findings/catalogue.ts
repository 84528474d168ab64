import { type FindingCatalogue, reporterOf } from '../../../doctor/finding.ts';
import { COMMON_FINDINGS, CONFIG_FILE_FINDINGS } from '../../../doctor/findings/catalogue.ts';
import { BACKUP_FINDINGS } from './backups.ts';
import { RECORD_FINDINGS, STORE_FINDINGS } from './store.ts';

/** What the broker lets the server do, and what it does behind its back. */
export const BROKER_FINDINGS = {
  'broker.old-protocol': {
    verdict: 'warn',
    found: 'we speak MQTT 3.1.1 with the broker, {why}; whether it drops what we publish cannot be seen',
    cause: 'MQTT 3.1.1 acknowledges a message that the access list forbids as if it were delivered',
    remedy: ['MQTT 5 tells: a newer broker (Mosquitto 1.6 or later), and in {file}: protocol = auto'],
  },
  'broker.permissions': {
    verdict: 'ok',
    found: 'we may read what devices publish, and publish receipts and our announcement',
  },
  'broker.acl-subscribe': {
    verdict: 'fail',
    found: 'the broker forbids us to subscribe to {topics}',
    cause: 'its access list does not contain this for {user}; no reading arrives',
    remedy: [
      "on the broker's machine, in the file that acl_file names, below user {account}: topic read home/#",
      '$ sudo systemctl reload mosquitto',
    ],
  },
  'broker.acl-publish': {
    verdict: 'fail',
    found: 'the broker forbids us to publish on {topic}: {problem}',
    cause:
      'its access list does not contain this for {user}; without it devices never get a receipt and keep all their readings',
    remedy: [
      "on the broker's machine, in the file that acl_file names, below user {account}:",
      'topic write home/+/sensors/+/receipt',
      'topic write techtemp/server/#',
      '$ sudo systemctl reload mosquitto',
    ],
  },
  'broker.acl-servers': {
    verdict: 'warn',
    found: 'the broker forbids us to read techtemp/server/#: whether another server is there cannot be seen',
    cause: 'its access list does not contain this for {user}',
    remedy: [
      "on the broker's machine, in the file that acl_file names, below user {account}: topic read techtemp/server/#",
      '$ sudo systemctl reload mosquitto',
    ],
  },
  'broker.dropped': {
    verdict: 'fail',
    found:
      'the broker has dropped {count} message(s) since it started, for subscribers that were slow or away, after it had acknowledged them',
    cause:
      'its queue for one subscriber holds 1000 messages by default (max_queued_messages of Mosquitto); readings of agents that wait for receipts come again, those of older agents are lost',
    remedy: [
      "on the broker's machine, the settings that TechTemp ships (config/mosquitto/techtemp.conf): max_queued_messages 100000 and persistence true",
      '$ sudo cp {folder}/config/mosquitto/techtemp.conf /etc/mosquitto/conf.d/',
      '$ sudo systemctl restart mosquitto',
      'which numbers are missing, where there are numbers: $ sudo techtemp-server verify',
    ],
  },
  'broker.no-drops': { verdict: 'ok', found: 'the broker has dropped no message since it started' },
  'broker.silent-about-drops': {
    verdict: 'skipped',
    found: 'the broker does not say whether it drops messages ($SYS/broker/publish/messages/dropped)',
    cause: 'it is not Mosquitto, $SYS is switched off, or its access list hides it',
    remedy: ["on a Mosquitto's machine: topic read $SYS/# for {account}, and sys_interval 10"],
  },
  'broker.ends-on-drops': {
    verdict: 'skipped',
    found: 'the broker ends the connection on a subscription to $SYS/broker/publish/messages/dropped: {problem}',
    cause: 'this broker does not allow $SYS; the server finds that out and leaves this subscription out',
    remedy: ['nothing has to be done: only the count of dropped messages is missing'],
  },
  'broker.no-retained-by-wildcard': {
    verdict: 'warn',
    found:
      'this server has announced itself as {instance} ({state}), but the broker gives retained messages only to exact topics',
    cause:
      'some brokers do not look for retained messages at a subscription with a wildcard (RabbitMQ); a device that has not met this server yet learns of it only when it announces itself again',
    remedy: ['in device.conf of each device: [mqtt] delivery = receipt'],
  },
  'broker.announced': { verdict: 'ok', found: 'this server has announced itself as {instance} ({state})' },
  'broker.not-announced': {
    verdict: 'warn',
    found: 'no server has announced itself as {instance}: devices deliver without receipts',
    cause: 'the server has never run with this broker, or the broker has forgotten it',
    remedy: ['$ sudo systemctl start {unit}'],
  },
  'broker.twin': {
    verdict: 'warn',
    found: 'a server is online as {instance}, but none answers on this machine',
    cause:
      'another machine runs a server with our instance name: the two end the connections of each other; or ours has just ended',
    remedy: ['check again in two minutes; still so? in {file} of one of them: [mqtt] instance = <another name>'],
  },
  'broker.other-servers': {
    verdict: 'warn',
    found: 'other servers give receipts, too: {servers}',
    cause: 'a device releases a reading when any server has stored it: each of them may miss some',
    remedy: [
      'in the config of the one that only watches (staging): [mqtt] receipts = no',
      'one that is gone for good: $ mosquitto_pub -h {host} -p {port} -r -n -t techtemp/server/<its name>',
    ],
  },
} as const;

/** Where the server answers, and who can reach it there. */
export const HTTP_FINDINGS = {
  'http.ready': { verdict: 'ok', found: 'our server answers on {url} and is ready' },
  'http.not-ready': {
    verdict: 'fail',
    found: 'our server answers on {url}, but is not ready: {parts}',
    cause: 'a part of it does not work; the findings above say why',
    remedy: ['$ journalctl -u {unit} -n 20 --no-pager'],
  },
  'http.free': { verdict: 'ok', found: '{host} port {port} is free for the server, which is not running' },
  'http.taken': {
    verdict: 'fail',
    found: 'something else listens on {host} port {port}: {problem}',
    cause: 'another program has taken the port, or an older TechTemp still runs',
    remedy: ['$ sudo ss -ltnp "sport = :{port}"', 'in {file}: [http] port = <a free one>'],
  },
  'http.silent': {
    verdict: 'warn',
    found: 'whether our server works could not be found out: {host} port {port} gave no answer: {problem}',
    cause: 'this machine is very busy at the moment, or what listens there hangs',
    remedy: ['try again when it is less busy', '$ systemctl status {unit}', '$ sudo ss -ltnp "sport = :{port}"'],
  },
  'http.bad-address': {
    verdict: 'fail',
    found: 'the server cannot listen on {host} port {port}: {problem}',
    cause: 'no network interface of this machine has that address, or the port is one that only root may use',
    remedy: ['$ ip -brief address', 'in {file}: [http] host = 127.0.0.1 and port = 3000'],
  },
  'http.any-port': { verdict: 'skipped', found: 'not examined: [http] port = 0 means whichever is free' },
  'exposure.loopback': { verdict: 'ok', found: 'the server listens on this machine only ({host})' },
  'exposure.guarded': {
    verdict: 'ok',
    found: 'the server listens on {host}, encrypted, and {tokens} token(s) are in force',
  },
  'exposure.no-tls': {
    verdict: 'warn',
    found: 'the server listens on {host} without TLS: everybody on that network can read what it says, tokens too',
    cause: '[http] tls_cert_file and tls_key_file are empty',
    remedy: [
      'in {file}: [http] host = 127.0.0.1, and a reverse proxy with TLS in front of it',
      'or give it a certificate: tls_cert_file and tls_key_file',
    ],
  },
  'exposure.no-token': {
    verdict: 'warn',
    found: 'a token is needed to {what}, and none is in force',
    cause: 'no token was ever made, or all are revoked or have expired',
    remedy: ['$ sudo techtemp-server token create <name> --scope {scope}'],
  },
  'exposure.tls-file': {
    verdict: 'fail',
    found: '{file} of [http] cannot be read: {problem}',
    cause: 'a certificate or key that the config names is missing, or private to another user',
    remedy: ['$ sudo ls -l {file}'],
  },
} as const;

/** The machine and the config file. */
export const SYSTEM_FINDINGS = {
  'clock.unsynchronised': {
    verdict: 'warn',
    found: '{time}, but the clock is not synchronised',
    cause:
      'no time server was reached since start; when a device was last seen, and which times are refused, is judged by it',
    remedy: ['$ sudo timedatectl set-ntp true', '$ timedatectl timesync-status'],
  },
  'clock.unknown': { verdict: 'ok', found: '{time}; systemd does not run here, so the clock is believed' },
  'config.ok': { verdict: 'ok', found: '{file}' },
  'config.missing': {
    verdict: 'fail',
    found: '{file} does not exist; the rest was examined with the defaults',
    cause: 'no config has been written yet, or the name given with --config is wrong',
    remedy: [
      '$ sudo mkdir -p {folder} && techtemp-server config --defaults | sudo tee {file} > /dev/null',
      '$ sudo nano {file}',
    ],
  },
  'config.unreadable': {
    verdict: 'fail',
    found: '{file} cannot be read: {problem}',
    cause: 'its permissions keep this user out',
    remedy: ['$ sudo techtemp-server check --config {file}', '$ ls -l {file}'],
  },
  'config.invalid': {
    verdict: 'fail',
    found: '{problem}',
    cause: 'the server does not start with this file; a running one keeps the config that it has',
    remedy: ['$ sudo nano {file}', '$ techtemp-server check'],
  },
  ...CONFIG_FILE_FINDINGS,
} as const;

/** Every finding of the server's doctor. FINDINGS.md is this table for people; a test keeps them equal. */
export const FINDINGS = {
  ...COMMON_FINDINGS,
  ...SYSTEM_FINDINGS,
  ...STORE_FINDINGS,
  ...RECORD_FINDINGS,
  ...BACKUP_FINDINGS,
  ...BROKER_FINDINGS,
  ...HTTP_FINDINGS,
} as const satisfies FindingCatalogue;

/** Reports a finding of the server's catalogue. */
export const report = reporterOf(FINDINGS);
