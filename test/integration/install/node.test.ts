import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type FreshSystem,
  freshSystem,
  freshSystemMissing,
  PROJECT,
  type RunResult,
} from '../../support/fresh-system.ts';
import { runSteps } from '../../support/install-steps.ts';

const skipped = freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`;

describe.skipIf(freshSystemMissing !== undefined)(`Node.js on a fresh machine${skipped}`, () => {
  /** A machine that never had Node.js; what else its packages need stays. Every test begins with its files. */
  let bare: FreshSystem;
  let system: FreshSystem;
  beforeAll(async () => {
    bare = await freshSystem();
    bare.sh(`node=$(dpkg-query -S /usr/bin/node 2>/dev/null | cut -d: -f1); [ -z "$node" ] || dpkg --force-depends --purge $node >/dev/null 2>&1
      rm -f /usr/bin/node /usr/local/bin/node; rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*`);
  });
  afterAll(() => bare.remove());
  beforeEach(async () => {
    system = await freshSystem({ from: bare });
  });
  afterEach(() => system.remove());

  test.each(['20.19.0', '22.14.0', '24.21.0'])('one that is there and new enough is taken: %s', (version) => {
    system.write('/usr/bin/node', node(version), 0o755);
    const { status, stdout } = provideNode();
    expect(status).toBe(0);
    expect(stdout).toContain(`/usr/bin/node ${version}`);
    expect(stdout).toContain('CHANGES=0');
  });

  test("the distribution's is installed where it is new enough", () => {
    offer('/repo', '20.19.2+dfsg-1');
    const { status, stdout } = provideNode();
    expect(stdout).toContain('Node.js 20.19.2 of this distribution is new enough');
    expect(stdout).toContain('installed nodejs');
    expect(status).toBe(0);
    expect(system.read('/var/lib/techtemp-install/manifest')).toBe('brought nodejs\npackage nodejs\n');
    expect(provideNode().stdout).toContain('CHANGES=0');
  });

  test("an old one of the distribution's is brought up to date", () => {
    offer('/repo', '18.20.4+dfsg-1');
    system.sh('apt-get -q update; apt-get -q -y install nodejs');
    offer('/repo', '20.19.2+dfsg-1');
    const { status, stdout } = provideNode();
    expect(stdout).toContain('/usr/bin/node is 18.20.4, 20.19 or newer is needed');
    expect(status).toBe(0);
    expect(stdout).toContain('brought nodejs up to date');
  });

  test('an old one that no package brought stands in the way: it is named and left alone', () => {
    system.write('/usr/local/bin/node', node('18.20.4'), 0o755);
    system.write('/usr/bin/node', node('22.14.0'), 0o755);
    const { status, stderr } = provideNode();
    expect(status).toBe(1);
    expect(stderr).toContain('/usr/local/bin/node is 18.20.4, and systemd would take it before any other');
    expect(system.read('/usr/local/bin/node')).toContain('18.20.4');
  });

  test('one that does not run on this processor counts as none', () => {
    system.write('/usr/bin/node', '#!/bin/sh\nkill -ILL $$\n', 0o755);
    offer('/repo', '20.19.2+dfsg-1');
    expect(provideNode().stdout).toContain('/usr/bin/node is broken');
  });

  describe('from NodeSource', () => {
    beforeEach(() => {
      offer('/repo', '18.20.4+dfsg-1');
      nodesource('24.21.0-1nodesource1');
    });
    const env = { TECHTEMP_NODESOURCE: 'file:///nodesource' };

    test('it is said before it is done, and not done without a yes', () => {
      const before = system.changedFiles().filter((line) => line.includes('/etc/'));
      const { status, stdout, stderr } = provideNode({ env });
      expect(status).toBe(1);
      expect(stdout).toContain('this distribution has 18.20.4, which is older than 20.19');
      expect(stdout).toContain('Node.js 24 would be installed from file:///nodesource');
      expect(stderr).toContain('--yes agrees to it');
      expect(system.changedFiles().filter((line) => line.includes('/etc/'))).toEqual(before);
    });

    test('on a terminal it asks, and takes the answer', () => {
      const script = `source ${PROJECT}/scripts/install/lib.sh; for f in ${PROJECT}/scripts/install/*.sh; do source $f; done
        PROJECT_DIR=${PROJECT}; set_defaults; ACTION=install ARCHITECTURE=amd64 ARMV6=''; catch_failures; open_log; provide_node`;
      const ask = (answer: string): RunResult =>
        system.run('bash', ['-c', script], { env, onTerminal: true, input: answer });
      expect(ask('n\n').stdout).toContain('the repository was not agreed to');
      expect(ask('y\n').stdout).toContain('/usr/bin/node 24.21.0');
    });

    test('with its key, in files of its own, and nothing but nodejs is taken from there', () => {
      const { status, stdout, stderr } = provideNode({ env, args: ['--yes'] });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('/usr/bin/node 24.21.0');
      const source = system.read('/etc/apt/sources.list.d/techtemp-nodesource.sources');
      expect(source).toContain('Signed-By: /etc/apt/keyrings/techtemp-nodesource.asc');
      expect(system.sh('apt-cache policy other')).toContain('Candidate: 1.0');
      const manifest = system.read('/var/lib/techtemp-install/manifest') ?? '';
      for (const file of ['keyrings/techtemp-nodesource.asc', 'preferences.d/techtemp-nodesource']) {
        expect(manifest).toContain(`file /etc/apt/${file}`);
      }
      expect(provideNode({ env, args: ['--yes'] }).stdout).toContain('CHANGES=0');
    });

    test('where another repository is broken, ours is fetched all the same', () => {
      system.write('/etc/apt/sources.list.d/broken.list', 'deb file:/nowhere stable main\n');
      const { status, stderr } = provideNode({ env, args: ['--yes'] });
      expect(status).toBe(0);
      expect(stderr).toContain('apt-get update had errors; going on');
    });

    test('a page of HTML in place of the key is named as that, and undone', () => {
      system.write('/nodesource/gpgkey/nodesource-repo.gpg.key', '<html>Please sign in to the hotel</html>');
      const { status, stderr } = provideNode({ env, args: ['--yes'] });
      expect(status).toBe(1);
      expect(stderr).toContain('is not a key but: <html>Please sign in');
      expect(system.sh('ls /etc/apt/sources.list.d')).toBe('list.list\n');
    });

    test('a repository signed by somebody else is refused, and undone', () => {
      system.sh('cp -r /nodesource /theirs');
      nodesource('24.21.0-1nodesource1');
      system.sh('cp /theirs/gpgkey/* /nodesource/gpgkey/');
      const { status, stderr } = provideNode({ env, args: ['--yes'] });
      expect(status).toBe(1);
      expect(stderr).toMatch(/the list of file:\/\/\/nodesource could not be fetched/);
      expect(stderr).toContain('undone: /etc/apt/sources.list.d/techtemp-nodesource.sources removed');
      expect(system.sh('ls /etc/apt/sources.list.d')).toBe('list.list\n');
    });
  });

  test('without a network the reason is that there is no network', () => {
    system.write('/etc/apt/sources.list.d/list.list', 'deb http://deb.debian.org/debian bookworm main\n');
    system.sh('rm -rf /var/lib/apt/lists/* /etc/apt/apt.conf.d/*');
    const { status, stderr } = provideNode({
      args: ['--yes'],
      env: { TECHTEMP_NODESOURCE: 'https://deb.example.org' },
    });
    expect(status).toBe(1);
    expect(stderr).toContain('this machine has no network (no default route)');
  });

  // 6
  test('with empty package lists it is not known what the distribution has: that is said, and NodeSource is no fact', () => {
    offer('/repo', '20.19.2+dfsg-1');
    system.sh('rm -rf /var/lib/apt/lists/*');
    const steps = `ARCHITECTURE=amd64 ARMV6=''; provide_node; name_release; echo "NAME=$RELEASE_NAME"`;
    const dry = runSteps(system, steps, { args: ['--dry-run'] });
    expect({ status: dry.status, stderr: dry.stderr }).toEqual({ status: 0, stderr: '' });
    expect(dry.stdout).toContain('it is not known yet which Node.js this distribution has');
    expect(dry.stdout).not.toMatch(/would be installed from|this distribution has no Node/);
    const real = runSteps(system, steps);
    expect(real.stdout).toContain('Node.js 20.19.2 of this distribution is new enough');
    expect(/^NAME=\d\S+$/m.exec(dry.stdout)?.[0]).toBe(/^NAME=.*$/m.exec(real.stdout)?.[0]);
  });

  test('lists that are not here and cannot be fetched are no proof that there is no Node.js', () => {
    system.write('/etc/apt/sources.list.d/list.list', 'deb [trusted=yes] file:/nowhere ./\n');
    system.sh('rm -rf /var/lib/apt/lists/*');
    const { status, stdout, stderr } = provideNode({ args: ['--yes'] });
    expect(status).toBe(1);
    expect(stderr).toContain('it is not known which Node.js this distribution has');
    expect(stdout).not.toContain('would be installed from');
  });

  describe('what only building needs', () => {
    beforeEach(() => {
      offer('/repo', '20.19.2');
      debianPackage('/repo', 'tool', '1.0', 'Depends: part');
      debianPackage('/repo', 'part', '1.0');
      debianPackage('/repo', 'mine', '1.0', 'Depends: part');
      system.sh(`cd /repo; ${packagesFile('.')} >Packages`);
      system.write('/usr/local/bin/npm', '#!/bin/sh\n', 0o755);
    });
    const bring = 'BUILD_TOOLS=(tool other); provide_build_tools';
    const present = (): string =>
      system.sh(
        "dpkg-query -W -f '${Status} ${Package}\\n' tool part other mine 2>/dev/null | sed -n 's/^install ok installed //p' || :",
      );

    test('is removed on request with all that came with it, but for what was there before', () => {
      system.sh('apt-get -q update; apt-get -q -y install other');
      expect(runSteps(system, bring).status).toBe(0);
      expect(present()).toBe('other\npart\ntool\n');
      const { status, stdout } = runSteps(system, 'remove_build_tools');
      expect({ status, present: present() }).toEqual({ status: 0, present: 'other\n' });
      expect(stdout).toContain('removed 2 packages');
      expect(system.read('/var/lib/techtemp-install/manifest')).toBe('');
      expect(runSteps(system, 'remove_build_tools').stdout).toContain('none was brought by this script');
    });

    test('is told with number and size before it comes, and in a dry run', () => {
      system.sh('apt-get -q update');
      const words =
        /installing tool, and what they need: 2 packages, 0 MB to fetch, 0 MB on the disk; about \d+ s on this machine/;
      expect(runSteps(system, 'install_packages tool', { args: ['--dry-run'] }).stdout).toMatch(words);
      expect(present()).toBe('');
      expect(runSteps(system, 'install_packages tool').stdout).toMatch(words);
      expect(present()).toBe('part\ntool\n');
    });

    test("npm comes through Corepack, with the project's checksum and npm's own settings", () => {
      system.sh('rm -f /usr/local/bin/npm /usr/bin/npm');
      system.write(
        '/usr/local/bin/corepack',
        `#!/bin/sh
echo "$COREPACK_NPM_REGISTRY $NODE_EXTRA_CA_CERTS $*" >>/tmp/asked
program=$COREPACK_HOME/v1/npm/$(echo "$1" | sed 's/npm@//; s/+.*//')/bin/npm-cli.js
mkdir -p "$(dirname "$program")" && printf '#!/bin/sh\\necho ours\\n' >"$program" && chmod +x "$program"
`,
        0o755,
      );
      system.write('/root/.npmrc', 'cafile=/etc/authority.pem\nregistry = https://mirror.example.org/npm/\n');
      const { status, stdout } = runSteps(system, 'NODE_BIN=/usr/bin/node; provide_npm; "${BUILD_ENV[@]}" npm');
      expect({ status, last: stdout.trim().split('\n').at(-1) }).toEqual({ status: 0, last: 'ours' });
      expect(system.read('/tmp/asked')).toMatch(
        /^https:\/\/mirror\.example\.org\/npm \/etc\/authority\.pem npm@[\d.]+\+sha512\.[0-9a-f]{128} --version\n$/,
      );
    });

    test("without Corepack npm is the distribution's", () => {
      system.sh('rm -f /usr/local/bin/npm /usr/bin/npm /usr/bin/corepack; apt-get -q update');
      debianPackage('/repo', 'npm', '1.0');
      system.sh(`cd /repo; ${packagesFile('.')} >Packages`);
      expect(runSteps(system, 'BUILD_TOOLS=(); provide_build_tools').stdout).toContain('installed npm');
    });

    test('stays where something else has come to need it', () => {
      runSteps(system, bring);
      system.sh('apt-get -q -y install mine');
      const { status, stderr } = runSteps(system, 'remove_build_tools');
      expect(status).toBe(0);
      expect(stderr).toContain('other packages have come to need them: mine');
      expect(present()).toBe('mine\nother\npart\ntool\n');
    });
  });

  function provideNode(
    options: { readonly env?: Record<string, string>; readonly args?: readonly string[] } = {},
  ): RunResult {
    return runSteps(system, "ARCHITECTURE=amd64 ARMV6=''; provide_node; echo CHANGES=$CHANGES", options);
  }

  function node(version: string): string {
    return `#!/bin/sh\necho ${version}\n`;
  }

  /** A repository of a distribution that has this nodejs, and a package that others may want to replace. */
  function offer(folder: string, version: string): void {
    system.sh(`mkdir -p ${folder} /tmp/deb/DEBIAN /tmp/deb/usr/bin`);
    debianPackage(folder, 'nodejs', version);
    debianPackage(folder, 'other', '1.0');
    system.sh(`cd ${folder}; ${packagesFile('.')} >Packages`);
    system.write('/etc/apt/sources.list.d/list.list', `deb [trusted=yes] file:${folder} ./\n`);
  }

  function debianPackage(folder: string, name: string, version: string, ...fields: readonly string[]): void {
    const control = `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n${fields.map((field) => `${field}\n`).join('')}`;
    system.sh('rm -rf /tmp/deb; mkdir -p /tmp/deb/DEBIAN /tmp/deb/usr/bin');
    system.write('/tmp/deb/DEBIAN/control', control);
    // One without a file of its own would disappear as soon as another has the same folders.
    system.write(`/tmp/deb/usr/share/${name}-of-a-test`, '');
    if (name === 'nodejs') system.write('/tmp/deb/usr/bin/node', node(version.replace(/[-+].*/, '')), 0o755);
    system.sh(
      `rm -f ${folder}/${name}_*.deb; dpkg-deb --build /tmp/deb ${folder}/${name}_${version}_all.deb >/dev/null`,
    );
  }

  function packagesFile(prefix: string): string {
    return `for deb in *.deb; do dpkg-deb --field $deb; echo "Filename: ${prefix}/$deb"; echo "Size: $(stat -c %s $deb)"; echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"; echo; done`;
  }

  /** NodeSource as it is laid out and signed, with a key made now. */
  function nodesource(version: string): void {
    system.sh('rm -rf /nodesource; mkdir -p /nodesource/gpgkey /nodesource/node_24.x/dists/nodistro/main/binary-amd64');
    debianPackage('/nodesource/node_24.x', 'nodejs', version);
    debianPackage('/nodesource/node_24.x', 'other', '2.0');
    system.sh(`export GNUPGHOME=$(mktemp -d); cd /nodesource/node_24.x
      ${packagesFile('.')} >dists/nodistro/main/binary-amd64/Packages
      cd dists/nodistro; { printf 'Origin: . nodistro\\nSuite: nodistro\\nCodename: nodistro\\nArchitectures: amd64\\nComponents: main\\nDate: '; date -Ru
      echo SHA256:; echo " $(sha256sum main/binary-amd64/Packages | cut -d' ' -f1) $(stat -c %s main/binary-amd64/Packages) main/binary-amd64/Packages"; } >Release
      gpg --batch --quiet --passphrase '' --quick-gen-key x@example.org rsa2048 sign 2>/dev/null
      gpg --batch --quiet --clearsign -o InRelease Release; gpg --armor --export >/nodesource/gpgkey/nodesource-repo.gpg.key
      gpgconf --kill all`);
  }
});
