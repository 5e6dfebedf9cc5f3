import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type MintedServer, mintServer } from '../pki/authority.ts';
import type { ConnectionFact } from './lane.ts';
import { frame, type ScriptedH2, scriptH2 } from './scripted-h2.ts';
import {
  headCame,
  laneTo,
  record,
  requestOf,
  scriptUpstream,
  settled,
  TIMEOUTS,
  upstreamAt,
} from './scripted-upstream.ts';

let keys: MintedServer;
before(async () => {
  keys = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
});

function open({ lane }: Pick<ScriptedH2, 'lane'>, target = '/', key = 'canary-key-one') {
  const events = record();
  const request = requestOf({
    target,
    fields: [
      ['Host', 'x'],
      ['x-api-key', key],
    ],
  });
  return { ...events, outbound: lane.open(lane.prepare(request), events) };
}

test('a burst shares one session up to the limit of the peer, then opens another', async () => {
  const held: (() => void)[] = [];
  const rig = await scriptH2(
    keys,
    (stream) => held.push(() => stream.respond({ ':status': 200 }, { endStream: true })),
    { server: { settings: { maxConcurrentStreams: 4 } } },
  );
  const attempts = Array.from({ length: 10 }, () => open(rig));
  while (held.length < 10) await settled();
  assert.equal(rig.sessions.length, 3);
  for (const answer of held) answer();
  for (const { end } of attempts) await end;
  await settled();
  assert.deepEqual(rig.lane.stats(), { idle: 3, busy: 0 });
  await rig.close();
});

test('two credentials never share a session', async () => {
  const rig = await scriptH2(keys, (stream) => {
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  for (const key of ['canary-key-one', 'canary-key-two', 'canary-key-one']) {
    await open(rig, '/', key).end;
  }
  assert.equal(rig.sessions.length, 2);
  await rig.close();
});

test('a peer that allows no streams is waited for, with a deadline', async () => {
  const rig = await scriptH2(
    keys,
    (stream) => stream.respond({ ':status': 200 }, { endStream: true }),
    {
      server: { settings: { maxConcurrentStreams: 1 } },
      lane: { timeouts: { ...TIMEOUTS, connectMs: 40, tlsMs: 500 } },
    },
  );
  await open(rig).end;
  const acknowledged = new Promise((resolve) => rig.sessions[0]?.once('localSettings', resolve));
  rig.sessions[0]?.settings({ maxConcurrentStreams: 0 });
  await acknowledged;
  const late = await open(rig).fail;
  assert.deepEqual([late.code, late.sent], ['connect_timeout', false]);
  const patient = open(rig);
  rig.sessions[0]?.settings({ maxConcurrentStreams: 1 });
  await patient.end;
  assert.equal(rig.sessions.length, 1);
  await rig.close();
});

test('an upstream that speaks HTTP/1.1 only is used so, and not asked again', async () => {
  const facts: ConnectionFact[] = [];
  const upstream = await scriptUpstream({ tls: keys }, (peer) => {
    peer.until(headCame).then(() => {
      peer.socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const lane = laneTo(
    upstreamAt(upstream.port, { scheme: 'https', host: 'localhost', ca: keys.caCertPem }),
    { http2: 'always', onSession: (fact) => facts.push(fact) },
  );
  const attempts = [0, 1, 2].map(() => open({ lane }));
  for (const { end, body, outbound } of attempts) {
    await end;
    assert.equal(body().toString(), 'ok');
    assert.equal(outbound.protocol, 'h1');
  }
  await open({ lane }).end;
  assert.ok(facts.every(({ protocol }) => protocol === 'h1'));
  assert.equal(upstream.peers.length, 4);
  lane.close();
  await upstream.close();
});

test('a session that the peer closed is not used again', async () => {
  for (const how of ['close', 'destroy'] as const) {
    const rig = await scriptH2(keys, (stream) => {
      stream.respond({ ':status': 200 }, { endStream: true });
    });
    await open(rig).end;
    await settled();
    if (how === 'close') rig.sessions[0]?.close();
    else rig.sockets[0]?.destroy();
    while (rig.lane.stats().idle > 0) await settled();
    await open(rig).end;
    assert.equal(rig.sessions.length, 2);
    await rig.close();
  }
});

test('an idle session is pinged and stays while the peer answers', async () => {
  const rig = await scriptH2(
    keys,
    (stream) => stream.respond({ ':status': 200 }, { endStream: true }),
    { lane: { limits: { h2PingMs: 400 } } },
  );
  await open(rig).end;
  for (let i = 0; i < 3; i += 1) {
    await new Promise((resolve) => rig.sessions[0]?.once('ping', resolve));
  }
  assert.deepEqual(rig.lane.stats(), { idle: 1, busy: 0 });
  await rig.close();
});

test('an idle session whose peer answers no ping is dropped', async () => {
  const upstream = await scriptUpstream({ tls: keys, alpn: ['h2'] }, ({ socket }) => {
    socket.once('data', () => {
      socket.write(frame(4, 0, 0, Buffer.alloc(0)));
      // 0x88 is `:status: 200` (RFC 7541 appendix A); the flags end head and stream.
      socket.write(frame(1, 5, 1, Buffer.from([0x88])));
    });
  });
  const lane = laneTo(
    upstreamAt(upstream.port, { scheme: 'https', host: 'localhost', ca: keys.caCertPem }),
    { http2: 'always', limits: { h2PingMs: 10 } },
  );
  await open({ lane }).end;
  await (await upstream.peer(0)).gone;
  while (lane.stats().idle > 0) await settled();
  lane.close();
  await upstream.close();
});

test('an idle session is closed with age', async () => {
  const rig = await scriptH2(
    keys,
    (stream) => stream.respond({ ':status': 200 }, { endStream: true }),
    { lane: { limits: { idleMs: 20 } } },
  );
  await open(rig).end;
  while (rig.lane.stats().idle > 0) await settled();
  await rig.close();
});

test('closing a lane lets open streams end', async () => {
  const held: (() => void)[] = [];
  const rig = await scriptH2(keys, (stream) => {
    held.push(() => {
      stream.respond({ ':status': 200 });
      stream.end('whole');
    });
  });
  const events = open(rig);
  while (held.length < 1) await settled();
  rig.lane.close();
  assert.deepEqual(rig.lane.stats(), { idle: 0, busy: 1 });
  held[0]?.();
  await events.end;
  assert.equal(events.body().toString(), 'whole');
  while (rig.lane.stats().busy > 0) await settled();
  await rig.close();
});

test('aborting the only one that waits ends the dial', async () => {
  const silent = await scriptUpstream();
  const lane = laneTo(upstreamAt(silent.port, { scheme: 'https' }), { http2: 'always' });
  const first = open({ lane });
  const second = open({ lane });
  const peer = await silent.peer(0);
  await peer.until((bytes) => bytes.length > 0);
  first.outbound.abort();
  second.outbound.abort();
  await peer.gone;
  assert.equal(silent.peers.length, 1);
  lane.close();
  await silent.close();
});
