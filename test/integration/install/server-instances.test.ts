import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerMachine, DEVICE } from '../../support/broker-machine.ts';
import { freshSystemMissing } from '../../support/fresh-system.ts';
import { mosquittoInstalled } from '../../support/mosquitto.ts';
import { serverMissing } from '../../support/server-process.ts';
import { until } from '../../support/until.ts';

const SERVER = ['--role', 'server'];
const STAGING = [...SERVER, '--instance', 'staging'];
const MAIN_PORT = 3000;
const STAGING_PORT = 3001;
const WAIT_MS = 60_000;
/** A dozen programs come and go. */
const TEST_MS = 240_000;

interface Journal {
  readonly buffered: number;
}

describe.skipIf(freshSystemMissing !== undefined || !mosquittoInstalled || serverMissing !== undefined)(
  'servers on one machine, as they are installed',
  { timeout: TEST_MS },
  () => {
    let machine: BrokerMachine;
    beforeEach(async () => {
      machine = await BrokerMachine.create();
      // The release is the project itself.
      machine.system.sh(
        'mkdir -p /opt/techtemp && ln -s /project /opt/techtemp/current; cp /project/systemd/*.service /etc/systemd/system/',
      );
    });
    afterEach(() => machine.remove());

    /** As systemd hands them over with LoadCredential=. */
    const start = (unit: string, name: string): void => {
      const folder = `/run/credentials/${unit}.service`;
      machine.system.sh(
        `mkdir -p ${folder}; cp /etc/credstore/${name}.mqtt-password ${folder}/mqtt-password
         mkdir -p /etc/systemd/system/${unit}.service.d
         printf '[Service]\\nEnvironment=CREDENTIALS_DIRECTORY=${folder}\\n' >/etc/systemd/system/${unit}.service.d/test.conf
         systemctl start ${unit}`,
      );
    };
    const get = (port: number, path: string): unknown =>
      JSON.parse(machine.system.sh(`curl -sS -m 10 http://127.0.0.1:${port}${path}`)) as unknown;
    const answers = async (port: number): Promise<void> =>
      await until(
        `the server on ${port} answers`,
        () => machine.system.run('curl', ['-sf', `http://127.0.0.1:${port}/health`]).status === 0,
        WAIT_MS,
      );
    /** The numbers of the readings that a server has, oldest first. */
    const numbers = (port: number): readonly number[] => {
      const url = `http://127.0.0.1:${port}/api/v1/readings?device=${DEVICE}&from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&order=asc&limit=5000`;
      const { status, stdout } = machine.system.run('curl', ['-sf', url]);
      return status === 0 ? (JSON.parse(stdout) as { data: { seq: number }[] }).data.map(({ seq }) => seq) : [];
    };
    const waiting = (): number => statusOf().journal.buffered;
    const statusOf = (): { journal: Journal; delivery: string } => {
      const password = machine.credential('techtemp');
      const line = machine.system.sh(
        `mosquitto_sub -u ${DEVICE} -P ${password} -t home/home-001/sensors/${DEVICE}/status -C 1 -W 10`,
      );
      return JSON.parse(line) as { journal: Journal; delivery: string };
    };

    test('staging beside production stores every reading and takes none from it', async () => {
      machine.provide(['--interval', '0.2']);
      machine.succeed('provide_broker; write_server_config', STAGING);
      machine.system.sh(
        "sed -i 's/^#type = auto/type = simulated/; s/^#source = auto/source = trust/; s/^#status_interval_seconds.*/status_interval_seconds = 10/' /etc/techtemp/device.conf",
      );
      start('techtemp-server', 'techtemp-server');
      start('techtemp-server@staging', 'techtemp-server-staging');
      await answers(MAIN_PORT);
      await answers(STAGING_PORT);
      start('techtemp-device', 'techtemp');
      await until(
        'both have readings',
        () => numbers(MAIN_PORT).length > 5 && numbers(STAGING_PORT).length > 5,
        WAIT_MS,
      );

      machine.system.sh('systemctl stop techtemp-server');
      const seen = numbers(STAGING_PORT).length;
      await until('staging goes on to store', () => numbers(STAGING_PORT).length > seen + 20, WAIT_MS);
      await until('what staging has stored waits at the device for production', () => waiting() >= 20, WAIT_MS);
      expect(statusOf().delivery).toBe('receipt');

      machine.system.sh('systemctl start techtemp-server');
      await answers(MAIN_PORT);
      await until(
        'production has caught up',
        () => numbers(MAIN_PORT).length >= numbers(STAGING_PORT).length - 5,
        WAIT_MS,
      );
      machine.system.sh('systemctl stop techtemp-device');
      const stored = numbers(MAIN_PORT);
      expect(stored.length).toBeGreaterThan(seen + 20);
      expect(stored).toEqual(stored.map((_, index) => index + 1));
      expect(
        machine.system.sh("ls -d /var/lib/private/techtemp-server* | xargs -n 1 basename | paste -sd ' '").trim(),
      ).toBe('techtemp-server techtemp-server-staging');
    });

    test('a token is made once for each, shown, honoured at once, and in no file and no log', async () => {
      machine.system.sh('mkdir -p /run/credentials; systemctl start mosquitto');
      machine.succeed('write_server_config', [...SERVER, '--listen', '0.0.0.0']);
      machine.system.sh('systemctl start techtemp-server');
      await answers(MAIN_PORT);
      const { stdout } = machine.succeed('create_token', SERVER);
      const token = /ttk_\S+/.exec(stdout)?.[0] ?? '';
      expect(token).not.toBe('');
      const readings = [
        '-s',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        `http://127.0.0.1:${MAIN_PORT}/api/v1/readings/latest`,
      ];
      expect(machine.system.run('curl', readings).stdout).toBe('401');
      expect(machine.system.run('curl', [...readings, '-H', `Authorization: Bearer ${token}`]).stdout).toBe('200');
      expect(machine.system.sh(`grep -rlF '${token}' /var /etc /tmp /run 2>/dev/null || :`)).toBe('');

      const again = machine.succeed('create_token', SERVER);
      expect(again.stdout).toBe('CHANGES=0\n');
      expect(get(MAIN_PORT, '/health')).toMatchObject({ status: 'ok' });
    });

    test('a server that does not run gets its token later: said, with the command, and no failure', () => {
      machine.succeed('write_server_config', SERVER);
      const { stdout, stderr } = machine.succeed('create_token', SERVER);
      expect(stderr).toContain('no token could be made: techtemp-server.service does not run');
      expect(stdout).toContain('sudo techtemp-server token create NAME --scope write');
    });
  },
);
