import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCheck } from '../../src/device/commands/check.ts';
import { journalExamination, lookAtJournals } from '../../src/device/doctor/examinations/journal.ts';
import type { Journal, JournalSet } from '../../src/device/journal/journal.ts';
import { openJournalSet } from '../../src/device/journal/journal-set.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { createMachine } from '../../src/doctor/machine.ts';
import { bundleForChild } from '../support/bundle.ts';
import { recordedIo } from '../support/command-io.ts';
import { emulatorAvailable, startEmulator } from '../support/emulator.ts';
import { runUnderEmulator } from '../support/emulator-child.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { BOOT_A, journalSection, pendingReading, testReading } from '../support/journal-rig.ts';
import { testLive } from '../support/recording.ts';

const program = fileURLToPath(new URL('../support/children/device-commands.ts', import.meta.url));
const mayMount = spawnSync('unshare', ['-rm', 'true']).status === 0;
/** Port 9 (discard) is nobody's: the broker is not what is examined here. */
const BROKER = '[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = 9\n';
const PLAIN = `[sensor]\ntype = simulated\n${BROKER}`;

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-check-files-'));
  file = join(folder, 'device.conf');
  writeFileSync(file, PLAIN, { mode: 0o600 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Checked {
  readonly code: number;
  readonly findings: readonly (Finding & { readonly examination: string })[];
  readonly stdout: string;
}

async function check(examination: string, configPath = file, env: NodeJS.ProcessEnv = {}): Promise<Checked> {
  const { io, stdout } = recordedIo({ env: { STATE_DIRECTORY: folder, ...env } });
  const options = { configPath, flags: {}, json: true };
  // A folder without processes and devices: what runs on this machine is no part of the test.
  const machine = { ...createMachine({ PATH: '' }), root: folder };
  const code = await runCheck(options, io, machine);
  const { findings } = JSON.parse(stdout()) as Pick<Checked, 'findings'>;
  return { code, stdout: stdout(), findings: findings.filter((finding) => finding.examination === examination) };
}

async function ids(...args: Parameters<typeof check>): Promise<readonly string[]> {
  return (await check(...args)).findings.map(({ id }) => id);
}

describe('techtemp-device check on the config', () => {
  it('is content with a good file, and ends with what else it finds', async () => {
    const { code, findings } = await check('config');
    expect(findings.map(({ id }) => id)).toEqual(['config.ok']);
    expect(code).toBe(1); // nobody listens on the broker's port
  });

  it('names a file that is missing, and examines the rest with the defaults', async () => {
    const { code, findings } = await check('config', join(folder, 'absent.conf'));
    expect(findings[0]?.id).toBe('config.missing');
    expect(code).toBe(78);
    expect(await ids('i2c', join(folder, 'absent.conf'))).not.toContain('check.needs-config');
  });

  it('names a file that cannot be read', async () => {
    expect(await ids('config', folder)).toEqual(['config.unreadable']);
  });

  it('lists every problem of an invalid file, ends with 78, and says what could not be examined', async () => {
    writeFileSync(file, '[mqtt]\nbroker_port = high\nkeepalive_seconds = -1\nbroker_hst = x\n');
    const { code, findings } = await check('config');
    expect(findings.map(({ id }) => id)).toEqual(['config.invalid', 'config.invalid', 'config.invalid']);
    expect(findings[0]?.found).toContain(`${file}:2`);
    expect(code).toBe(78);
    for (const organ of ['i2c', 'state', 'journal', 'broker']) expect(await ids(organ)).toEqual(['check.needs-config']);
  });

  it('warns of what has no effect, and of the placeholder of the older agent', async () => {
    writeFileSync(file, `[device]\ndevice_uid = aht20-unknown\n[system]\npid_file = /run/x.pid\n${PLAIN}`, {
      mode: 0o600,
    });
    expect(await ids('config')).toEqual(['config.ok', 'config.warning', 'config.default-uid']);
  });

  it('warns of passwords that everybody may read, and never shows them', async () => {
    writeFileSync(file, `${PLAIN}username = me\npassword = very-secret\n`);
    chmodSync(file, 0o644);
    const { findings, stdout } = await check('config');
    expect(findings.map(({ id }) => id)).toEqual(['config.ok', 'config.password-readable']);
    expect(stdout).not.toContain('very-secret');
    chmodSync(file, 0o640);
    expect(await ids('config')).toEqual(['config.ok']);

    writeFileSync(file, `${PLAIN}username = me\npassword_file = ${folder}/password\n`);
    writeFileSync(join(folder, 'password'), 'very-secret\n');
    chmodSync(join(folder, 'password'), 0o644);
    expect(await ids('config')).toEqual(['config.ok', 'config.password-file-readable']);
  });
});

describe('techtemp-device check on the journal', () => {
  async function journal(fill: (set: JournalSet, active: Journal) => Promise<void>): Promise<JournalSet> {
    const set = await openJournalSet({
      settings: testLive(journalSection({ maxReadings: 1_000 })),
      device: testLive({ deviceUid: 'aht20-0a1b2c' }),
      defaultPath: join(folder, 'journal'),
      registerPath: join(folder, 'journal-epochs.json'),
      clock: new FakeClock({ bootId: BOOT_A }),
      onEvent: () => undefined,
    });
    await set.append(testReading(0));
    await fill(set, set.journals().at(-1)!);
    return set;
  }
  const segmentFile = (): string => {
    const device = join(folder, 'journal', 'aht20-0a1b2c');
    const epoch = join(device, readdirSync(device)[0]!);
    return join(epoch, readdirSync(epoch).find((name) => name !== 'released')!);
  };

  it('knows one that has not begun, one that an agent writes to, and one that rests', async () => {
    expect(await ids('journal')).toEqual(['journal.empty']);
    const set = await journal(() => Promise.resolve());
    expect((await check('journal')).findings[0]?.found).toContain('; an agent is writing to it');
    await set.close();
    const [finding] = (await check('journal')).findings;
    expect(finding).toMatchObject({ id: 'journal.ok', verdict: 'ok' });
    expect(finding?.found).toContain('1 entries wait for delivery, in 1 epoch(s)');
    expect(finding?.found).toContain('; no agent is writing to it');
  });

  it('claims nothing about an agent whose lock it cannot look at', async () => {
    const set = await journal(async (writer) => {
      await writer.append(pendingReading(1));
    });
    await set.close();
    const path = join(folder, 'journal');
    const tooManyFiles = Object.assign(new Error('too many open files'), { code: 'EMFILE' });
    const look = await lookAtJournals(path, join(folder, 'journal-epochs.json'), () => Promise.reject(tooManyFiles));
    const examination = journalExamination({
      folder: path,
      maxReadings: 1_000,
      configFile: file,
      look: () => Promise.resolve(look),
      isKeptForNobody: () => Promise.resolve(false),
    });
    const findings = await examination.run(new AbortController().signal);
    expect(findings.map(({ id }) => id)).toEqual(['journal.ok']);
    expect(findings[0]?.found).toContain('; it cannot be seen whether an agent is writing to it');
  });

  it('warns of a large backlog, of gap records, and of readings that nobody gives their time', async () => {
    writeFileSync(file, `${PLAIN}[journal]\nmax_readings = 100\n`);
    const set = await journal(async (writer, active) => {
      for (let index = 1; index < 60; index += 1) await writer.append(testReading(index));
      await active.appendGap({ ofEpoch: 'old', from: 3, to: 9, reason: 'dropped' }, Date.UTC(2026, 0, 1));
      await writer.append(pendingReading(61));
    });
    expect(await ids('journal')).toEqual(['journal.ok', 'journal.backlog', 'journal.dropped']);
    await set.close();
    expect(await ids('journal')).toEqual(['journal.ok', 'journal.backlog', 'journal.dropped', 'journal.pending']);
    // Beside Home Assistant alone this is no fault.
    writeFileSync(join(folder, 'delivery.json'), '{"servers":[],"retained":[],"nobody_subscribed":true}');
    expect(await ids('journal')).toEqual(['journal.ok', 'journal.kept', 'journal.pending']);
  });

  // A6
  it('tells that a journal is gone, beside an agent that keeps its readings in memory and after it', async () => {
    const set = await journal(() => Promise.resolve());
    rmSync(join(folder, 'journal'), { recursive: true });
    writeFileSync(join(folder, 'journal'), '');
    expect(await ids('journal')).not.toContain('journal.empty');
    await set.append(testReading(1));
    const { findings, code } = await check('journal');
    expect(findings.map(({ id }) => id)).toEqual(['journal.missing', 'journal.in-memory']);
    expect(code).toBe(1);
    rmSync(join(folder, 'journal'));
    await set.close();
    expect(await ids('journal')).toEqual(['journal.ok']);
  });

  it('tells of damage', async () => {
    const set = await journal(async (writer) => {
      for (let index = 1; index < 5; index += 1) await writer.append(testReading(index));
    });
    await set.close();
    const bytes = readFileSync(segmentFile());
    // The third record: 4 KiB header, 64 bytes each.
    bytes.fill(0xa5, 4096 + 2 * 64, 4096 + 3 * 64);
    writeFileSync(segmentFile(), bytes);
    const [, damaged] = (await check('journal')).findings;
    expect(damaged?.id).toBe('journal.damaged');
    expect(damaged?.found).toContain('number 3 is gone');
  });

  it('leaves alone what a newer version wrote', async () => {
    await (await journal(() => Promise.resolve())).close();
    const bytes = readFileSync(segmentFile());
    for (const offset of [0, 2048]) {
      const copy = bytes.subarray(offset, offset + 256);
      copy.writeUInt16LE(99, 8);
      copy.writeUInt32LE(0, 12);
      copy.writeUInt32LE(crc32(copy), 12);
    }
    writeFileSync(segmentFile(), bytes);
    expect(await ids('journal')).toContain('journal.newer-version');
  });

  it('names a folder that cannot be looked into', async () => {
    symlinkSync('journal', join(folder, 'journal'));
    expect(await ids('journal')).toEqual(['journal.unreadable']);
    expect(await ids('state')).toEqual(['state.not-a-folder']);
  });

  it('takes a file that was written in the future for a proof that the clock is in the past', async () => {
    await (await journal(() => Promise.resolve())).close();
    const tomorrow = new Date(Date.now() + 86_400_000);
    utimesSync(segmentFile(), tomorrow, tomorrow);
    const [finding] = (await check('clock')).findings;
    expect(finding?.id).toBe('clock.past');
    expect(finding?.found).toContain('the journal was written to');
  });
});

describe.skipIf(!mayMount)('techtemp-device check on the disk', () => {
  /** Runs the check in a mount namespace of its own, after some commands of a shell. */
  async function checkMounted(prepare: string, config = PLAIN): Promise<readonly string[]> {
    mkdirSync(join(folder, 'mounted'), { recursive: true });
    writeFileSync(file, config);
    const bundle = await bundleForChild(program);
    const script = `cd '${folder}' && ${prepare} && cd '${process.cwd()}' && exec "$@"`;
    const command = [process.execPath, bundle, 'check', '--json', '--config', file];
    const { stdout, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', script, 'sh', ...command], {
      encoding: 'utf8',
      env: { ...process.env, STATE_DIRECTORY: join(folder, 'mounted') },
    });
    expect(stderr).toBe('');
    const { findings } = JSON.parse(stdout) as Pick<Checked, 'findings'>;
    return findings.filter(({ examination }) => examination === 'state').map(({ id }) => id);
  }
  const small = `[journal]\nmin_free_mb = 1\n`;

  it('knows a folder in memory', async () => {
    expect(await checkMounted('mount -t tmpfs -o size=64m tmpfs mounted', PLAIN + small)).toEqual(['state.volatile']);
  });

  it('knows a file system that is read-only', async () => {
    const found = await checkMounted('mount --bind mounted mounted && mount -o remount,bind,ro mounted', PLAIN + small);
    expect(found).toEqual(['state.read-only']);
  });

  it('knows a disk that is full, nearly full, or out of inodes', async () => {
    const full = 'mount -t tmpfs -o size=4m tmpfs mounted && head -c 3500000 /dev/zero > mounted/zeros';
    expect(await checkMounted(full, PLAIN + small)).toContain('state.full');
    const nearly = 'mount -t tmpfs -o size=4m tmpfs mounted && head -c 2500000 /dev/zero > mounted/zeros';
    expect(await checkMounted(nearly, PLAIN + small)).toContain('state.nearly-full');
    const inodes = 'mount -t tmpfs -o size=64m,nr_inodes=1 tmpfs mounted';
    expect(await checkMounted(inodes, PLAIN + small)).toContain('state.no-inodes');
  });
});

describe.skipIf(!emulatorAvailable)('techtemp-device check where the native packages were not built', () => {
  it('says how to build i2c-bus', async () => {
    const bundle = join(folder, 'device-commands.mjs');
    await build({
      entryPoints: [program],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: ['i2c-bus', 'sd-notify'],
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      logLevel: 'silent',
    });
    writeFileSync(file, `[sensor]\ntype = aht20\n${BROKER}`);
    const emulator = await startEmulator();
    try {
      const args = ['check', '--json', '--config', file];
      const { stdout, stderr } = await runUnderEmulator(emulator, bundle, { args, env: { STATE_DIRECTORY: folder } });
      expect(stderr).toBe('');
      const { findings } = JSON.parse(stdout) as Pick<Checked, 'findings'>;
      const missing = findings.find(({ id }) => id === 'bus.package-missing');
      expect(missing?.remedy?.at(-1)).toMatch(/npm rebuild i2c-bus$/);
      expect(findings.find(({ examination }) => examination === 'notify-package')?.id).toMatch(/not-needed|missing/);
    } finally {
      await emulator.stop();
    }
  });
});

describe('the texts of techtemp-device check', () => {
  it('go to a person as they come, with a summary at the end', async () => {
    const { io, stdout } = recordedIo({ env: { STATE_DIRECTORY: folder } });
    await runCheck({ configPath: file, flags: {}, json: false }, io, { ...createMachine({ PATH: '' }), root: folder });
    expect(stdout()).toMatch(/^techtemp-device check, config .*device\.conf\n\n {2}ok {4}Node\.js/);
    expect(stdout()).toMatch(/\n\n\d+ ok, \d+ warnings?, \d+ failures?, \d+ not examined\n$/);
    expect(execFileSync('awk', ['length > 400'], { input: stdout(), encoding: 'utf8' })).toBe('');
  });
});
