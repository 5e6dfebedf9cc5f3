import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { completionNodes } from './completion-tree.ts';
import { PACKAGE_ROOT } from './package-info.ts';
import { createProgram } from './program.ts';

interface Scene {
  after(run: () => void): void;
}

function temporary(t: Scene): string {
  const folder = mkdtempSync(join(tmpdir(), 'lk-main-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function lanekeeper(home: string, ...args: string[]) {
  return spawnSync(join(PACKAGE_ROOT, 'bin', 'lanekeeper'), args, {
    cwd: home,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: home },
  });
}

test('every command takes --home and --config', () => {
  for (const node of completionNodes(createProgram(() => undefined))) {
    const words = node.options.map((option) => option.word);
    assert.ok(words.includes('--home'), node.path);
    assert.ok(words.includes('--config'), node.path);
  }
});

test('the home may be named before the command and after it', (t) => {
  const home = temporary(t);
  for (const args of [
    ['--home', join(home, 'x'), 'status'],
    ['status', '--home', join(home, 'x')],
  ]) {
    const { status, stderr } = lanekeeper(home, ...args);
    assert.equal(status, 1);
    assert.equal(
      stderr,
      `lanekeeper: no proxy is running for ${join(home, 'x')}; start one with lanekeeper start\n`,
    );
  }
});

test('help is 0; a wrong usage is 2', (t) => {
  const home = temporary(t);
  assert.equal(lanekeeper(home, '--help').status, 0);
  assert.equal(lanekeeper(home, 'help', 'start').status, 0);
  for (const args of [
    [],
    ['bogus'],
    ['start', '--bogus'],
    ['start', '--port', 'x'],
    ['force'],
    ['ca'],
  ]) {
    assert.equal(lanekeeper(home, ...args).status, 2, args.join(' '));
  }
});

test('a wrong usage of start says that and nothing of the worker that was started ahead', (t) => {
  const { status, stderr } = lanekeeper(temporary(t), 'start', '--bogus');
  assert.equal(status, 2);
  assert.equal(stderr, "error: unknown option '--bogus'\n(--help tells more)\n");
});

test('a number of workers that can not be is refused plainly', (t) => {
  const { status, stderr } = lanekeeper(temporary(t), 'start', '--workers', '0');
  assert.equal(status, 2);
  assert.match(stderr, /It must be a number from 1 to 64/);
});

test('a bad configuration is 78 and says where, what and how to mend it', (t) => {
  const home = temporary(t);
  writeFileSync(join(home, 'lanekeeper.yaml'), 'listen: { prot: 1 }\n');
  const { status, stderr } = lanekeeper(home, 'start');
  assert.equal(status, 78);
  assert.match(stderr, /lanekeeper\.yaml:1 listen\.prot/);
  assert.match(stderr, /mend: /);
  assert.doesNotMatch(stderr, /\n\s+at /);
});

test('env prints nothing but shell lines, and makes the authority', (t) => {
  const home = temporary(t);
  const { status, stdout, stderr } = lanekeeper(home, 'env', '9001', '--home', join(home, 'h'));
  assert.equal(status, 0, stderr);
  for (const line of stdout.trim().split('\n')) assert.match(line, /^(export|unset) .*;$/);
  assert.equal(lanekeeper(home, 'ca', 'show', '--home', join(home, 'h')).status, 0);
});
