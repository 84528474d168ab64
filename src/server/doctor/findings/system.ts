import { CONFIG_FILE_FINDINGS } from '../../../doctor/findings/system.ts';

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
