import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Field } from '../core/message.ts';
import {
  answering,
  laneTo,
  OK,
  type Peer,
  record,
  requestOf,
  scriptUpstream,
  settled,
  upstreamAt,
} from './scripted-upstream.ts';

const withKey = (key: string): Field[] => [
  ['Host', 'x'],
  ['x-api-key', key],
];

async function rig(script: (peer: Peer) => void = answering, limits = {}) {
  const upstream = await scriptUpstream({}, script);
  const lane = laneTo(upstreamAt(upstream.port), { limits });
  return {
    upstream,
    lane,
    open(target = '/', fields = withKey('canary-key-one')) {
      const events = record();
      const outbound = lane.open(lane.prepare(requestOf({ target, fields })), events);
      return { ...events, outbound };
    },
  };
}

test('one connection serves exchange after exchange', async () => {
  const { lane, upstream, ...r } = await rig();
  for (let i = 0; i < 5; i += 1) {
    await r.open('/').end;
    await settled();
  }
  assert.equal(upstream.peers.length, 1);
  assert.deepEqual(lane.stats(), { idle: 1, busy: 0 });
  lane.close();
  await upstream.close();
});

test('two credentials never share a connection', async () => {
  const { lane, upstream, ...r } = await rig();
  for (let i = 0; i < 3; i += 1) {
    for (const key of ['canary-key-one', 'canary-key-two']) {
      const events = r.open('/', withKey(key));
      await events.end;
      await settled();
    }
  }
  assert.equal(upstream.peers.length, 2);
  for (const peer of upstream.peers) {
    const text = peer.received();
    assert.ok(text.includes('canary-key-one') !== text.includes('canary-key-two'));
  }
  lane.close();
  await upstream.close();
});

test('the connection used last is used first', async () => {
  const { lane, upstream, ...r } = await rig();
  const held = [r.open('/hold'), r.open('/hold')];
  const peers = [await upstream.peer(0), await upstream.peer(1)];
  for (const peer of peers) await peer.until((text) => text.includes('\r\n\r\n'));
  peers[1]?.socket.write(OK);
  peers[0]?.socket.write(OK);
  for (const events of held) await events.end;
  await settled();
  assert.deepEqual(lane.stats(), { idle: 2, busy: 0 });
  const before = peers.map((peer) => peer.received().length);
  await r.open('/').end;
  await r.open('/').end;
  const grown = peers.map((peer, i) => peer.received().length > (before[i] ?? 0));
  assert.equal(grown.filter(Boolean).length, 1);
  lane.close();
  await upstream.close();
});

test('an idle connection that ends or speaks is dropped and never used', async () => {
  for (const spoil of [
    (peer: Peer) => peer.socket.end(),
    (peer: Peer) => peer.socket.resetAndDestroy(),
    (peer: Peer) => peer.socket.write('HTTP/1.1 408 Request Timeout\r\n\r\n'),
  ]) {
    const { lane, upstream, ...r } = await rig();
    await r.open('/').end;
    await settled();
    const peer = await upstream.peer(0);
    spoil(peer);
    await peer.gone;
    while (lane.stats().idle > 0) await settled();
    await r.open('/').end;
    assert.equal(upstream.peers.length, 2);
    lane.close();
    await upstream.close();
  }
});

test('bytes behind an answer do not hurt it, but its connection', async () => {
  const { lane, upstream, ...r } = await rig((peer) => {
    peer.socket.on('data', () => peer.socket.write(`${OK}HTTP/1.1 200 OK\r\n\r\n`));
  });
  const events = r.open('/');
  await events.end;
  await settled();
  assert.deepEqual(events.log, ['head 200', 'end']);
  assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
  lane.close();
  await upstream.close();
});

test('a connection that must close is not kept', async () => {
  for (const answer of [
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  ]) {
    const { lane, upstream, ...r } = await rig((peer) => {
      peer.socket.on('data', () => peer.socket.write(answer));
    });
    await r.open('/').end;
    await settled();
    assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
    lane.close();
    await upstream.close();
  }
});

test('the idle siblings of a reused connection that is reset are not trusted', async () => {
  const { lane, upstream, ...r } = await rig();
  const held = [r.open('/hold'), r.open('/hold')];
  for (const i of [0, 1]) {
    const peer = await upstream.peer(i);
    await peer.until((text) => text.includes('\r\n\r\n'));
    peer.socket.write(OK);
  }
  for (const events of held) await events.end;
  await settled();
  for (const peer of upstream.peers) {
    peer.socket.on('data', () => peer.socket.resetAndDestroy());
  }
  const events = r.open('/hold');
  const failure = await events.fail;
  assert.deepEqual(
    [failure.code, failure.phase, failure.raced, failure.sent, failure.answered],
    ['reset', 'head', false, true, false],
  );
  assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
  await r.open('/').end;
  assert.equal(upstream.peers.length, 3);
  lane.close();
  await upstream.close();
});

test('idle connections are bounded in number and in time', async () => {
  const { lane, upstream, ...r } = await rig(answering, { idleSocketsMax: 2, idleMs: 30 });
  const held = [0, 1, 2].map(() => r.open('/hold'));
  for (const i of [0, 1, 2]) {
    const peer = await upstream.peer(i);
    await peer.until((text) => text.includes('\r\n\r\n'));
    peer.socket.write(OK);
  }
  for (const events of held) await events.end;
  while (lane.stats().busy > 0) await settled();
  assert.ok(lane.stats().idle <= 2);
  for (const peer of upstream.peers) await peer.gone;
  assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
  lane.close();
  await upstream.close();
});

test('closing a lane drops idle connections and leaves open exchanges in peace', async () => {
  const { lane, upstream, ...r } = await rig();
  await r.open('/').end;
  await settled();
  const idle = await upstream.peer(0);
  const events = r.open('/hold');
  const late = record();
  const prepared = lane.prepare(requestOf({ fields: withKey('canary-key-one') }));
  await idle.until((text) => text.includes('/hold'));
  lane.close();
  assert.deepEqual(lane.stats(), { idle: 0, busy: 1 });
  // What was prepared before may still be opened.
  lane.open(prepared, late);
  await late.end;
  idle.socket.write(OK);
  await events.end;
  await idle.gone;
  await settled();
  assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
  await upstream.close();
});

test('a connection whose answer overtook its request is kept once that was accepted', async () => {
  const length = 16 * 1024 * 1024;
  const { lane, upstream, ...r } = await rig((peer) => {
    peer.socket.once('data', () => {
      peer.socket.pause();
      peer.socket.write(OK);
    });
  });
  const fields: Field[] = [...withKey('canary-key-one'), ['Content-Length', String(length)]];
  const events = record();
  const framing = { kind: 'length', length } as const;
  const request = requestOf({ method: 'POST', target: '/v1/files', fields, framing });
  const outbound = lane.open(lane.prepare(request), events);
  outbound.write(Buffer.alloc(length), null);
  outbound.end([]);
  await events.end;
  assert.deepEqual(lane.stats(), { idle: 0, busy: 1 }, 'not used while its request is on the way');
  const peer = await upstream.peer(0);
  peer.socket.resume();
  await peer.until((received) => received.length > length);
  while (lane.stats().idle === 0) await settled();
  peer.socket.on('data', () => peer.socket.write(OK));
  await r.open('/').end;
  assert.equal(upstream.peers.length, 1);
  lane.close();
  await upstream.close();
});
