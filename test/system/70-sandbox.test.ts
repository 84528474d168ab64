import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureInstalled } from './support/installation.ts';
import { note } from './support/results.ts';
import { DEVICE, SERVER, Target } from './support/target.ts';

/** What the project promises; systemd's scale goes from 0 (locked up) to 10 (open). */
const HIGHEST_EXPOSURE = { [DEVICE]: 1.3, [SERVER]: 1.2 };
const STATE = { [DEVICE]: '/var/lib/private/techtemp', [SERVER]: '/var/lib/private/techtemp-server' };

const target = new Target();

beforeAll(async () => {
  await ensureInstalled(target);
});
afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

test.each([DEVICE, SERVER] as const)('%s: the exposure that systemd measures is as low as promised', async (unit) => {
  const text = await target.sh(`systemd-analyze security --no-pager ${unit} | tail -n 1`);
  const exposure = Number(/: (\d+\.\d+)/.exec(text)?.[1]);
  note(target, `systemd-analyze security ${unit}: ${exposure}`);
  expect(exposure).toBeLessThanOrEqual(HIGHEST_EXPOSURE[unit]);
});

test.each([DEVICE, SERVER] as const)(
  '%s: no capability, no new privilege, filtered system calls, not root',
  async (unit) => {
    const status = await target.sh(`cat /proc/$(systemctl show ${unit} -p MainPID --value)/status`);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect(status).toMatch(new RegExp(`^${set}:\\s0+$`, 'm'));
    }
    expect(status).toMatch(/^NoNewPrivs:\s1$/m);
    expect(status).toMatch(/^Seccomp:\s2$/m);
    expect(status).not.toMatch(/^Uid:\s0\s/m);
  },
);

test.each([DEVICE, SERVER] as const)(
  '%s: nothing can be written but state, runtime and private temporary files',
  async (unit) => {
    const writable = await inside(
      unit,
      'for d in / /etc /etc/techtemp /opt/techtemp /usr /var /var/lib /var/log /home /root /boot /srv /run /dev/shm /sys /proc/sys/kernel; do [ -w "$d" ] && echo "$d"; done; :',
    );
    expect(writable).toBe('');
    expect(await inside(unit, `[ -w ${STATE[unit]} ] && echo yes`)).toBe('yes');
    const owned = `find / -xdev -uid $(stat -c %u /proc/$(systemctl show ${unit} -p MainPID --value)) -type f 2>/dev/null`;
    const elsewhere = (await target.sh(owned))
      .split('\n')
      .filter((path) => !path.startsWith(STATE[unit]) && path !== '');
    expect(elsewhere).toEqual([]);
  },
);

test('the agent opens the I2C bus and no other device', async () => {
  const open = await target.sh(`ls -l /proc/$(systemctl show ${DEVICE} -p MainPID --value)/fd`);
  const devices = [...open.matchAll(/-> (\/dev\/\S+)/g)].map((match) => match[1] ?? '');
  expect(devices.filter((path) => !/^\/dev\/(i2c-\d+|null|urandom|random)$/.test(path))).toEqual([]);
  const { stdout } = await target.try(PROBE_DEVICES, { limitMs: 180_000 });
  note(target, `devices that a process with the sandbox of ${DEVICE} can open: ${stdout.trim().replaceAll('\n', ' ')}`);
  const opened = stdout
    .trim()
    .split('\n')
    .filter((path) => path !== '');
  expect(opened.length).toBeGreaterThan(0);
  expect(
    opened.filter((path) => !/^\/dev\/(i2c-\d+|null|zero|full|urandom|random|tty|ptmx|pts\/ptmx|rtc\d*)$/.test(path)),
  ).toEqual([]);
});

/** As the unit's process sees the file system, with its user and groups, but through a shell of ours. */
async function inside(unit: string, script: string): Promise<string> {
  const pid = `$(systemctl show ${unit} -p MainPID --value)`;
  return await target.sh(
    `pid=${pid}; nsenter -t $pid -m setpriv --reuid $(stat -c %u /proc/$pid) --regid $(stat -c %g /proc/$pid) --clear-groups --no-new-privs --bounding-set=-all bash -c '${script}'`,
  );
}

/** The control group decides about devices: a shell that joins it tries to open every node. */
const PROBE_DEVICES = `
group=$(systemctl show ${DEVICE} -p ControlGroup --value)
(
  echo $BASHPID >/sys/fs/cgroup$group/cgroup.procs
  find /dev -type c -o -type b | while read -r node; do
    case $node in /dev/watchdog*) continue ;; esac
    if timeout 2 bash -c 'exec 3<"$1"' _ "$node" 2>/dev/null; then echo "$node"; fi
  done
)`;
