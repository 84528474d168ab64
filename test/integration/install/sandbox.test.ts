import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing, PROJECT } from '../../support/fresh-system.ts';

describe.skipIf(freshSystemMissing !== undefined)(
  `the machine on which installer tests run${freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`}`,
  () => {
    let system: FreshSystem | undefined;
    afterEach(() => system?.remove());

    test('what is written there does not reach the real one, and is gone with it', async () => {
      system = await freshSystem();
      system.write('/etc/techtemp-sandbox', 'mark\n', 0o600);
      system.write(`${PROJECT}/dist/techtemp-sandbox`, 'mark\n');
      expect(system.read('/etc/techtemp-sandbox')).toBe('mark\n');
      expect(existsSync('/etc/techtemp-sandbox')).toBe(false);
      expect(existsSync('dist/techtemp-sandbox')).toBe(false);
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain('techtemp-fresh');
    });

    test('it names every file that was changed, and only those', async () => {
      system = await freshSystem();
      const before = system.changedFiles();
      system.run('cat', ['/etc/os-release']);
      expect(system.changedFiles()).toEqual(before);
      system.sh('touch /etc/os-release.d; echo >>/etc/hosts');
      const now = system.changedFiles().filter((line) => !before.includes(line));
      expect(now.map((line) => line.split(' ')[0])).toEqual(['./etc/hosts', './etc/os-release.d']);
    });

    test('it can begin with the files of another, which it does not change, and which may go before it', async () => {
      const first = await freshSystem();
      try {
        first.sh(
          'echo mine >/etc/mark; rm /etc/issue; echo tmp >/tmp/mark; echo project >/project/mark; systemctl cat x || :',
        );
        system = await freshSystem({ from: first });
        expect(system.sh('cat /etc/mark /tmp/mark /project/mark; ls /etc/issue 2>/dev/null || echo gone')).toBe(
          'mine\ntmp\nproject\ngone\n',
        );
        expect(system.calls()).toEqual(['systemctl cat x']);
        system.sh('echo other >/etc/mark; rm /project/mark');
        expect(first.sh('cat /etc/mark /project/mark')).toBe('mine\nproject\n');
        expect(system.changedFiles().map((line) => line.split(' ')[0])).toContain('./etc/mark');
      } finally {
        first.remove();
      }
      expect(system.sh('cat /etc/mark')).toBe('other\n');
      expect(system.sh('[ ! -e /etc/issue ] && hostname')).toBe('fresh\n');
    });

    test('it has processes and a network of its own, and a terminal where a test wants one', async () => {
      system = await freshSystem();
      expect(Number(system.sh('ls -d /proc/[0-9]* | wc -l'))).toBeLessThan(10);
      expect(system.sh('ip -o addr show up')).toMatch(/^1: lo .*127\.0\.0\.1/);
      expect(system.run('tty', []).stdout).toContain('not a tty');
      expect(system.run('tty', [], { onTerminal: true }).stdout).toContain('/dev/pts/');
    });

    test('a unit is started with its folders, started again when it ends, stopped and disabled', async () => {
      system = await freshSystem();
      const command = `bash -c 'echo "$STATE_DIRECTORY $RUNTIME_DIRECTORY" >>/tmp/started; exec sleep 60'`;
      const unit = `[Service]\nExecStart=${command}\nRestart=always\nStateDirectory=x\nRuntimeDirectory=x\n[Install]\nWantedBy=multi-user.target\n`;
      system.write('/etc/systemd/system/x.service', unit);
      system.sh('systemctl daemon-reload; systemctl enable --now x; systemctl is-active --quiet x');
      expect(system.sh('until [ -s /tmp/started ]; do sleep 0.1; done; cat /tmp/started')).toBe('/var/lib/x /run/x\n');
      const pid = system.sh('systemctl show -p MainPID --value x').trim();
      system.sh(
        `kill -9 ${pid}; until [ -s /run/fake-systemd/x.service.pid ] && ! kill -0 ${pid} && systemctl is-active -q x; do sleep 0.2; done`,
      );
      expect(system.sh('systemctl show -p NRestarts x')).toBe('NRestarts=1\n');
      system.sh(
        'systemctl disable --now x; [ "$(systemctl is-active x)" = inactive ]; [ ! -e /run/x ]; [ -d /var/lib/x ]',
      );
      expect(system.calls()).toContain('systemctl daemon-reload');
    });
  },
);
