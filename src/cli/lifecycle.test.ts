/** The commands against real proxies in real processes, with the twin as upstream. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { callControl, holdLease, isRunning, readStatus } from '../admin/client.ts';
import { waitUntilGone } from './daemon.ts';
import { PACKAGE_ROOT } from './package-info.ts';

const LAUNCHER = join(PACKAGE_ROOT, 'bin', 'lanekeeper');
const GONE_MS_MAX = 10_000;

interface Scene {
  after(run: () => Promise<void> | void): void;
}

function temporaryHome(t: Scene): string {
  const home = mkdtempSync(join(tmpdir(), 'lk-life-'));
  t.after(async () => {
    await waitUntilGone(home, GONE_MS_MAX);
    rmSync(home, { recursive: true, force: true });
  });
  return home;
}

interface Started {
  readonly child: ChildProcess;
  /** What came on stdout up to its first line break. */
  readonly firstLine: Promise<string>;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Resolves once stderr holds the text. */
  heard(text: string): Promise<void>;
}

function lanekeeper(
  home: string,
  args: readonly string[],
  more: Record<string, string> = {},
): Started {
  const child = spawn(LAUNCHER, args, {
    cwd: home,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      LANEKEEPER_HOME: home,
      MITM_PORT: '0',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const line = Promise.withResolvers<string>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (stdout.includes('\n')) line.resolve(stdout.slice(0, stdout.indexOf('\n')));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code]) => {
    line.resolve(stdout);
    return { code: code as number | null, stdout, stderr };
  });
  return {
    child,
    firstLine: line.promise,
    ended,
    heard: async (text) => {
      while (!stderr.includes(text)) await once(child.stderr, 'data');
    },
  };
}

