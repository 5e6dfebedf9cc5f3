import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { statusReport } from '../admin/fixtures.ts';
import { serveControl } from '../admin/server.ts';
import type { Control } from '../admin/types.ts';
import { openAuthority } from '../pki/store.ts';
import { PACKAGE_ROOT } from './package-info.ts';

const LAUNCHER = join(PACKAGE_ROOT, 'bin', 'lanekeeper');
const PORT = 18_999;
const SHOW = `console.log(JSON.stringify(process.env)); process.exit(7)`;

interface Scene {
  after(run: () => Promise<void> | void): void;
}

/** A home whose control socket is served by a proxy that only counts its leases. */
async function fakeProxy(t: Scene) {
  const home = mkdtempSync(join(tmpdir(), 'lk-run-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const { bundlePath } = await openAuthority(join(home, 'ca'), ['api.anthropic.com']);
  const leases = { taken: 0, given: 0 };
  const report = statusReport({
    home,
    listen: { host: '127.0.0.1', port: PORT },
    ca: { hosts: ['api.anthropic.com'], expires: '2030-01-01T00:00:00.000Z', bundle: bundlePath },
  });
  const unexpected = () => assert.fail('not called by run');
  const control: Control = {
    status: () => report,
    pause: unexpected,
    resume: unexpected,
    force: unexpected,
    tee: unexpected,
    reload: async () => unexpected(),
    restart: async () => unexpected(),
    drain: unexpected,
    metrics: async () => unexpected(),
    lease: () => {
      leases.taken += 1;
      return () => {
        leases.given += 1;
      };
    },
  };
  const server = await serveControl(home, control);
  t.after(() => server.close());
  return { home, bundlePath, leases };
}

function startRun(home: string, command: readonly string[], more: Record<string, string> = {}) {
  const child = spawn(LAUNCHER, ['run', '--home', home, '--', ...command], {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...said }));
  return { child, ended };
}

test('the command gets the environment, its own variables, and its exit code is passed on', async (t) => {
  const { home, bundlePath, leases } = await fakeProxy(t);
  const { ended } = startRun(home, [process.execPath, '-e', SHOW], {
    ANTHROPIC_BASE_URL: 'http://elsewhere',
    ANTHROPIC_AUTH_TOKEN: 'canary',
    CLAUDE_CONFIG_DIR: '/kept',
    NO_PROXY: 'localhost,anthropic.com',
  });
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 7, stderr);
  const seen = JSON.parse(stdout) as Record<string, string>;
  assert.equal(seen['HTTPS_PROXY'], `http://127.0.0.1:${PORT}`);
  assert.equal(seen['https_proxy'], seen['HTTPS_PROXY']);
  assert.equal(seen['NODE_EXTRA_CA_CERTS'], bundlePath);
  assert.equal(seen['ANTHROPIC_BASE_URL'], undefined);
  assert.equal(seen['ANTHROPIC_AUTH_TOKEN'], undefined);
  assert.equal(seen['CLAUDE_CONFIG_DIR'], '/kept');
  assert.equal(seen['NO_PROXY'], 'localhost');
  assert.match(stderr, /NO_PROXY would lead around the proxy; left out of it: anthropic\.com/);
  assert.deepEqual(leases, { taken: 1, given: 1 });
});

test('a signal reaches the command, and its end by a signal is told as 128 + n', async (t) => {
  const { home } = await fakeProxy(t);
  const wait = `process.on('SIGTERM', () => process.kill(process.pid, 'SIGKILL'));
    setInterval(() => {}, 1e6); console.log('up')`;
  const { child, ended } = startRun(home, [process.execPath, '-e', wait]);
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  assert.equal((await ended).code, 128 + 9);
});

test('without a terminal Ctrl-C’s signal is passed on too', async (t) => {
  const { home } = await fakeProxy(t);
  const wait = `process.on('SIGINT', () => process.exit(42)); setInterval(() => {}, 1e6); console.log('up')`;
  const { child, ended } = startRun(home, [process.execPath, '-e', wait]);
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  assert.equal((await ended).code, 42);
});

test('a command that does not exist is 127, one that may not run is 126', async (t) => {
  const { home } = await fakeProxy(t);
  const missing = await startRun(home, ['no-such-command-anywhere']).ended;
  assert.equal(missing.code, 127);
  assert.match(missing.stderr, /no-such-command-anywhere: not found/);
  const plain = join(home, 'plain');
  writeFileSync(plain, 'text', { mode: 0o644 });
  assert.equal((await startRun(home, [plain]).ended).code, 126);
});

test('a bad configuration is 78, named, and starts nothing', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'lk-run-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const { code, stdout, stderr } = await startRun(home, ['true'], { MITM_PORT: 'eighty' }).ended;
  assert.equal(code, 78);
  assert.equal(stdout, '');
  assert.match(stderr, /MITM_PORT/);
  assert.doesNotMatch(stderr, /\n\s+at /);
  assert.deepEqual(readdirSync(home), []);
});

test('without a command the usage is told, and the exit code is 2', async (t) => {
  const { home } = await fakeProxy(t);
  assert.equal((await startRun(home, []).ended).code, 2);
});
