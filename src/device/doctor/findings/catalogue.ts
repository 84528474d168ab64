import { type FindingCatalogue, reporterOf } from '../../../doctor/finding.ts';
import { COMMON_FINDINGS } from '../../../doctor/findings/catalogue.ts';
import { BUS_FINDINGS, SENSOR_FINDINGS } from './sensor.ts';
import { AGENT_FINDINGS, CONFIG_FINDINGS, STATE_FINDINGS, SYSTEM_FINDINGS } from './system.ts';

/** What the broker says once it is reached. */
export const BROKER_FINDINGS = {
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
      "on the broker's machine, in the file that acl_file names: pattern readwrite home/+/sensors/%u/#",
      '%u is the user name. If it is not the device_uid, write instead, below user {user}: topic readwrite {folder}/#',
      '$ sudo systemctl reload mosquitto',
    ],
  },
  'broker.acl-subscribe': {
    verdict: 'fail',
    found: 'the broker forbids us to subscribe to {topic}: {problem}',
    cause: 'its access list does not contain this topic for {user}; without it there are {loss}',
    remedy: [
      "on the broker's machine, in the file that acl_file names: pattern read {pattern}",
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
  'broker.no-subscriber': {
    verdict: 'ok',
    found:
      'the broker says that no program is subscribed to the readings: they stay in the journal, up to its limit, until one is ' +
      '(normal beside Home Assistant alone, which reads latest; [mqtt] no_subscriber)',
  },
  'broker.server-deaf': {
    verdict: 'warn',
    found:
      'TechTemp server {servers} says that it is online, but the broker says that no program is subscribed to {topic}',
    cause:
      'the announcement comes from another program, or the broker forbids the server to subscribe; the readings are kept here',
    remedy: [
      "on the server's machine: $ sudo techtemp-server check",
      'is there no such server? take its announcement away: $ mosquitto_pub -h {host} -p {port} -r -n -t techtemp/server/NAME',
      'and let the agent forget it: $ sudo techtemp-device servers forget NAME',
    ],
  },
  'broker.server-remembered': {
    verdict: 'warn',
    found: 'the agent waits for receipts of {server} (last online: {seen}), which is not announced at this broker',
    cause:
      'the server is gone, is on another broker, or the broker has forgotten it while it is off; the readings are kept here',
    remedy: ['start the server; or, if it is gone for good: $ sudo techtemp-device servers forget {server}'],
  },
  'broker.client-id-taken': {
    verdict: 'fail',
    found: 'another client has the client id of the agent here, which says: {problem}',
    cause: 'two clients with one client id disconnect each other, again and again',
    remedy: [
      'in {file} of one of the two devices: [mqtt] client_id = another-name',
      '$ journalctl -u techtemp-device -n 20',
    ],
  },
  'broker.other-record': {
    verdict: 'warn',
    found: 'a server has another record than before, says the running agent: {problem}',
    cause:
      'the server was set up again, or an older backup was restored: what it had confirmed before may be missing in its record',
    remedy: ["on the server's machine: $ sudo techtemp-server verify"],
  },
  'broker.agent-problem': {
    verdict: 'warn',
    found: 'the running agent says: {problem}',
    cause: 'it notices this in its own connection, which this check cannot see',
    remedy: ['$ journalctl -u techtemp-device -n 50'],
  },
  'broker.agent-unheard': {
    verdict: 'warn',
    found: 'an agent is running here, but the broker has {status} of {deviceUid}',
    cause:
      'it cannot stay connected (another client with its client id?), uses another broker, or the broker drops its status ' +
      '(no retained messages, or a limit such as message_size_limit in Mosquitto)',
    remedy: ['$ journalctl -u techtemp-device -n 50', '$ systemctl status techtemp-device'],
  },
  'broker.hangs-up': {
    verdict: 'warn',
    found: 'the broker hangs up when we subscribe to {topic}: {problem}',
    cause: 'it ends the connection instead of refusing a step; the agent leaves this step out then: there are {loss}',
    remedy: ['allow it in the access rules of the broker: read {pattern}'],
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

/** Every finding of the agent's doctor. FINDINGS.md is this table for people; a test keeps them equal. */
export const FINDINGS = {
  ...COMMON_FINDINGS,
  ...SYSTEM_FINDINGS,
  ...CONFIG_FINDINGS,
  ...BUS_FINDINGS,
  ...SENSOR_FINDINGS,
  ...BROKER_FINDINGS,
  ...STATE_FINDINGS,
  ...AGENT_FINDINGS,
} as const satisfies FindingCatalogue;

/** Reports a finding of the agent's catalogue. */
export const report = reporterOf(FINDINGS);
