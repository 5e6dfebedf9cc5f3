/**
 * Out of file descriptors: nobody dies, streams go on, clients wait or are told, it is said once, and all
 * is well as soon as descriptors come back.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { readStatus } from '../../src/admin/client.ts';
import type { Cleanup } from '../support/home.ts';
import { type ProxyProcess, startProxyProcess } from '../support/proxy-process.ts';
import { type RawConnection, rawConnect } from '../support/raw-client.ts';
import {
  exchange,
  hear,
  launcherThat,
  linesOf,
  until,
  wholeExchanges,
} from '../support/surroundings.ts';

/** More than any process here ever holds. */
const PLENTY = 4_096;
const TICKS_PER_S = 100;

const skip =
  spawnSync('prlimit', ['--version']).status === 0 ? false : 'there is no prlimit to limit with';

async function workerOf(proxy: ProxyProcess): Promise<number> {
  const [worker] = (await readStatus(proxy.home)).workers;
  assert(worker !== undefined);
  return worker.pid;
}

function limit(pid: number, files: number): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', `${pid}`, `--nofile=${files}:`]);
  assert.equal(status, 0, stderr.toString());
}

/** The number that the next file would get, once the process opens and closes none by itself any more. */
async function nextFile(pid: number): Promise<number> {
  let found = -1;
  for (let same = 0; same < 6; ) {
    const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
    let next = 0;
    while (used.has(next)) next += 1;
    same = next === found ? same + 1 : 0;
    found = next;
    await wait(40);
  }
  return found;
}

/** Seconds of CPU that a process has used. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** A stream that takes a while. */
async function openStream(proxy: ProxyProcess): Promise<RawConnection> {
  const connection = await rawConnect({ to: { host: '127.0.0.1', port: proxy.port } });
  const body = JSON.stringify({
    model: 'claude-sonnet-5-5',
    max_tokens: 99,
    stream: true,
    messages: [{ role: 'user', content: '[twin: events 60] [twin: gap 80]' }],
  });
  const fields = `Host: 127.0.0.1\r\nx-api-key: fake\r\nContent-Length: ${body.length}`;
  await connection.send(
    `POST /v1/messages HTTP/1.1\r\n${fields}\r\nConnection: close\r\n\r\n${body}`,
  );
  await connection.reader.through('message_start');
  return connection;
}

async function start(t: Cleanup) {
  const proxy = await startProxyProcess(t, { twinApart: true });
  return {
    proxy,
    said: hear(proxy),
    worker: await workerOf(proxy),
    anomalies: () => linesOf(path.join(proxy.home, 'logs', 'anomalies.jsonl')).whole,
  };
}

describe('out of file descriptors', { skip }, () => {
  test('a worker: its stream goes on, who comes waits and is served when there are some again', async (t) => {
    const { proxy, said, worker, anomalies } = await start(t);
    const stream = await openStream(proxy);
    limit(worker, await nextFile(worker));
    const waiting = Array.from({ length: 5 }, () => exchange(proxy));
    const cpuBefore = cpuOf(worker);
    await until('it is said', () => said().includes('has no file descriptor free'));
    await wait(1_000);
    assert(cpuOf(worker) - cpuBefore < 1, 'nothing turns in circles');
    limit(worker, PLENTY);
    const rest = await stream.reader.rest();
    assert(rest.includes('message_stop') && rest.subarray(-5).equals(Buffer.from('0\r\n\r\n')));
    for (const seen of await Promise.all(waiting)) {
      assert.deepEqual([seen.status, seen.whole], [200, true]);
    }
    assert.equal((await proxy.records(6)).length, 6);
    assert.equal(said().split('has no file descriptor free').length - 1, 1, 'said once');
    await until('it is on record', () => anomalies().length > 0);
    assert.deepEqual(
      anomalies().map(({ code }) => code),
      ['out_of_descriptors'],
    );
    assert.equal(await workerOf(proxy), worker, 'it lives');
  });

  test('a worker that has one for the client and none for the upstream says so to the client', async (t) => {
    const { proxy, worker, anomalies } = await start(t);
    limit(worker, (await nextFile(worker)) + 1);
    const seen = await exchange(proxy);
    assert.equal(seen.status, 503);
    assert.equal(seen.fields.get('x-lanekeeper-error'), 'upstream_no_descriptor');
    assert.match(seen.body.toString(), /ulimit -n/);
    limit(worker, PLENTY);
    await wholeExchanges(proxy, 1);
    const records = await proxy.records(2);
    assert.deepEqual(
      records.map(({ status, err_type, intact }) => [status, err_type, intact]),
      [
        [503, 'net', false],
        [200, null, true],
      ],
    );
    await until('it is on record', () => anomalies().length > 0);
    assert.equal(anomalies()[0]?.['code'], 'no_descriptor');
  });

  test('the listener: clients are turned away at once, and let in when there are some again', async (t) => {
    const { proxy } = await start(t);
    const stream = await openStream(proxy);
    const listener = proxy.child.pid ?? 0;
    limit(listener, await nextFile(listener));
    const cpuBefore = cpuOf(listener);
    for (let i = 0; i < 5; i += 1) {
      const seen = await exchange(proxy).catch(() => null);
      assert.equal(seen?.status ?? null, null, 'closed without a word');
    }
    await wait(1_000);
    assert(cpuOf(listener) - cpuBefore < 1, 'nothing turns in circles');
    assert((await stream.reader.rest()).includes('message_stop'));
    limit(listener, PLENTY);
    await wholeExchanges(proxy, 2);
    assert.equal((await proxy.records(3)).length, 3);
  });

  test('a low limit from the start: more clients than fit are told so', async (t) => {
    const launcher = await launcherThat(t, 'ulimit -n 70\nexec "$LAUNCHER" "$@"');
    const proxy = await startProxyProcess(t, { launcher, twinApart: true });
    // (70 - 64) / 2, as `open-files.ts` has it.
    const to = { host: '127.0.0.1', port: proxy.port };
    const held = await Promise.all([1, 2, 3].map(() => rawConnect({ to })));
    await until('they are here', async () => (await readStatus(proxy.home)).connections === 3);
    const seen = await exchange(proxy);
    assert.equal(seen.status, 503);
    assert.equal(seen.fields.get('x-lanekeeper-error'), 'too_many_connections');
    for (const connection of held) connection.destroy();
    await until('there is room', async () => (await readStatus(proxy.home)).connections === 0);
    await wholeExchanges(proxy, 1);
  });
});
