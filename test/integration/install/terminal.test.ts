import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type FreshSystem,
  freshSystem,
  freshSystemMissing,
  PROJECT,
  type RunResult,
} from '../../support/fresh-system.ts';

const skipped = freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`;
const INSTALL = `${PROJECT}/bootstrap-pi.sh`;
/** In place of the real steps: one that changes a file, and takes until it is told to go on. */
const STEPS = `install_all() {
  step 'a long step'
  install_file /etc/test-of-ours 0644 root:root <<<'changed' || :
  [ -n "$DRY_RUN" ] || echo $$ >/tmp/worker
  until [ -n "$DRY_RUN" ] || [ -e /tmp/go ]; do sleep 0.05; done
  say 'a second word'
  committed
  run touch /tmp/finished
  LAST_WORDS='the long step is done.'
  say "$LAST_WORDS"
}
`;

// 5
describe.skipIf(freshSystemMissing !== undefined)(`a run whose terminal goes away${skipped}`, () => {
  let system: FreshSystem;
  beforeAll(async () => {
    system = await freshSystem();
    system.write(`${PROJECT}/scripts/install/zz-test.sh`, STEPS);
  });
  afterEach(() => {
    system.sh('rm -f /tmp/{go,finished,worker,front,said} /etc/test-of-ours');
  });
  afterAll(() => system.remove());

  test.each([
    ['by SIGHUP', `${INSTALL} >/tmp/said 2>&1`, 'kill -HUP "$(cat /tmp/front)"'],
    ['by SIGTERM', `${INSTALL} >/tmp/said 2>&1`, 'kill -TERM "$(cat /tmp/front)"'],
    ['by SIGKILL, with all that is in its group', `${INSTALL} >/tmp/said 2>&1`, 'kill -KILL -- "-$(cat /tmp/front)"'],
    ['a window that is closed', `script -qefc ${INSTALL} /dev/null >/tmp/said`, 'kill -KILL "$(cat /tmp/front)"'],
  ])('goes on to its end, and the next call says how it ended: %s', (_, command, loss) => {
    begin(`exec ${command}`);
    system.sh(loss);
    expectToGoOn();
  });

  test('a pipe that is closed', () => {
    begin(`${INSTALL} 2>&1 | head -n 1 >/tmp/said`);
    expectToGoOn();
  });

  test('a failure after the loss is undone, and the next call says what failed', () => {
    system.write(
      `${PROJECT}/scripts/install/zz-test.sh`,
      STEPS.replace('  committed\n', "  fail 'no luck' 'try it'\n"),
    );
    begin(`exec ${INSTALL} >/tmp/said 2>&1`);
    system.sh('kill -HUP "$(cat /tmp/front)"');
    system.sh(`touch /tmp/go; ${until('! kill -0 "$(cat /tmp/worker)" 2>/dev/null')}`);
    expect(system.read('/etc/test-of-ours')).toBeUndefined();
    expect(system.install([]).stdout).toMatch(
      /lost its terminal and went on\. It ended at .*, exit 1: failed: no luck/,
    );
    system.write(`${PROJECT}/scripts/install/zz-test.sh`, STEPS);
  });

  test('one that was cut off before its end is named too', () => {
    begin(`exec ${INSTALL} >/tmp/said 2>&1`);
    system.sh(`kill -KILL -- "-$(cat /tmp/worker)"; ${until('! kill -0 "$(cat /tmp/front)" 2>/dev/null')}`);
    system.write('/tmp/go', '');
    expect(system.install([]).stdout).toMatch(/^The run before this one, of \S+ \S+, was cut off before its end/);
    system.sh('rm -rf /run/techtemp-install.*');
  });

  test('a second call beside it says since when it runs, how to follow it, and a command that ends it', () => {
    begin(`exec ${INSTALL} --room=Kitchen >/tmp/said 2>&1`);
    system.sh('kill -HUP "$(cat /tmp/front)"');
    const second = system.install(['--yes']);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/another run of this script is at work on this machine, since \d{4}-\d\d-\d\d \d\d:/);
    expect(second.stderr).toContain('follow it: sudo tail -f /var/lib/techtemp-install/install.log');
    expect(system.install(['--dry-run']).stdout).toContain('A run of this script is at work on this machine, since');
    const end = /sudo (kill -INT -- -\d+)/.exec(second.stderr)?.[1] ?? '';
    system.sh(`${end}; ${until('! kill -0 "$(cat /tmp/worker)" 2>/dev/null')}`);
    expect(system.read('/etc/test-of-ours')).toBeUndefined();
  });

  test('Ctrl-C ends it cleanly: what it changed is as it was', () => {
    begin(`exec ${INSTALL} >/tmp/said 2>&1`);
    system.sh(`kill -INT "$(cat /tmp/front)"; ${until('! kill -0 "$(cat /tmp/front)" 2>/dev/null')}`);
    expect(system.read('/tmp/said')).toContain('undone: /etc/test-of-ours removed');
    expect(system.read('/etc/test-of-ours')).toBeUndefined();
    system.write('/tmp/go', '');
    // Seen by who pressed it, so there is nothing to tell.
    expect(system.install([]).stdout).not.toContain('run before this one');
  });

  test('with a terminal it asks there and takes the answer; without loss its words and its status are as ever', () => {
    const asking = STEPS.replace("  step 'a long step'\n", "  confirm 'Shall I?' || fail 'you said no'\n");
    system.write(`${PROJECT}/scripts/install/zz-test.sh`, asking);
    system.write('/tmp/go', '');
    const ask = (input: string): RunResult => system.install([], { onTerminal: true, input });
    expect(ask('n\n')).toMatchObject({ status: 1, stdout: expect.stringContaining('failed: you said no') as unknown });
    const yes = ask('y\n');
    expect(yes).toMatchObject({ status: 0, stdout: expect.stringContaining('the long step is done.') as unknown });
    system.write(`${PROJECT}/scripts/install/zz-test.sh`, STEPS);
    const plain = system.install(['--interval=60', '--backend-host', 'x']);
    expect(plain).toMatchObject({ status: 0, stderr: expect.stringMatching(/^note: [^\n]*\n$/) as unknown });
    expect(plain.stdout).not.toContain('run before this one');
  });

  test('a project that was sent into a temporary folder is removed by the run itself, whoever is left to wait for it', () => {
    system.sh(`mkdir -p /tmp/tmp.abcdefghij/project; : >/tmp/tmp.abcdefghij/temporary
      cd ${PROJECT}; cp -r bootstrap-pi.sh package.json scripts /tmp/tmp.abcdefghij/project`);
    begin('exec /tmp/tmp.abcdefghij/project/bootstrap-pi.sh >/tmp/said 2>&1');
    system.sh(`kill -KILL "$(cat /tmp/front)"; touch /tmp/go; ${until('[ ! -e /tmp/tmp.abcdefghij ]')}`);
    expect(system.read('/tmp/finished')).toBe('');
  });

  /** Starts it in a session of its own, as sshd does; answers when its step is at work. */
  function begin(script: string): void {
    system.background(`setsid bash -c 'echo $$ >/tmp/front; ${script}'`, '/tmp/worker', '[0-9]');
  }
  function expectToGoOn(): void {
    system.sh(`touch /tmp/go; ${until('! kill -0 "$(cat /tmp/worker)" 2>/dev/null')}`);
    expect(system.read('/tmp/finished')).toBe('');
    expect(system.read('/etc/test-of-ours')).toBe('changed\n');
    const next = system.install([]);
    const words =
      /^The run before this one, of \S+ \S+, lost its terminal and went on\. It ended at \S+ \S+, exit 0: (.*)$/m;
    expect(words.exec(next.stdout)?.[1]).toBe('the long step is done.');
    expect(system.install([]).stdout).not.toContain('run before this one');
    expect(system.sh('ls /run /tmp | grep techtemp-install || :')).toBe('');
  }
  function until(condition: string): string {
    return `for _ in {1..400}; do if ${condition}; then exit 0; fi; sleep 0.05; done; exit 1`;
  }
});
