/**
 * What the README tells a reader to type is typed here: every command of it, against a real proxy
 * with the twin behind it, in a home of its own. Links must lead somewhere.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LAUNCHER, startProxyProcess } from './support/proxy-process.ts';

const ROOT = new URL('../', import.meta.url);
const README = readFileSync(new URL('README.md', ROOT), 'utf8');
/** Commands that go on until they are ended. */
const ENDLESS = ['start', 'tail'];

/** The command lines of the README that are the program's own, without comments. */
function commandLines(): string[] {
  const shown = [...README.matchAll(/(?:^|`)(bin\/lanekeeper [^#`\n]*)/gm)];
  return [...new Set(shown.map(([, line]) => (line ?? '').trim()))];
}

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a command line of the README with an environment of its own; `claude` is played by `echo`. */
function run(line: string, home: string): Promise<Run> {
  const words = line.split(/\s+/).slice(1);
  const args = words.map((word) => (word === 'claude' ? 'echo' : word));
  const endless = ENDLESS.includes(args[0] ?? '');
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, LANEKEEPER_HOME: home };
  const child = spawn(LAUNCHER, args, { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const hear = (text: Buffer): void => {
    output += text.toString();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const timer = endless ? setTimeout(() => child.kill('SIGINT'), 1_500) : null;
  return new Promise((resolve) => {
    child.on('close', (code) => {
      if (timer !== null) clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

test('every command of the README does what it says', async (t) => {
  const { home } = await startProxyProcess(t);
  const lines = commandLines().filter((line) => !line.includes(' start'));
  assert.ok(lines.length >= 10, `commands found: ${lines.join(', ')}`);
  for (const line of lines) {
    if (line.endsWith('ca remove')) continue;
    const { code, output } = await run(line, home);
    const expected = ENDLESS.includes(line.split(' ')[1] ?? '') ? 130 : 0;
    assert.equal(code, expected, `${line}\n${output}`);
  }
  const { code } = await run('bin/lanekeeper ca remove', home);
  assert.equal(code, 0);
});

test('every link of the README leads somewhere', () => {
  for (const [, target = ''] of README.matchAll(/\]\(([^)]+)\)/g)) {
    assert.ok(existsSync(fileURLToPath(new URL(target, ROOT))), target);
  }
});

test('every make target that the README names exists', () => {
  const makefile = readFileSync(new URL('Makefile', ROOT), 'utf8');
  for (const [, target = ''] of README.matchAll(/(?:^|`)make ([a-z-]+)/gm)) {
    assert.match(makefile, new RegExp(`^${target}[: ]`, 'm'), target);
  }
});
