import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { callControl, holdLease, isRunning, readStatus } from './client.ts';
import { statusReport } from './fixtures.ts';
import { serveControl } from './server.ts';
import { prepareSocketDirectory, socketPath } from './socket-path.ts';
import { type Control, ControlError } from './types.ts';

interface Scene {
  after(run: () => Promise<void> | void): void;
}

function temporaryHome(t: Scene): string {
  const home = mkdtempSync(join(tmpdir(), 'lk-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

function fakeControl() {
  const calls: string[] = [];
  const leases = { open: 0, changed: (): void => undefined };
  const control: Control = {
    status: () => statusReport({ paused: calls.includes('pause') }),
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    force: (on) => void calls.push(`force ${on}`),
    tee: () => {
      throw new ControlError('tee_disabled', 'set ENABLE_BODY_TEE=1 and start again');
    },
    restart: async () => ({ workers: [4243] }),
    reload: async () => {
      throw new TypeError('canary-secret-of-the-stack');
    },
    drain: () => void calls.push('drain'),
    metrics: async () => 'lanekeeper_up 1\n',
    lease: () => {
      leases.open += 1;
      return () => {
        leases.open -= 1;
        leases.changed();
      };
    },
  };
  return { control, calls, leases };
}

async function served(t: Scene) {
  const home = temporaryHome(t);
  const fake = fakeControl();
  const server = await serveControl(home, fake.control);
  t.after(() => server.close());
  return { home, server, ...fake };
}

test('commands reach the proxy and answer with its status', async (t) => {
  const { home, calls } = await served(t);
  assert.equal((await readStatus(home)).paused, false);
  await callControl(home, 'POST', '/pause');
  assert.equal((await readStatus(home)).paused, true);
  await callControl(home, 'POST', '/resume');
  await callControl(home, 'POST', '/force', { on: true });
  await callControl(home, 'POST', '/drain');
  assert.deepEqual(calls, ['pause', 'resume', 'force true', 'drain']);
  assert.equal(await callControl(home, 'GET', '/metrics'), 'lanekeeper_up 1\n');
});

test('a refusal of the proxy keeps its code and its text', async (t) => {
  const { home } = await served(t);
  await assert.rejects(callControl(home, 'POST', '/tee', { on: true }), {
    name: 'ControlError',
    code: 'tee_disabled',
    message: 'set ENABLE_BODY_TEE=1 and start again',
  });
});

test('a failure inside the proxy is told without its text', async (t) => {
  const { home } = await served(t);
  await assert.rejects(callControl(home, 'POST', '/reload'), (error: unknown) => {
    assert.ok(error instanceof ControlError);
    assert.equal(error.code, 'internal');
    assert.doesNotMatch(error.message, /canary/);
    return true;
  });
});

test('an unknown path, a missing body and a huge body are refused', async (t) => {
  const { home } = await served(t);
  await assert.rejects(callControl(home, 'GET', '/nothing'), { code: 'unknown_command' });
  await assert.rejects(callControl(home, 'POST', '/force'), { code: 'bad_body' });
  await assert.rejects(callControl(home, 'POST', '/force', { on: 'yes' }), { code: 'bad_body' });
  const huge = { on: true, filler: 'x'.repeat(64 * 1024) };
  await assert.rejects(callControl(home, 'POST', '/force', huge), { code: 'bad_body' });
});

test('the socket is opened by its owner only', async (t) => {
  const { server } = await served(t);
  assert.equal(statSync(server.path).mode & 0o777, 0o600);
});

test('a second proxy of the same home is refused, and the first one stays', async (t) => {
  const { home } = await served(t);
  await assert.rejects(serveControl(home, fakeControl().control), { code: 'already_running' });
  assert.equal(await isRunning(home), true);
});

test('the socket of a dead process is replaced', async (t) => {
  const home = temporaryHome(t);
  const path = socketPath(home);
  prepareSocketDirectory(path);
  const listenAndDie = `require('node:net').createServer().listen(process.argv[1], () =>
    process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', listenAndDie, path]);
  assert.ok(statSync(path).isSocket());
  assert.equal(await isRunning(home), false);
  const server = await serveControl(home, fakeControl().control);
  assert.equal(await isRunning(home), true);
  await server.close();
  assert.equal(await isRunning(home), false);
});

test('without a proxy the error names the home and how to start one', async (t) => {
  const home = temporaryHome(t);
  await assert.rejects(readStatus(home), {
    code: 'not_running',
    message: `no proxy is running for ${home}; start one with lanekeeper start`,
  });
});

test('a lease is counted while it is held and given back when its holder lets go', async (t) => {
  const { home, leases } = await served(t);
  const returned = new Promise<void>((resolve) => {
    leases.changed = resolve;
  });
  const release = await holdLease(home);
  assert.equal(leases.open, 1);
  assert.equal((await readStatus(home)).leases, 1);
  release();
  await returned;
  assert.equal((await readStatus(home)).leases, 0);
  assert.equal(leases.open, 0);
});

test('a proxy that ends while leased takes nothing with it', async (t) => {
  const { home, server, leases } = await served(t);
  const returned = new Promise<void>((resolve) => {
    leases.changed = resolve;
  });
  const release = await holdLease(home);
  await Promise.all([server.close(), returned]);
  assert.equal(leases.open, 0);
  release();
});

test('an end that was asked for on the socket is answered before the socket closes', async (t) => {
  const home = temporaryHome(t);
  const reported = Promise.withResolvers<void>();
  const fake = fakeControl();
  let closed: Promise<void> | null = null;
  const server = await serveControl(home, {
    ...fake.control,
    // The proxy ends while it still gathers what it answers.
    drain: () => {
      closed = server.close();
      setTimeout(reported.resolve, 20);
    },
    status: async () => {
      await reported.promise;
      return statusReport({ draining: true });
    },
  });
  t.after(() => server.close());
  const answer = (await callControl(home, 'POST', '/drain')) as { draining: boolean };
  assert.equal(answer.draining, true);
  await closed;
  assert.equal(await isRunning(home), false);
});

test('a server that answers no JSON is a clear error', async (t) => {
  const home = temporaryHome(t);
  const path = socketPath(home);
  prepareSocketDirectory(path);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{x');
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => void server.close());
  await assert.rejects(readStatus(home), { code: 'bad_answer' });
});
