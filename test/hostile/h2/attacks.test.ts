/**
 * Attacks on the resources of the proxy, one after the other on one proxy process: each ends as the catalogue
 * says, other clients are served meanwhile, and what it took (streams, connections, memory) comes back.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStatus } from '../../../src/admin/client.ts';
import { startProxyProcess } from '../../support/proxy-process.ts';
import { type Case, oursOf, play, reachesOf } from './case.ts';
import { ATTACKS } from './cases-attacks.ts';
import { data, openHeaders } from './frames.ts';
import { honest } from './house.ts';
import { block, type Line } from './hpack.ts';
import { openOrigin } from './origin.ts';
import { connectPeer, type Door, type RawPeer } from './peer.ts';

const WAIT_MS = 30_000;
const POLL_MS = 20;
/** A process of its own begins below 110 MB; the bombs alone would be 5 GB. */
const RSS_BYTES_MAX = 512 * 1024 * 1024;
/** Exchanges that one attacking connection may begin: the streams of a session, twice where it resets fast. */
const BEGUN_MAX = 1200;
/** Half-open requests: so many connections with so many streams each. */
const CONNECTIONS = 20;
const STREAMS = 100;

/** A connection with all the streams that it may have, each waiting for the body of a routed request. */
async function halfOpen(door: Door): Promise<RawPeer> {
  const peer = await connectPeer(door);
  await peer.handshake();
  const lines: Line[] = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/v1/messages'],
    [':authority', `${door.host}:${door.port}`],
    ['content-length', '1000'],
  ];
  for (let i = 0; i < STREAMS; i += 1) {
    peer.send(openHeaders(2 * i + 1, block(lines)), data(2 * i + 1, '{"model":', 0));
  }
  assert.equal(await peer.outcome('alive'), 'alive');
  return peer;
}

/** The same, where it does not matter which of the wrongs of a flood was seen first. */
function isLike(seen: string, expected: string): boolean {
  if (!expected.startsWith('GOAWAY')) return seen === expected;
  return seen === 'closed' || (seen.startsWith('GOAWAY') && seen !== 'GOAWAY NO_ERROR');
}

/** Honest requests, one after the other, while `work` goes on, and at least one. */
async function beside(
  port: number,
  work: Promise<string>,
): Promise<{ seen: string; asked: number }> {
  let isOver = false;
  const watched = work.finally(() => {
    isOver = true;
  });
  watched.catch(() => {});
  let asked = 0;
  do {
    assert.equal(await honest(port), 200);
    asked += 1;
  } while (!isOver);
  return { seen: await watched, asked };
}

test(`${ATTACKS.length} attacks: bounded, borne, and nobody else waits`, async (t) => {
  const origin = await openOrigin(t);
  const at = `https://127.0.0.1:${origin.port}`;
  const proxy = await startProxyProcess(t, {
    twin: { anthropic: { origin: at, ca: origin.ca }, zai: { origin: at, basePath: '' } },
    args: ['--workers', '1'],
  });
  const door: Door = { host: '127.0.0.1', port: proxy.port, waitMs: WAIT_MS };

  /** The status once nothing is open any more. */
  const quiet = async () => {
    const until = Date.now() + WAIT_MS;
    for (;;) {
      const status = await readStatus(proxy.home);
      if (status.exchanges.open === 0 && status.connections === 0) return status;
      assert(Date.now() < until, `${status.exchanges.open} exchanges are still open`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };

  let rss = 0;
  const attack = async (one: Case): Promise<void> => {
    const before = await quiet();
    const { seen, asked } = await beside(proxy.port, play(one, door));
    assert(isLike(seen, oursOf(one)), `${one.id}: ${seen} in place of ${oursOf(one)}`);
    const after = await quiet();
    const begun = after.exchanges.total - before.exchanges.total - asked;
    assert(begun <= BEGUN_MAX, `${one.id} began ${begun} exchanges`);
    const came = origin.requests.filter((line) => line.endsWith(`/case/${one.id}`)).length;
    assert(came <= reachesOf(one), `${one.id}: ${came} requests came`);
    for (const worker of after.workers) rss = Math.max(rss, worker.rss_bytes);
    assert.equal(after.workers_lost, 0);
  };
  for (const one of ATTACKS) await attack(one);

  const peers = await Promise.all(Array.from({ length: CONNECTIONS }, () => halfOpen(door)));
  for (let i = 0; i < 20; i += 1) assert.equal(await honest(proxy.port), 200);
  const held = await readStatus(proxy.home);
  assert.equal(held.exchanges.open, CONNECTIONS * STREAMS);
  for (const worker of held.workers) rss = Math.max(rss, worker.rss_bytes);
  for (const peer of peers) peer.destroy();

  const { total } = (await quiet()).exchanges;
  assert.equal((await proxy.records(total)).length, total, 'one record for each exchange');
  assert(rss < RSS_BYTES_MAX, `${Math.round(rss / 1e6)} MB`);
  t.diagnostic(`${total} exchanges, at most ${Math.round(rss / 1e6)} MB`);
});
