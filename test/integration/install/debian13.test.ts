import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type FreshSystemWithSensor, freshSystemWithSensor } from '../../support/fresh-sensor.ts';
import { debian13, debian13Missing, type FreshSystem, freshSystem } from '../../support/fresh-system.ts';
import { runSteps } from '../../support/install-steps.ts';
import { bundleInto } from '../../support/release-bundles.ts';

const skipped = debian13Missing === undefined ? '' : ` (skipped: ${debian13Missing})`;

// Raspberry Pi OS of today is Debian 13: its C library, Node.js and Mosquitto, not those of the machine of the tests.
describe.skipIf(debian13Missing !== undefined)(`Debian 13${skipped}`, { timeout: 600_000 }, () => {
  let base: string;
  let system: FreshSystem | undefined;
  let machine: FreshSystemWithSensor | undefined;

  beforeAll(() => {
    base = debian13();
  }, 400_000);
  afterEach(async () => {
    system?.remove();
    await machine?.remove();
    system = undefined;
    machine = undefined;
  });

  test('installs the bundle of this processor, and its first reading is stored', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'techtemp-archive-'));
    try {
      const arch = spawnSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).stdout.trim();
      const archive = bundleInto(folder, ['--arch', arch, '--abi', '115']);
      expect(spawnSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder }).status).toBe(0);
      machine = await freshSystemWithSensor({ base, shared: [folder] });
      const inside = machine.system;
      const { status, stdout, stderr } = inside.install([
        '--bundle',
        archive,
        '--role',
        'all',
        '--with-broker',
        '--room',
        'Attic',
        '--skip-apt',
        '--yes',
      ]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('Debian GNU/Linux 13');
      expect(stdout).not.toContain('compiling');
      expect(answer(inside, '/health', 'ok')).toContain('"status":"ok"');
      expect(answer(inside, '/api/v1/readings/latest', '21.5')).toMatch(/"temperature\w*":21\.5\b/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("builds a release from the sources with this system's own compiler, and the next one without compiling anything", async () => {
    system = await freshSystem({ base, online: true });
    const script = `NODE_BIN=/usr/bin/node NODE_VERSION=$(node -p process.versions.node)
      ARCHITECTURE=$(dpkg --print-architecture) ARMV6=''
      stage_release
      echo "is $RELEASE_DIR"`;
    const packages = system.sh("dpkg-query -W -f '${Package}\\n'").split('\n').length;
    const first = runSteps(system, script, { args: ['--role', 'all', '--yes'] });
    expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
    expect(first.stdout).toMatch(
      /installing g\+\+ make .*, and what they need: \d+ packages, \d+ MB to fetch, \d+ MB on the disk; about/,
    );
    expect(first.stdout).toMatch(
      /building the release, and in it sd-notify i2c-bus better-sqlite3: about .* on this machine/,
    );

    // Compiled here it asks for this system's C library, which Debian 12 does not have; it was tried, and that is the proof.
    const folder = /^is (.*)$/m.exec(first.stdout)![1]!;
    const binary = `${folder}/node_modules/better-sqlite3/lib/binding/node-v115-linux-*/better_sqlite3.node`;
    expect(system.sh(`readelf -V ${binary}`)).toContain('GLIBC_2.38');
    // npm of the distribution would bring more than 350 packages, and what only developers need as many again.
    expect(system.sh('dpkg-query -W -f "\\${Status}" npm 2>/dev/null || :')).not.toContain('install ok');
    expect(system.sh("dpkg-query -W -f '${Package}\\n'").split('\n').length - packages).toBeLessThan(70);
    expect(system.sh('ls -A /opt/techtemp/releases/.cache')).toBe('techtemp-native\n');

    system.sh('echo >>/project/README.md');
    const second = runSteps(system, script, { args: ['--role', 'all', '--yes'] });
    expect({ status: second.status, stderr: second.stderr }).toEqual({ status: 0, stderr: '' });
    expect(second.stdout).not.toContain(`is ${folder}`);
    const log = system.read('/var/lib/techtemp-install/install.log') ?? '';
    expect(log.match(/^compiling better-sqlite3/gm)).toHaveLength(1);
  });
});

/** What the server answers, as soon as `sign` is in it; what it answered last where that does not come. */
function answer(system: FreshSystem, path: string, sign: string): string {
  const script = `let text = '';
    for (let attempt = 0; attempt < 300 && !text.includes('${sign}'); attempt += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      text = await fetch('http://127.0.0.1:3000${path}').then((response) => response.text(), (error) => error.message);
    }
    console.log(text);`;
  return system.run('node', ['--input-type=module', '-e', script]).stdout;
}
