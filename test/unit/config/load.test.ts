import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CrossCheck, loadConfig } from '../../../src/config/load.ts';
import { ConfigError, describeProblem } from '../../../src/config/problem.ts';
import type { ConfigSchema } from '../../../src/config/schema.ts';

const schema = {
  link: {
    doc: 'The link.',
    keys: {
      host: { format: 'host', default: 'localhost', doc: 'Host.' },
      port: { format: 'integer', default: 1883, min: 1, max: 65_535, doc: 'Port.' },
      user: { format: 'text', default: '', doc: 'User.' },
      password: { format: 'text', default: '', sensitive: true, doc: 'Password.' },
      tls: { format: 'yes-no', default: false, doc: 'TLS.' },
      mode: { format: 'choice', values: ['auto', 'fast'], default: 'auto', doc: 'Mode.' },
    },
    retired: { qos: { reason: 'it is always 1', silentFor: ['1'] }, retain: { reason: 'it is gone' } },
  },
  timing: {
    doc: 'Timing.',
    keys: {
      interval_seconds: { format: 'seconds', default: 30, min: 0.1, max: 3600, doc: 'Interval.' },
    },
  },
  old: { doc: '', keys: {}, retired: { pid_file: { reason: 'nobody needs it' } } },
} as const satisfies ConfigSchema;

interface Given {
  readonly file?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly flags?: Record<string, string>;
  readonly check?: CrossCheck<typeof schema>;
}

function load({ file, env = {}, flags = {}, check }: Given) {
  const bytes = typeof file === 'string' ? new TextEncoder().encode(file) : file;
  return loadConfig(schema, { ...(bytes && { file: { path: '/etc/x.conf', bytes } }), env, flags }, check);
}

