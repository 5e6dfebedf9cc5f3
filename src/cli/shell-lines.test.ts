import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';

import { findOnPath } from './programs.ts';
import { type Shell, shellLines } from './shell-lines.ts';

const EVIL = [
  '/plain/path',
  "/it's here",
  '/a b  c',
  '/$(echo pwned)/`id`/$HOME',
  '/back\\slash\\',
  '/quote"double"',
  '/new\nline',
  '/*?[a]~',
  '/‘smart’ ‚quotes‛',
  '/semi;colon&&|<>#!',
  "'; exit 7; '",
];

/** A program started by the shell sees what was exported. */
const SHOW = `sh -c 'printf "%s\\0%s" "$EVIL" "\${GONE-<none>}"'`;

function linesFor(value: string, shell: Shell): string {
  return shellLines({ set: { EVIL: value }, unset: ['GONE'], notes: [] }, shell);
}

function runLines(shell: string, args: string[], script: string): string[] {
  const { stdout } = spawnSync(shell, [...args, `${script}\n${SHOW}`], {
    env: { PATH: process.env['PATH'] ?? '', GONE: 'still here' },
    encoding: 'utf8',
  });
  return stdout.split('\0');
}

for (const name of ['sh', 'dash', 'bash', 'zsh', 'busybox']) {
  const path = findOnPath(name);
  const args = name === 'busybox' ? ['sh', '-c'] : ['-c'];
  test(`${name} takes any path as it is`, { skip: path === null && 'not installed' }, () => {
    for (const value of EVIL) {
      assert.deepEqual(runLines(path ?? '', args, linesFor(value, 'sh')), [value, '<none>']);
    }
  });
}

test('fish takes any path as it is', {
  skip: findOnPath('fish') === null && 'not installed',
}, () => {
  for (const value of EVIL) {
    const seen = runLines(findOnPath('fish') ?? '', ['-c'], linesFor(value, 'fish'));
    assert.deepEqual(seen, [value, '<none>']);
  }
});

test('lines that an unquoted eval joins still do the same', () => {
  const lines = `${linesFor('/plain/path', 'sh')}\n${linesFor("/it's", 'sh')}`;
  const joined = `eval $(cat <<'END'\n${lines}\nEND\n)`;
  assert.deepEqual(runLines('sh', ['-c'], joined), ["/it's", '<none>']);
});

test('in PowerShell every kind of single quote is doubled', () => {
  assert.equal(
    linesFor("a'b’c", 'powershell'),
    "$env:EVIL = 'a''b’’c';\nRemove-Item -ErrorAction SilentlyContinue Env:GONE;",
  );
});

test('sh takes any text without NUL as it is', () => {
  const text = fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .filter((value) => !value.includes('\0'));
  fc.assert(
    fc.property(text, (value) => {
      assert.deepEqual(runLines('sh', ['-c'], linesFor(value, 'sh')), [value, '<none>']);
    }),
    { numRuns: 15 },
  );
});
