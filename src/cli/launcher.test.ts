import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { withoutDumps } from './guarded-process.ts';
import { PACKAGE_ROOT, packageVersion } from './package-info.ts';

const LAUNCHER = join(PACKAGE_ROOT, 'bin', 'lanekeeper');
const SAY_WHO = `console.log(JSON.stringify(process.argv.slice(2)))`;

interface Scene {
  after(run: () => void): void;
}

function temporary(t: Scene): string {
  const folder = mkdtempSync(join(tmpdir(), 'lk launcher '));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function run(path: string, args: string[], options: { cwd?: string; path?: string } = {}) {
  return spawnSync(path, args, {
    encoding: 'utf8',
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: options.path ?? '/usr/bin:/bin' },
  });
}

/** A folder with a program called `node` that says it is of that version. */
function fakeNode(t: Scene, version: string): string {
  const folder = temporary(t);
  writeFile(
    join(folder, 'node'),
    `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo "ran $*"\n`,
  );
  return folder;
}

function writeFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  if (text.startsWith('#!')) chmodSync(path, 0o755);
}

/** An installed package: only `bin` and `dist`, in a `node_modules` folder. */
function installed(t: Scene): { root: string; launcher: string } {
  const root = join(temporary(t), 'node_modules', 'lanekeeper');
  writeFile(join(root, 'dist', 'cli', 'main.js'), SAY_WHO);
  writeFile(join(root, 'package.json'), '{"type":"module"}');
  const launcher = join(root, 'bin', 'lanekeeper');
  mkdirSync(dirname(launcher));
  copyFileSync(LAUNCHER, launcher);
  copyFileSync(join(PACKAGE_ROOT, 'bin', 'entry.mjs'), join(root, 'bin', 'entry.mjs'));
  return { root, launcher };
}

test('it runs from any folder, by its absolute path and by a relative one', () => {
  for (const [path, cwd] of [
    [LAUNCHER, '/'],
    ['./bin/lanekeeper', PACKAGE_ROOT],
    ['../bin/lanekeeper', join(PACKAGE_ROOT, 'src')],
  ] as const) {
    const { stdout, stderr } = run(path, ['--version'], { cwd });
    assert.equal(stdout.trim(), packageVersion(), stderr);
  }
});

test('it runs from PATH and through chains of relative and absolute symbolic links', (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'sub'));
  symlinkSync(LAUNCHER, join(folder, 'first'));
  symlinkSync('../first', join(folder, 'sub', 'lanekeeper'));
  assert.equal(
    run(join(folder, 'sub', 'lanekeeper'), ['--version']).stdout.trim(),
    packageVersion(),
  );
  const path = `${join(folder, 'sub')}:/usr/bin:/bin`;
  const found = spawnSync('sh', ['-c', 'lanekeeper --version'], {
    env: { PATH: path },
    encoding: 'utf8',
  });
  assert.equal(found.stdout.trim(), packageVersion());
});

test('in a checkout the Node of npm ci is used, whatever the machine has', (t) => {
  const path = `${fakeNode(t, 'v12.0.0')}:/usr/bin:/bin`;
  assert.equal(run(LAUNCHER, ['--version'], { path }).stdout.trim(), packageVersion());
});

test('an installed package runs its dist with a Node on PATH that is new enough', (t) => {
  const { launcher } = installed(t);
  for (const version of ['v22.19.0', 'v23.0.1', 'v26.10.0']) {
    const path = `${fakeNode(t, version)}:/usr/bin:/bin`;
    assert.match(run(launcher, ['status'], { path }).stdout, /^ran .*bin\/entry\.mjs status$/m);
  }
});

test('a Node that is too old is named, with the mend, and no stack', (t) => {
  const { launcher } = installed(t);
  for (const version of ['v20.20.2', 'v22.18.9', 'v8.0.0', 'garbage']) {
    const path = `${fakeNode(t, version)}:/usr/bin:/bin`;
    const { status, stdout, stderr } = run(launcher, ['status'], { path });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /needs Node 22\.19 or newer/);
    assert.match(stderr, /install the npm package "node" beside lanekeeper/);
  }
});

test('without any Node the message says so', (t) => {
  const { launcher } = installed(t);
  const tools = temporary(t);
  const { status, stderr } = spawnSync('/bin/sh', [launcher, 'status'], {
    env: { PATH: tools },
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /there is no node on PATH/);
});

test('the node package is found nested in an installed package and hoisted beside it', (t) => {
  const old = `${fakeNode(t, 'v20.20.2')}:/usr/bin:/bin`;
  for (const place of ['node_modules/node/bin/node', '../node/bin/node']) {
    const { root, launcher } = installed(t);
    mkdirSync(dirname(join(root, place)), { recursive: true });
    symlinkSync(process.execPath, join(root, place));
    const args = ['run', '--', 'a b', "it's", ''];
    const { stdout, stderr } = run(launcher, args, { path: old });
    assert.deepEqual(JSON.parse(stdout || 'null'), args, stderr);
  }
});

test('what would make Node dump is left out of NODE_OPTIONS, as for the processes it starts', (t) => {
  const { launcher } = installed(t);
  const folder = temporary(t);
  writeFile(
    join(folder, 'node'),
    '#!/bin/sh\n[ "$1" = --version ] && echo v26.0.0 || echo "has $NODE_OPTIONS"\n',
  );
  const asked = (command: string, options: string) => {
    const env = { PATH: `${folder}:/usr/bin:/bin`, NODE_OPTIONS: options };
    return spawnSync(launcher, [command], { encoding: 'utf8', cwd: tmpdir(), env });
  };
  for (const options of [
    '',
    '--no-warnings --import ./y.js',
    '--inspect',
    '--inspect-brk=0 --max-old-space-size=99',
    '--inspect_port 9229 --no-warnings',
    '--heapsnapshot-signal=SIGUSR2 --heapsnapshot_near_heap_limit 3 -r ./x.js',
    '--require ./x.js --report-on-signal --import ./y.js',
    '--abort-on-uncaught-exception --tls-keylog=k --trace_tls --heap-prof --trace-event-categories v8',
  ]) {
    const { stdout, stderr } = asked('start', options);
    const kept = withoutDumps(options.split(' ')).join(' ');
    assert.equal(stdout, `has ${kept}\n`, options);
    assert.equal(stderr !== '', kept !== options, 'what is left out is said');
    assert.equal(asked('run', options).stdout, `has ${options}\n`, 'that of `run` is not ours');
  }
});

test('the exit code and the signals are the program’s own', () => {
  assert.equal(run(LAUNCHER, ['no-such-command']).status, 2);
});