function problemsOf(given: Given): readonly string[] {
  try {
    load(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(describeProblem);
    throw error;
  }
  return [];
}

describe('where a value comes from', () => {
  const file = '[link]\nhost = from-file\nport = 1\nuser = file\n';

  it('is the file before the default, the environment before the file, a flag before the environment', () => {
    const env = { TECHTEMP_LINK_PORT: '2', TECHTEMP_LINK_USER: 'environment' };
    const { values, origins } = load({ file, env, flags: { 'link.user': 'flag' } });
    expect(values.link).toEqual({ host: 'from-file', port: 2, user: 'flag', password: '', tls: false, mode: 'auto' });
    expect(values.timing).toEqual({ interval_seconds: 30 });
    expect(Object.fromEntries(origins)).toEqual({
      'link.host': { kind: 'file', file: '/etc/x.conf', line: 2 },
      'link.port': { kind: 'environment', variable: 'TECHTEMP_LINK_PORT' },
      'link.user': { kind: 'flag', flag: 'link.user' },
    });
  });

  it('is the default again when a key has gone from the file, whatever was loaded before', () => {
    expect(load({ file: '[link]\nport = 7\n' }).values.link.port).toBe(7);
    expect(load({ file: '[link]\n' }).values.link.port).toBe(1883);
  });

  it('never is the command line of the process that loads', () => {
    const before = process.argv;
    process.argv = [...before, '--link.port=9', '--port=9'];
    try {
      expect(load({}).values.link.port).toBe(1883);
    } finally {
      process.argv = before;
    }
  });

  it('cannot be changed afterwards, at any depth', () => {
    const { values } = load({});
    expect(Object.isFrozen(values) && Object.isFrozen(values.link)).toBe(true);
  });
});

describe('values', () => {
  it.each([
    ['tls = no', { tls: false }],
    ['tls = 0', { tls: false }],
    ['tls = off', { tls: false }],
    ['tls = TRUE', { tls: true }],
    ['tls = On', { tls: true }],
    ['mode = FAST', { mode: 'fast' }],
    ['host = [fe80::1]', { host: 'fe80::1' }],
    ['host = raspberrypi.local', { host: 'raspberrypi.local' }],
    ['host = broker_1', { host: 'broker_1' }],
    ['user = 1883', { user: '1883' }],
    ['user = true', { user: 'true' }],
  ])('%s', (line, expected) => {
    expect(load({ file: `[link]\n${line}\n` }).values.link).toMatchObject(expected);
  });

  // Every one of these is taken by a looser reader, for a value that nobody meant.
  it.each([
    ['link', 'port = 0x10', 'a whole number from 1 to 65535'],
    ['link', 'port = 1e3', 'a whole number from 1 to 65535'],
    ['link', 'port = 1883.0', 'a whole number from 1 to 65535'],
    ['link', 'port = 5abc', 'a whole number from 1 to 65535, without a unit after it'],
    ['link', 'port =', 'a whole number from 1 to 65535'],
    ['link', 'port = 0', 'a whole number from 1 to 65535'],
    ['link', 'port = 99999999999999999999', 'a whole number from 1 to 65535'],
    ['timing', 'interval_seconds = 2h', 'a number from 0.1 to 3600 (seconds), or a time in ms, s, min, h or d'],
    ['timing', 'interval_seconds = 5 MB', 'a time in ms, s, min, h or d'],
    ['timing', 'interval_seconds = 0,5', 'decimals after a point, not a comma'],
    ['timing', 'interval_seconds = Infinity', 'a number from 0.1 to 3600 (seconds)'],
    ['timing', 'interval_seconds = NaN', 'a number from 0.1 to 3600 (seconds)'],
    ['timing', 'interval_seconds = 1e999', 'a number from 0.1 to 3600 (seconds)'],
    ['timing', 'interval_seconds = 0', 'a number from 0.1 to 3600 (seconds)'],
    ['link', 'tls =', 'yes or no'],
    ['link', 'tls = maybe', 'yes or no'],
    ['link', 'tls = 2', 'yes or no'],
    ['link', 'mode = fastest', 'auto or fast'],
    ['link', 'host =', 'a host name or an IP address'],
    ['link', 'host = mqtt://pi', 'without the mqtt:// before it'],
    ['link', 'host = pi:1883', 'its port is a key of its own'],
    ['link', 'host = 192.168.1.300', 'a host name or an IP address'],
    ['link', 'host = two words', 'a host name or an IP address'],
  ])('refuses [%s] %s', (section, line, allowed) => {
    const [key = '', value = ''] = line.split('=').map((part) => part.trim());
    const [problem = '', ...others] = problemsOf({ file: `[${section}]\n${line}\n` });
    expect(others).toEqual([]);
    expect(problem.startsWith(`/etc/x.conf:2: ${section}.${key} = ${JSON.stringify(value)}: must be `)).toBe(true);
    expect(problem).toContain(allowed);
  });

  it('are refused with the name of the variable or flag that they come from', () => {
    expect(problemsOf({ env: { TECHTEMP_LINK_PORT: 'x' }, flags: { 'link.tls': 'x' } })).toEqual([
      'environment variable TECHTEMP_LINK_PORT: link.port = "x": must be a whole number from 1 to 65535',
      '--set link.tls: link.tls = "x": must be yes or no (also true/false, on/off, 1/0)',
    ]);
  });

  it('may not bring line breaks in from the environment', () => {
    expect(problemsOf({ env: { TECHTEMP_LINK_USER: 'a\nb' } })).toEqual([
      'environment variable TECHTEMP_LINK_USER: link.user = "a\\nb": holds control characters, such as a line break',
    ]);
  });
});

describe('names', () => {
  it('that do not exist are answered with the nearest that does', () => {
    const file =
      '[link]\nprot = 1\nHost = x\nxyzzy = 1\ninterval_seconds = 2\n[timnig]\na = 1\nb = 2\n[timing]\ninterval = 3\n';
    expect(problemsOf({ file })).toEqual([
      '/etc/x.conf:2: link.prot: there is no such key; did you mean port?',
      '/etc/x.conf:3: link.Host: there is no such key; did you mean host?',
      '/etc/x.conf:4: link.xyzzy: there is no such key',
      '/etc/x.conf:5: link.interval_seconds: belongs to section [timing]',
      '/etc/x.conf:6: [timnig]: there is no such section; did you mean [timing]?',
      '/etc/x.conf:10: timing.interval: there is no such key; did you mean interval_seconds?',
    ]);
  });

  it('of flags are answered the same way', () => {
    expect(
      problemsOf({ flags: { 'link.prot': '1', 'lnk.port': '1', interval_seconds: '1', '__proto__.port': '1' } }),
    ).toEqual([
      '--set link.prot: link.prot: there is no such key; did you mean port?',
      '--set lnk.port: [lnk]: there is no such section; did you mean [link]?',
      '--set interval_seconds: must be written section.key=value; did you mean timing.interval_seconds?',
      '--set __proto__.port: [__proto__]: there is no such section',
    ]);
  });

  it('of variables are only warned about, and only where they begin like ours', () => {
    const env = { TECHTEMP_LINK_PROT: '1', TECHTEMP_OTHER: '1', LINK_PORT: '1' };
    expect(load({ env }).warnings.map(describeProblem)).toEqual([
      'environment variable TECHTEMP_LINK_PROT: is the name of no key; did you mean TECHTEMP_LINK_PORT?',
    ]);
  });

  it('of older versions are warned about, unless they say what happens anyway', () => {
    const file = '[link]\nqos = 1\nretain = true\n[old]\npid_file = /run/x\n';
    expect(load({ file, env: { TECHTEMP_LINK_QOS: '2' } }).warnings.map(describeProblem)).toEqual([
      '/etc/x.conf:3: link.retain: has no effect any more: it is gone',
      '/etc/x.conf:5: old.pid_file: has no effect any more: nobody needs it',
      'environment variable TECHTEMP_LINK_QOS: link.qos: has no effect any more: it is always 1',
    ]);
  });

  it('of a prototype are unknown names, and change nothing', () => {
    const file = '[__proto__]\nx = 1\n[link]\n__proto__ = 1\nconstructor = 2\n[constructor]\nprototype = 3\n';
    expect(problemsOf({ file })).toHaveLength(4);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

describe('all problems of a file', () => {
  it('come at once, in the order of its lines, the others after them', () => {
    const file = 'x = 0\n[link]\nport = x\nhost\ntls = x\nport = 2\nnope_nope = 1\n';
    const lines = problemsOf({ file, flags: { 'link.mode': 'x' } }).map((text) => text.split(': ')[0]);
    expect(lines).toEqual([1, 3, 4, 5, 6, 7].map((line) => `/etc/x.conf:${line}`).concat('--set link.mode'));
  });

  it('are readable as one message, the first ones when there are many', () => {
    const file = `[link]\n${Array.from({ length: 30 }, (_, index) => `strange${index} = 1\n`).join('')}`;
    expect(() => load({ file })).toThrow(
      /^the configuration has 30 problems:\n {2}\/etc\/x\.conf:2: [^]*\n {2}and 10 more$/,
    );
    expect(() => load({ file: '[link]\nport = x\n' })).toThrow(/^\/etc\/x\.conf:2: link\.port = "x": must be/);
  });

  it('name the line that the file breaks off in', () => {
    expect(problemsOf({ file: '[link]\nport = 2\nhos' })[0]).toContain(
      'the file ends in the middle of this line: was it cut off?',
    );
    expect(problemsOf({ file: '[link]\nhos\nport = 2' })[0]).not.toContain('cut off');
  });

  it.each([
    ['an empty file', '', '/etc/x.conf: is empty; it must hold at least one [section]'],
    ['a file of comments', '# nothing\n', '/etc/x.conf: is empty; it must hold at least one [section]'],
    [
      'Latin-1',
      Uint8Array.from([0x5b, 0x61, 0x5d, 0x0a, 0x6b, 0x3d, 0xe9, 0x0a]),
      '/etc/x.conf:2: is not UTF-8; save the file in that encoding',
    ],
    [
      'UTF-16',
      Uint8Array.from([0xff, 0xfe, 0x5b, 0x00]),
      '/etc/x.conf:1: is not UTF-8; save the file in that encoding',
    ],
    ['too much', new Uint8Array(300_000), '/etc/x.conf: is larger than 256 KiB; is it the right file?'],
  ])('for %s are one clear word', (_, file, expected) => {
    expect(problemsOf({ file })).toEqual([expected]);
  });

  it('are never anything but a ConfigError, whatever the bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .array(
          fc.constantFrom(
            '[link]',
            'port',
            ' = ',
            '\n',
            '1',
            '"',
            "'",
            ' #',
            'tls',
            'x',
            '[',
            '[old]',
            '\0',
            'é',
            '__proto__',
          ),
        )
        .map((parts) => new TextEncoder().encode(parts.join(''))),
    );
    fc.assert(
      fc.property(bytes, (file) => {
        for (const line of problemsOf({ file })) expect(line.startsWith('/etc/x.conf')).toBe(true);
      }),
      { seed: 3, numRuns: 500 },
    );
  });
});

describe('secrets', () => {
  const secret = 'hunter2';

  it('are in no message, however they are wrong', () => {
    const long = secret.repeat(200);
    for (const given of [
      { file: `[link]\npassword = ${long}\n` },
      { file: `[link]\npassword = "${secret}\n` },
      { file: `[link]\npassword = ${secret}\npassword = ${secret}\n` },
      { file: `[timing]\npassword = ${secret}\n` },
      { file: `[link]\npasswort = ${secret}\n` },
      { file: `[link]\npassword = #${secret}\n` },
      { file: `${secret}\n[link]\n${secret}\n` },
      { env: { TECHTEMP_LINK_PASSWORD: `${secret}\n` } },
      { flags: { 'link.password': `${secret}\0` } },
    ]) {
      const problems = problemsOf(given);
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.join()).not.toContain(secret);
    }
    expect(problemsOf({ file: `[link]\npassword = ${long}\n` })[0]).toContain('link.password = "[secret]"');
  });

  it('that a comment may have cut short are warned about', () => {
    const cut = load({ file: `[link]\npassword = ${secret} # ${secret}\nuser = me # the user\n` });
    expect(cut.values.link.password).toBe(secret);
    expect(cut.warnings.map(describeProblem)).toEqual([
      '/etc/x.conf:2: link.password: what follows the white space and # (or ;) was taken for a comment; if it belongs to the value, quote the value',
    ]);
    expect(load({ file: `[link]\npassword = "${secret} # x"\n` }).warnings).toEqual([]);
  });
});

describe('a check across keys', () => {
  const check: CrossCheck<typeof schema> = ({ link }, verdict) => {
    if (link.tls) verdict.warning('link.port', 'is odd');
    if (link.password !== '' && link.user === '') verdict.error('link.password', 'needs user');
  };

  it('speaks of the place where the key stands', () => {
    expect(problemsOf({ file: '[link]\npassword = x\n', check })).toEqual([
      '/etc/x.conf:2: link.password = "[secret]": needs user',
    ]);
    expect(load({ env: { TECHTEMP_LINK_TLS: 'on' }, check }).warnings.map(describeProblem)).toEqual([
      'default: link.port: is odd',
    ]);
  });

  it('only runs on values that are right one by one', () => {
    expect(problemsOf({ file: '[link]\npassword = x\nport = x\n', check })).toHaveLength(1);
  });
});

// D4
describe('values from the environment and the command line', () => {
  it.each([
    ['"broker.lan"', 'broker.lan'],
    ["'broker.lan'", 'broker.lan'],
    [' "broker.lan" ', 'broker.lan'],
  ])('lose the quotes that an env file keeps: %j', (text, host) => {
    for (const given of [{ env: { TECHTEMP_LINK_HOST: text } }, { flags: { 'link.host': text } }]) {
      const { values, warnings } = load(given);
      expect(values.link.host).toBe(host);
      expect(warnings.map(({ complaint }) => complaint)).toEqual([expect.stringContaining('taken off') as string]);
    }
  });

  it('lose the white space around them, as those of the file do', () => {
    const { values, warnings } = load({ env: { TECHTEMP_LINK_HOST: ' broker.lan\t', TECHTEMP_LINK_USER: ' me ' } });
    expect([values.link.host, values.link.user, warnings]).toEqual(['broker.lan', 'me', []]);
  });

  it.each(['"secret"', "'secret'", ' secret'])('keep them where they are a password, with a warning: %j', (text) => {
    const { values, warnings } = load({ env: { TECHTEMP_LINK_PASSWORD: text } });
    expect(values.link.password).toBe(text);
    expect(warnings.map(describeProblem).join()).toContain('is that part of it?');
    expect(warnings.map(describeProblem).join()).not.toContain('secret"');
  });

  it('are not what Docker or Kubernetes says of a service with such a name', () => {
    const { values, warnings } = load({ env: { TECHTEMP_LINK_PORT: 'tcp://172.17.0.3:1883' } });
    expect(values.link.port).toBe(1883);
    expect(warnings.map(describeProblem).join()).toContain('Docker or Kubernetes');
  });

  it('pass the checks of the file', () => {
    expect(problemsOf({ env: { TECHTEMP_LINK_HOST: '"broker lan"' } })).toHaveLength(1);
    expect(problemsOf({ env: { TECHTEMP_LINK_HOST: '"broker.lan' } })).toHaveLength(1);
    expect(problemsOf({ env: { TECHTEMP_LINK_PORT: 'tcp://172.17.0.3:1883/x' } })).toHaveLength(1);
  });
});

// D6
describe('what cannot be told by looking', () => {
  it.each([
    ['host = 192.168.1.10\u200b', 'U+200B (zero-width space)'],
    ['host = broker\u00adname', 'U+00AD (soft hyphen)'],
    ['host = 192.168.1.10\u0085', 'U+0085 (next line)'],
    ['host = “broker”', 'U+201C (typographic quote), U+201D (typographic quote)'],
    ['host = 192．168．1．10', 'U+FF0E (full-width character)'],
    ['port = \u22121', 'U+2212 (minus sign, not the -)'],
    ['user = me\u200b', 'U+200B (zero-width space), which cannot be seen'],
    ['user = me\u0085', 'U+0085 (next line), which cannot be seen'],
    ['user = “me”', 'U+201C (typographic quote), U+201D (typographic quote): they would become part of it'],
    ['user = «me»', 'U+00AB (typographic quote), U+00BB (typographic quote): they would become part of it'],
    ['host\u200b = x', 'there is no such key; it holds U+200B (zero-width space)'],
  ])('is named by its code point: %j', (line, words) => {
    const problems = problemsOf({ file: `[link]\n${line}\n` });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(words);
    expect(problems[0]).toContain('/etc/x.conf:2');
  });

  it('is named where it spoils a section, and in the environment', () => {
    expect(problemsOf({ file: '[link\u200b]\nport = 1\n' }).join()).toContain('U+200B');
    expect(problemsOf({ file: '\u200b[link]\nport = 1\n' }).join()).toContain('U+200B');
    expect(problemsOf({ env: { TECHTEMP_LINK_HOST: '10.0.0.1\u2060' } }).join()).toContain('U+2060 (word joiner)');
  });

  it.each(['pass\u200bword', 'pa\u00adss', '−5', '“secret”', 'pass\u0085'])(
    'is taken in a password, since it may be meant, with a warning: %j',
    (password) => {
      const { values, warnings } = load({ file: `[link]\npassword = ${password}\n` });
      expect(values.link.password).toBe(password);
      const words = warnings.map(describeProblem).join();
      expect(words).toMatch(/holds U\+[0-9A-F]{4} \(.+is that part of it\?/);
      expect(words).not.toContain(password);
    },
  );

  it.each(['Grand-mère’s room', '’s-Hertogenbosch', '👨‍👩‍👧 chambre', 'اتاق\u200cها', '21 – 22', 'Salle\u00a012'])(
    'does not keep a name from having its letters: %s',
    (name) => {
      const { values, warnings } = load({ file: `[link]\nuser = ${name}\n` });
      expect([values.link.user, warnings]).toEqual([name, []]);
    },
  );
});

// B9
describe('what the file says in vain', () => {
  it('is known, with who overrides it, but not where both say the same', () => {
    const file = '[link]\nhost = from-file\nport = 7\nuser = me\n';
    const { overridden } = load({
      file,
      env: { TECHTEMP_LINK_HOST: 'from-env', TECHTEMP_LINK_USER: 'me' },
      flags: { 'link.port': '9' },
    });
    expect(overridden).toEqual([
      {
        name: 'link.host',
        text: 'from-file',
        origin: { kind: 'file', file: '/etc/x.conf', line: 2 },
        by: { kind: 'environment', variable: 'TECHTEMP_LINK_HOST' },
      },
      {
        name: 'link.port',
        text: '7',
        origin: { kind: 'file', file: '/etc/x.conf', line: 3 },
        by: { kind: 'flag', flag: 'link.port' },
      },
    ]);
  });
});
