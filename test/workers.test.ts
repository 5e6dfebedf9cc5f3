/**
 * The proxy of several processes: what is told to it holds in all of them, what is asked of it is told of
 * all, and a worker that dies, or is replaced, takes nothing with it but what it had under way.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { callControl, isRunning, readStatus } from '../src/admin/client.ts';
import type { ServedStatus } from '../src/admin/types.ts';
import type { AnomalyRecord } from '../src/ledger/record.ts';
import { TWIN_ZAI_KEY } from '../src/twin/index.ts';
import { runCommand, startCommand } from './support/command.ts';
import { type Cleanup, tempHome } from './support/home.ts';
import { type ProxyProcess, readRecords, startProxyProcess } from './support/proxy-process.ts';
import { type RawConnection, rawConnect } from './support/raw-client.ts';
import { readAll } from './support/raw-exchange.ts';

const ROOT = path.join(import.meta.dirname, '..');
const HAIKU = 'claude-haiku-5-5';
const ENV = { ZAI_API_KEY: TWIN_ZAI_KEY };

async function send(port: number, prompt: string): Promise<RawConnection> {
  const connection = await rawConnect({ to: { host: '127.0.0.1', port } });
  const messages = [{ role: 'user', content: prompt }];
  const body = JSON.stringify({ model: HAIKU, max_tokens: 99, stream: true, messages });
  const head = [
    'POST /v1/messages HTTP/1.1',
    'Host: 127.0.0.1',
    'x-api-key: sk-ant-api03-fake-workers',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  await connection.send(`${head.join('\r\n')}\r\n\r\n${body}`);
  return connection;
}

async function isWhole(connection: RawConnection, begun?: Buffer): Promise<boolean> {
  const rest = await connection.reader.rest();
  const ending = await connection.reader.ending;
  return readAll(Buffer.concat([begun ?? Buffer.alloc(0), rest]), ending, 'POST').whole;
}

/** One exchange after the other, each on a connection of its own: they go to the workers in turn. */
async function exchanges({ port }: { port: number }, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) assert(await isWhole(await send(port, 'hello')));
}

const twoWorkers = (t: Cleanup): Promise<ProxyProcess> =>
  startProxyProcess(t, { env: ENV, args: ['--workers', '2'] });

/** The status, once it is as it should be. */
async function statusWhen(
  home: string,
  isSo: (status: ServedStatus) => boolean,
): Promise<ServedStatus> {
  for (;;) {
    const status = await readStatus(home);
    if (isSo(status)) return status;
    await wait(10);
  }
}

function anomalies(home: string): AnomalyRecord[] {
  const text = readFileSync(path.join(home, 'logs', 'anomalies.jsonl'), 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AnomalyRecord);
}

describe('two workers', () => {
  test('serve in turn, are told and counted as one proxy', async (t) => {
    const proxy = await twoWorkers(t);
    await exchanges(proxy, 4);
    const status = await readStatus(proxy.home);
    assert.equal(status.workers.length, 2);
    assert.equal(status.pid, proxy.child.pid);
    assert(status.workers.every(({ pid }) => pid !== proxy.child.pid));
    assert.equal(status.exchanges.total, 4);
    assert.equal(status.lanes[0]?.exchanges, 4);
    const parts = status.workers.reduce((sum, worker) => sum + worker.rss_bytes, 0);
    assert(status.memory.rss_bytes > parts, 'and the supervisor is counted too');
    const text = (await callControl(proxy.home, 'GET', '/metrics')) as string;
    assert.match(text, /^lanekeeper_exchanges_total\{lane="anthropic",.*\} 4$/m);
    assert.match(text, /^lanekeeper_workers 2$/m);
    const ledger = await readRecords(proxy.home, 4);
    assert.equal(new Set(ledger.map(({ rid }) => rid)).size, 4);
  });

  test('every switch holds in both, and in those that take their place', async (t) => {
    const proxy = await twoWorkers(t);
    const decisions = async (count: number): Promise<string[]> => {
      await exchanges(proxy, 4);
      return (await readRecords(proxy.home, count)).slice(-4).map(({ decision }) => decision);
    };
    await callControl(proxy.home, 'POST', '/force', { on: true });
    assert.deepEqual(await decisions(4), Array(4).fill('forced_model'));
    const { workers } = await readStatus(proxy.home);
    process.kill(workers[0]?.pid ?? 0, 'SIGKILL');
    await statusWhen(proxy.home, (status) => status.workers_lost === 1 && isFull(status));
    assert.deepEqual(await decisions(8), Array(4).fill('forced_model'));
    await callControl(proxy.home, 'POST', '/pause');
    await callControl(proxy.home, 'POST', '/restart');
    assert.deepEqual(await decisions(12), Array(4).fill('paused'));
    await callControl(proxy.home, 'POST', '/resume');
    assert.deepEqual(await decisions(16), Array(4).fill('forced_model'));
    // What ended workers had counted is not forgotten.
    assert.equal((await readStatus(proxy.home)).exchanges.total, 16);
    assert.deepEqual(
      anomalies(proxy.home).map(({ kind, code }) => [kind, code]),
      [['internal', 'worker_lost']],
    );
  });

  test('a refused switch is thrown in neither', async (t) => {
    const proxy = await startProxyProcess(t, { args: ['--workers', '2'] });
    await assert.rejects(callControl(proxy.home, 'POST', '/tee', { on: true }), {
      code: 'tee_disabled',
    });
    assert.equal((await readStatus(proxy.home)).tee, false);
  });

  test('reload --restart: streams finish where they are, new ones are served by new processes', async (t) => {
    const proxy = await twoWorkers(t);
    const before = (await readStatus(proxy.home)).workers.map(({ pid }) => pid);
    const open = await send(proxy.port, '[twin: events 40] [twin: gap 50]');
    const begun = await open.reader.through('message_start');
    const { code, stdout } = await runCommand(['reload', '--restart'], { home: proxy.home });
    assert.equal(code, 0);
    assert.match(stdout, /^restarted: processes \d+, \d+; open exchanges finish in the old ones$/m);
    await exchanges(proxy, 2);
    const during = await readStatus(proxy.home);
    assert(during.workers.some(({ pid, draining }) => before.includes(pid) && draining));
    assert.equal(await isWhole(open, begun), true);
    const after = await statusWhen(proxy.home, isFull);
    assert(after.workers.every(({ pid }) => !before.includes(pid)));
    assert.equal(after.workers_lost, 0);
    assert.equal(after.exchanges.total, 3);
  });

  test('a worker that is told by itself to end finishes its stream, and is replaced', async (t) => {
    const proxy = await startProxyProcess(t, { env: ENV });
    const open = await send(proxy.port, '[twin: events 20] [twin: gap 50]');
    const begun = await open.reader.through('message_start');
    const [worker] = (await readStatus(proxy.home)).workers;
    process.kill(worker?.pid ?? 0, 'SIGTERM');
    await exchanges(proxy, 1);
    assert.equal(await isWhole(open, begun), true);
    const status = await statusWhen(proxy.home, ({ workers }) => workers.length === 1);
    assert.notEqual(status.workers[0]?.pid, worker?.pid);
    assert.equal(status.workers_lost, 0);
  });
});

