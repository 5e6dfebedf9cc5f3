/**
 * A machine that sleeps, and one that comes to another network: what rested died meanwhile without a word,
 * and the next request is served at once all the same, on a connection that lives.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { readStatus } from '../../src/admin/client.ts';
import { WAKE_BEAT_MS, WAKE_LATE_MS_MAX } from '../../src/core/limits.ts';
import { exchange, linesOf, wholeExchanges } from '../support/surroundings.ts';
import { startVanishing } from '../support/vanishing-upstream.ts';

/** `SLEEP_MS=60000` stops it for a minute. */
const SLEEP_MS = Number(process.env['SLEEP_MS'] ?? WAKE_BEAT_MS + WAKE_LATE_MS_MAX + 500);

test('stopped and continued: no request goes where nobody is any more', async (t) => {
  const { proxy, vanish, connections, swallowed } = await startVanishing(t);
  await wholeExchanges(proxy, 2);
  const before = connections();
  const workers = (await readStatus(proxy.home)).workers.map(({ pid }) => pid);
  const processes = [proxy.child.pid ?? 0, ...workers];
  for (const pid of processes) process.kill(pid, 'SIGSTOP');
  vanish();
  // It comes in the sleep, and is the first that is heard of after it.
  const early = exchange(proxy);
  await wait(SLEEP_MS);
  for (const pid of processes) process.kill(pid, 'SIGCONT');
  const seen = await early;
  assert.deepEqual([seen.status, seen.whole], [200, true]);
  await wholeExchanges(proxy, 1);
  assert(connections() > before);
  assert.equal(swallowed(), 0);
  const records = await proxy.records(4);
  assert(
    records.every(({ status, attempts, intact }) => status === 200 && attempts === 1 && intact),
  );
  assert.deepEqual(linesOf(path.join(proxy.home, 'logs', 'anomalies.jsonl')).whole, []);
});

test('another network: the same', { skip: withoutNetworks() }, () => {
  const scene = path.join(import.meta.dirname, '..', 'support', 'network-scene.ts');
  const { status, stdout, stderr } = run('ip link set lo up && exec "$0" "$1"', scene);
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), {
    before: [200, 200],
    sameNetwork: 1,
    after: [200, true],
    connections: 2,
    swallowed: 0,
  });
});

/** Runs this in a network of its own, where nothing is but what it makes. */
function run(script: string, scene: string) {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const all = [...user, '--net', 'sh', '-c', script, process.execPath, scene];
  return spawnSync('unshare', all, { encoding: 'utf8' });
}

/** Why there can be no networks of our own here, or false: for `skip`. */
function withoutNetworks(): string | false {
  const made = 'ip link set lo up && ip link add va type veth peer name vb';
  return run(made, '').status === 0 ? false : 'this machine lets us make no network';
}
