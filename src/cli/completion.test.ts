import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { bashScript, fishScript, zshScript } from './completion-scripts.ts';
import { completionNodes } from './completion-tree.ts';
import { createProgram } from './program.ts';
import { findOnPath } from './programs.ts';

const nodes = completionNodes(createProgram(() => undefined));

/** What bash offers for the last of these words. */
function bashOffers(...words: string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const script = `${bashScript(nodes)}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
_lanekeeper
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', script], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout.split('\n').filter((line) => line !== '');
}

const noBash = { skip: findOnPath('bash') === null && 'bash is not installed' };

test('bash offers the commands, and of them those that fit', noBash, () => {
  assert.ok(bashOffers('lanekeeper', '').includes('doctor'));
  assert.deepEqual(bashOffers('lanekeeper', 'sta').sort(), ['start', 'status']);
});

test('bash offers what may follow a command', noBash, () => {
  assert.deepEqual(bashOffers('lanekeeper', 'force', 'o'), ['on', 'off']);
  assert.deepEqual(bashOffers('lanekeeper', 'ca', 'ro'), ['rotate']);
  assert.ok(bashOffers('lanekeeper', 'ca', 'show', '--').includes('--json'));
  assert.deepEqual(bashOffers('lanekeeper', 'env', '--shell', 'f'), ['fish']);
});

test('bash finds the command behind options', noBash, () => {
  assert.deepEqual(bashOffers('lanekeeper', 'tee', '--json', 'of'), ['off']);
});

test('hidden options are offered by none', () => {
  for (const script of [bashScript(nodes), zshScript(nodes), fishScript(nodes)]) {
    assert.doesNotMatch(script, /leased/);
    assert.match(script, /drain/);
  }
});

const noZsh = { skip: findOnPath('zsh') === null && 'zsh is not installed' };

test('zsh accepts the script', noZsh, () => {
  const script = `autoload -Uz compinit; compinit -u -D; ${zshScript(nodes)}`;
  const { stderr, status } = spawnSync('zsh', ['-f', '-c', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

const noFish = { skip: findOnPath('fish') === null && 'fish is not installed' };

test('fish accepts the script and offers what may follow a command', noFish, () => {
  const script = `${fishScript(nodes)}\ncomplete -C 'lanekeeper force o'`;
  const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.match(stdout, /^on$/m);
});