function isFull({ workers }: ServedStatus): boolean {
  return workers.length === 2 && workers.every(({ draining }) => !draining);
}

describe('the death of the supervisor', () => {
  test('streams run to their end in the workers, which then end; the port is free at once', async (t) => {
    const proxy = await startProxyProcess(t, { env: ENV, twinApart: true });
    const open = await send(proxy.port, '[twin: events 40] [twin: gap 50]');
    const begun = await open.reader.through('message_start');
    const exit = once(proxy.child, 'exit');
    const close = once(proxy.child, 'close');
    proxy.child.kill('SIGKILL');
    await exit;
    assert.equal(await isRunning(proxy.home), false);
    const next = startCommand(['start', '--port', String(proxy.port)], {
      home: proxy.home,
      env: ENV,
    });
    t.after(() => void next.child.kill('SIGTERM'));
    await next.printed('listening');
    await exchanges(proxy, 1);
    assert.equal(await isWhole(open, begun), true);
    // Its streams are held by the workers too: they have ended.
    await close;
    const records = await readRecords(proxy.home, 2);
    assert.deepEqual(
      records.map(({ sse, intact }) => [sse, intact]),
      [
        ['complete', true],
        ['complete', true],
      ],
    );
    next.child.kill('SIGTERM');
    assert.equal((await next.done).code, 0);
  });
});

test('SIGHUP: a program whose files have changed is run anew, without losing a stream', async (t) => {
  const copy = await tempHome(t);
  for (const name of ['src', 'bin', 'package.json']) {
    cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'));
  const proxy = await startProxyProcess(t, {
    env: ENV,
    launcher: path.join(copy, 'bin', 'lanekeeper'),
  });
  const open = await send(proxy.port, '[twin: events 40] [twin: gap 50]');
  const begun = await open.reader.through('message_start');
  proxy.child.kill('SIGHUP');
  await said(proxy, 'reloaded: nothing changed');
  const manifest = path.join(copy, 'package.json');
  const text = readFileSync(manifest, 'utf8');
  const version = '0.1.0-changed';
  writeFileSync(manifest, text.replace(/"version": "[^"]*"/, `"version": "${version}"`));
  proxy.child.kill('SIGHUP');
  await said(proxy, 'the program has changed: restarted, 1 new process serves');
  assert.equal((await readStatus(proxy.home)).version, version);
  await exchanges(proxy, 1);
  assert.equal(await isWhole(open, begun), true);
  proxy.child.kill('SIGHUP');
  await said(proxy, 'reloaded: nothing changed');
});

/** Waits for a text in what a proxy says from now on. */
async function said(proxy: ProxyProcess, text: string): Promise<void> {
  let heard = '';
  const { stderr } = proxy.child;
  assert(stderr !== null);
  while (!heard.includes(text)) heard += String((await once(stderr, 'data'))[0]);
}

describe('a worker that can not start', () => {
  test('fails the start with the words and the exit status of one process', async (t) => {
    const home = await tempHome(t);
    const { code, stdout, stderr } = await runCommand(['start', '--workers', '2', '--port', '0'], {
      home,
      env: { FORCE_HAIKU_TO_ZAI: '1' },
    });
    assert.deepEqual([code, stdout], [78, '']);
    assert.match(stderr, /ZAI_API_KEY/);
    assert.equal(await isRunning(home), false);
  });
});
