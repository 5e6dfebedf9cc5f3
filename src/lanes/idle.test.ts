/**
 * Connections that rested: what their end teaches, and that none is used which the upstream has closed.
 */
import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { POOL_IDLE_MS_MIN } from '../core/limits.ts';
import { type MintedServer, mintServer } from '../pki/authority.ts';
import type { Lane } from './lane.ts';
import { scriptH2 } from './scripted-h2.ts';
import {
  answering,
  laneTo,
  OK,
  type Peer,
  record,
  requestOf,
  type Scripted,
  scriptUpstream,
  settled,
  upstreamAt,
} from './scripted-upstream.ts';

let keys: MintedServer;
before(async () => {
  keys = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
});

/** Lets time pass for whoever asks for it; timers do not hear of it. */
function timeMachine(t: TestContext): (ms: number) => void {
  const real = performance.now.bind(performance);
  let ahead = 0;
  t.mock.method(performance, 'now', () => real() + ahead);
  return (ms) => {
    ahead += ms;
  };
}

function ask(lane: Lane, target = '/') {
  const events = record();
  const outbound = lane.open(lane.prepare(requestOf({ target })), events);
  return { ...events, outbound };
}

async function rig(t: TestContext): Promise<{ upstream: Scripted; lane: Lane }> {
  const upstream = await scriptUpstream({}, answering);
  const lane = laneTo(upstreamAt(upstream.port));
  t.after(async () => {
    lane.close();
    await upstream.close();
  });
  return { upstream, lane };
}

/** So many idle connections. */
async function idle(upstream: Scripted, lane: Lane, count: number): Promise<void> {
  const held = Array.from({ length: count }, () => ask(lane, '/hold'));
  for (let i = 0; i < count; i += 1) {
    const peer = await upstream.peer(i);
    await peer.until((text) => text.includes('/hold'));
    peer.socket.write(OK);
  }
  for (const { end } of held) await end;
  while (lane.stats().idle < count) await settled();
}

const ENDS: readonly (readonly [string, (peer: Peer | undefined) => void])[] = [
  ['FIN', (peer) => void peer?.socket.end()],
  ['RST', (peer) => void peer?.socket.resetAndDestroy()],
];

for (const [name, end] of ENDS) {
  test(`${name} that the pool has not heard of yet is heard before a rested connection is used`, async (t) => {
    const pass = timeMachine(t);
    const { upstream, lane } = await rig(t);
    await idle(upstream, lane, 1);
    pass(POOL_IDLE_MS_MIN);
    end(upstream.peers[0]);
    const { end: ended, log } = ask(lane, '/new');
    await ended;
    assert.deepEqual(log, ['head 200', 'end']);
    assert.deepEqual(
      upstream.peers.map((peer) => peer.received().includes('/new')),
      [false, true],
    );
  });

  test(`${name} of an idle connection: from then on none rests for more than half of that time`, async (t) => {
    const pass = timeMachine(t);
    const { upstream, lane } = await rig(t);
    await idle(upstream, lane, 2);
    pass(8_000);
    end(upstream.peers[0]);
    await upstream.peers[1]?.gone;
    assert.deepEqual(lane.stats(), { idle: 0, busy: 0 }, 'its sibling had rested too long as well');
    await ask(lane).end;
    await settled();
    pass(3_500);
    await ask(lane).end;
    await settled();
    assert.equal(upstream.peers.length, 3, 'used again within that time');
    pass(4_500);
    await ask(lane).end;
    assert.equal(upstream.peers.length, 4, 'and not beyond');
  });
}

test('a connection that the pool itself lets go teaches nothing', async (t) => {
  const pass = timeMachine(t);
  const { upstream, lane } = await rig(t);
  await idle(upstream, lane, 1);
  pass(100_000);
  await ask(lane).end;
  await settled();
  assert.equal(upstream.peers.length, 2);
  pass(80_000);
  await ask(lane).end;
  assert.equal(upstream.peers.length, 2);
});

test('a rested connection that breaks under its request says that it raced; a busy one does not', async (t) => {
  const pass = timeMachine(t);
  for (const [restedMs, raced] of [
    [POOL_IDLE_MS_MIN, true],
    [10, false],
  ] as const) {
    const { upstream, lane } = await rig(t);
    await idle(upstream, lane, 1);
    pass(restedMs);
    upstream.peers[0]?.socket.on('data', () => upstream.peers[0]?.socket.resetAndDestroy());
    const failure = await ask(lane, '/hold').fail;
    assert.deepEqual([failure.code, failure.phase, failure.raced], ['reset', 'head', raced]);
  }
});

test('a request that is given up before its rested connection was looked at leaves that in peace', async (t) => {
  const pass = timeMachine(t);
  const { upstream, lane } = await rig(t);
  await idle(upstream, lane, 1);
  pass(POOL_IDLE_MS_MIN);
  ask(lane, '/given-up').outbound.abort();
  await settled();
  assert.deepEqual(lane.stats(), { idle: 1, busy: 0 });
  await ask(lane).end;
  assert.equal(upstream.peers.length, 1);
  assert(!upstream.peers[0]?.received().includes('/given-up'));
});

test('HTTP/2: a rested session that goes away teaches the same', async (t) => {
  const pass = timeMachine(t);
  const h2 = await scriptH2(keys, (stream) =>
    stream.respond({ ':status': 200 }, { endStream: true }),
  );
  t.after(h2.close);
  await ask(h2.lane).end;
  await settled();
  pass(8_000);
  h2.sessions[0]?.close();
  while (h2.lane.stats().idle > 0) await settled();
  await ask(h2.lane).end;
  await settled();
  pass(3_500);
  await ask(h2.lane).end;
  await settled();
  assert.equal(h2.sessions.length, 2);
  pass(4_500);
  await ask(h2.lane).end;
  assert.equal(h2.sessions.length, 3);
});

test('HTTP/2: a lost session may have raced, a stream that was reset alone was read by somebody', async (t) => {
  const pass = timeMachine(t);
  for (const [name, raced] of [
    ['session', true],
    ['stream', false],
  ] as const) {
    const h2 = await scriptH2(keys, (stream, headers) => {
      if (headers[':path'] === '/') stream.respond({ ':status': 200 }, { endStream: true });
      else if (name === 'stream') stream.close(2);
      else h2.sockets[0]?.resetAndDestroy();
    });
    t.after(h2.close);
    await ask(h2.lane).end;
    await settled();
    pass(POOL_IDLE_MS_MIN);
    const failure = await ask(h2.lane, '/break').fail;
    assert.deepEqual([failure.code, failure.raced], ['reset', raced], name);
  }
});