test('start says one line, and SIGTERM ends it with 0', async (t) => {
  const home = temporaryHome(t);
  const started = lanekeeper(home, ['start', '--twin']);
  assert.match(await started.firstLine, /^lanekeeper listening on http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal((await readStatus(home)).twin, true);
  started.child.kill('SIGTERM');
  const { code, stdout } = await started.ended;
  assert.equal(code, 0);
  assert.equal(stdout.trim().split('\n').length, 1);
  assert.equal(await isRunning(home), false);
});

test('a second signal ends it at once, whatever is open; SIGINT is 130', async (t) => {
  const home = temporaryHome(t);
  const started = lanekeeper(home, ['start', '--twin']);
  const url = new URL((await started.firstLine).split(' ').at(-1) ?? '');
  const upstream = net.createServer((socket) => socket.on('error', () => undefined));
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as net.AddressInfo;
  const client = net.connect(Number(url.port), url.hostname);
  client.on('error', () => undefined);
  client.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  await once(client, 'data');
  started.child.kill('SIGINT');
  await started.heard('draining');
  assert.equal(started.child.exitCode, null, 'an open tunnel is let finish');
  started.child.kill('SIGINT');
  assert.equal((await started.ended).code, 130);
  client.destroy();
  upstream.close();
});

test('a reload with a bad file is told, and the former configuration stays', async (t) => {
  const home = temporaryHome(t);
  const file = join(home, 'lanekeeper.yaml');
  writeFileSync(file, 'http2: never\n');
  const started = lanekeeper(home, ['start', '--twin']);
  await started.firstLine;
  writeFileSync(file, 'http2: perhaps\n');
  started.child.kill('SIGHUP');
  await started.heard('not reloaded, the former configuration stays');
  assert.equal(await isRunning(home), true);
  writeFileSync(file, 'http2: always\n');
  started.child.kill('SIGHUP');
  await started.heard('reloaded: http2');
  await callControl(home, 'POST', '/drain');
  assert.equal((await started.ended).code, 0);
});

test('a second proxy of the same home is refused with 1 and the mend', async (t) => {
  const home = temporaryHome(t);
  const first = lanekeeper(home, ['start', '--twin']);
  await first.firstLine;
  const second = await lanekeeper(home, ['start', '--twin']).ended;
  assert.equal(second.code, 1);
  assert.match(second.stderr, /a proxy is already running for .*lanekeeper drain/);
  first.child.kill('SIGTERM');
  await first.ended;
});

test('a port in use is refused with 1, and the port is named', async (t) => {
  const home = temporaryHome(t);
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => void other.close());
  const { port } = other.address() as net.AddressInfo;
  const { code, stdout, stderr } = await lanekeeper(home, ['start', '--port', String(port)]).ended;
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use`));
  // A proxy for one command takes another port instead.
  const show = ['run', '--', process.execPath, '-p', 'process.env.HTTPS_PROXY'];
  const run = await lanekeeper(home, show, { MITM_PORT: String(port) }).ended;
  assert.equal(run.code, 0, run.stderr);
  assert.notEqual(new URL(run.stdout.trim()).port, String(port));
});

test('run starts a proxy and leaves none behind', async (t) => {
  const home = temporaryHome(t);
  const { code, stdout, stderr } = await lanekeeper(home, [
    'run',
    '--',
    LAUNCHER,
    'status',
    '--json',
  ]).ended;
  assert.equal(code, 0, stderr);
  const status = JSON.parse(stdout) as { leases: number; pid: number };
  assert.equal(status.leases, 1);
  assert.equal(await waitUntilGone(home, GONE_MS_MAX), true);
});

test('commands at the same time share one proxy, which ends with the last of them', async (t) => {
  const home = temporaryHome(t);
  const hold = 'console.log(process.pid, process.env.HTTPS_PROXY); setInterval(() => {}, 1e6)';
  const runs = [1, 2, 3].map(() => lanekeeper(home, ['run', '--', process.execPath, '-e', hold]));
  const lines = await Promise.all(runs.map((run) => run.firstLine));
  const commands = lines.map((line) => line.split(' '));
  assert.equal(new Set(commands.map(([, proxy]) => proxy)).size, 1, lines.join('\n'));
  assert.equal((await readStatus(home)).leases, 3);
  // A killed run gives its lease back as well; only its command is then left to end by itself.
  runs[0]?.child.kill('SIGKILL');
  process.kill(Number(commands[0]?.[0]), 'SIGKILL');
  for (const run of runs.slice(1)) run.child.kill('SIGTERM');
  for (const run of runs.slice(1)) assert.equal((await run.ended).code, 128 + 15);
  assert.equal(await waitUntilGone(home, GONE_MS_MAX), true);
});

test('run uses a proxy that runs already, and leaves it running', async (t) => {
  const home = temporaryHome(t);
  const started = lanekeeper(home, ['start', '--twin']);
  const url = (await started.firstLine).split(' ').at(-1);
  const show = ['run', '--', process.execPath, '-p', 'process.env.HTTPS_PROXY'];
  const { code, stdout, stderr } = await lanekeeper(home, show).ended;
  assert.equal(code, 0);
  assert.equal(stdout.trim(), url);
  assert.match(stderr, /answers from the twin/);
  assert.equal(await isRunning(home), true);
  const release = await holdLease(home);
  release();
  started.child.kill('SIGTERM');
  await started.ended;
});

test('run --twin does not take a proxy of the real upstreams', async (t) => {
  const home = temporaryHome(t);
  const started = lanekeeper(home, ['start']);
  await started.firstLine;
  const { code, stderr } = await lanekeeper(home, ['run', '--twin', '--', 'true']).ended;
  assert.equal(code, 1);
  assert.match(stderr, /uses the real upstreams/);
  started.child.kill('SIGTERM');
  await started.ended;
});

test('doctor proves the trust end to end with the running proxy and without one', async (t) => {
  const home = temporaryHome(t);
  const trust = (stdout: string) => {
    const { findings } = JSON.parse(stdout) as { findings: { check: string; level: string }[] };
    return findings.find((finding) => finding.check === 'trust')?.level;
  };
  const alone = await lanekeeper(home, ['doctor', '--json']).ended;
  assert.equal(trust(alone.stdout), 'ok', alone.stdout);
  const started = lanekeeper(home, ['start', '--twin']);
  await started.firstLine;
  const beside = await lanekeeper(home, ['doctor', '--json']).ended;
  assert.equal(trust(beside.stdout), 'ok', beside.stdout);
  assert.equal(beside.code, 0, beside.stdout);
  started.child.kill('SIGTERM');
  await started.ended;
});

test('demo proves routing, streams and isolation in a home of its own', async (t) => {
  const home = temporaryHome(t);
  const { code, stdout, stderr } = await lanekeeper(home, ['demo', '--json', '--home', home]).ended;
  assert.equal(code, 0, `${stderr}${stdout}`);
  const result = JSON.parse(stdout) as { ok: boolean; requests: unknown[]; faults: unknown[] };
  assert.equal(result.ok, true);
  assert.equal(result.requests.length, 10);
});

test('twin prints where it listens, and Ctrl-C ends it', async (t) => {
  const home = temporaryHome(t);
  const started = lanekeeper(home, ['twin']);
  assert.match(await started.firstLine, /^twin anthropic https:\/\/127\.0\.0\.1:\d+$/);
  started.child.kill('SIGINT');
  assert.equal((await started.ended).code, 130);
});
