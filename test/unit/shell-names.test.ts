import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { leakedNames } from '../support/shell-names.ts';

const MODULES = readdirSync('scripts/install').filter((name) => name.endsWith('.sh'));
const SCRIPTS = readdirSync('systemd')
  .map((name) => `systemd/${name}`)
  .filter((path) => readFileSync(path, 'utf8').startsWith('#!'));

describe('a function of the installer changes no variable of its caller', () => {
  test.each(MODULES.map((name) => `scripts/install/${name}`))('%s', (path) => {
    expect(leaksOf(readFileSync(path, 'utf8'), true)).toEqual([]);
  });
  test.each(['bootstrap-pi.sh', ...SCRIPTS])('%s', (path) => {
    expect(leaksOf(readFileSync(path, 'utf8'))).toEqual([]);
  });

  test('all of them are looked at', () => {
    expect(MODULES.length).toBeGreaterThan(30);
    expect(SCRIPTS).toContain('systemd/techtemp-commit');
  });
});

describe('what is found', () => {
  test.each([
    ['f() {\n  name=x\n}', 'f:name:2'],
    ['f() { local a; a=1 b=2; }', 'f:b:1'],
    ['f() { for file in a b; do :; done; }', 'f:file:1'],
    ['f() { cat x | while IFS= read -r name other; do :; done; }', 'f:name:1 f:other:1'],
    ['f() { read -r -p "How? " answer || return; }', 'f:answer:1'],
    ['f() { mapfile -t lines < <(ls); }', 'f:lines:1'],
    ['f() { printf -v text "%s" x; }', 'f:text:1'],
    ['f() { if true; then x+=(1); fi; }', 'f:x:1'],
    ['f() { case $1 in a) x=1 ;; *) : ;; esac; }', 'f:x:1'],
    ['f() { : "$((count += 1))"; ((count++)); }', 'f:count:1 f:count:1'],
    ['f() { : "${folder:=x}"; }', 'f:folder:1'],
    ['f() { x=1; local x; }', 'f:x:1'],
    ['f() { declare -g x=1; export y=2; unset z; }', 'f:x:1 f:y:1 f:z:1'],
    ['f() { exec {lock}>file; }', 'f:lock:1'],
    ['f() { eval "words=(a)"; }', 'f:words:1'],
    ['f() { local a=$(case $1 in x) echo ")" ;; esac); b=2; }', 'f:b:1'],
    ["f() {\n  cat <<END\nx=1 }\nEND\n  awk '\n    { x = 1 }'\n  y=1\n}", 'f:y:7'],
    ['f() {\n  run || {\n    x=1\n  }\n}\ng() { local x; x=1; }', 'f:x:3'],
    ['f() { [[ $1 =~ ^([a-z]+)$ ]] && x=1; }', 'f:x:1'],
    ['f() { a=1; }\nf() { a=1; }', 'f:a:1 f:a:2'],
  ])('%j', (script, expected) => {
    expect(leaksOf(script).join(' ')).toBe(expected);
  });

  test.each([
    'f() { local a b=1 c=(); a=1 b=2 c+=(3); }',
    'f() { local name; ls | while read -r name; do :; done; }',
    'f() { NAME=x OTHER[1]=y; }',
    'f() { a=1 program; IFS= read -r REPLY; LC_ALL=C b=2 env; }',
    'f() ( a=1; )',
    'f() { local text; text="a=1; b=2"; echo "$(a=1; echo "$a")" \'c=3\' # d=4\n}',
    'f() { [ "$a" = b ] || (( a == 1 )) || [[ $a == b ]]; }',
    'f() { local i; for ((i = 0; i < 3; i++)); do :; done; }',
    'a=1\nfor b in c; do :; done',
  ])('what is in order: %j', (script) => {
    expect(leaksOf(script)).toEqual([]);
  });

  test('in a file that others source, also what stands outside of functions', () => {
    expect(leaksOf('a=1\nB=2', true)).toEqual(['-:a:1']);
  });
});

function leaksOf(script: string, topLevelToo = false): readonly string[] {
  return leakedNames(script, { topLevelToo }).map(
    ({ inFunction, name, line }) => `${inFunction ?? '-'}:${name}:${line}`,
  );
}
