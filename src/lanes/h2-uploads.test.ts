/** Request bodies and the flow-control window of HTTP/2: which connection they take. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import { WRITE_BYTES_MAX } from '../core/limits.ts';
import type { OutboundEvents } from '../core/ports.ts';
import { type MintedServer, mintServer } from '../pki/authority.ts';
import type { LanesOptions } from './create.ts';
import type { Lane } from './lane.ts';
import { type ScriptedH2, type StreamHandler, scriptH2 } from './scripted-h2.ts';
import { laneTo, record, requestOf, settled, upstreamAt } from './scripted-upstream.ts';

const LARGE = 200_000;
const SMALL = 100;

let keys: MintedServer;
before(async () => {
  keys = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
});

async function rig(
  t: TestContext,
  handler: StreamHandler,
  options: Parameters<typeof scriptH2>[2] = {},
): Promise<ScriptedH2> {
  const scripted = await scriptH2(keys, handler, options);
  t.after(() => scripted.close());
  return scripted;
}

/** A client that speaks HTTP/2 itself begins to post so many bytes. */
function begin(lane: Lane, length: number, clientProtocol: 'h1' | 'h2' = 'h2') {
  const events = record();
  const request = requestOf({
    method: 'POST',
    clientProtocol,
    fields: [
      ['Host', 'x'],
      ['x-api-key', 'canary-key-upload'],
      ['Content-Length', String(length)],
    ],
    framing: { kind: 'length', length },
  });
  return { ...events, outbound: lane.open(lane.prepare(request), events as OutboundEvents) };
}

/** Begins, and writes all of it. */
function post(lane: Lane, length: number, clientProtocol: 'h1' | 'h2' = 'h2') {
  const begun = begin(lane, length, clientProtocol);
  begun.outbound.write(Buffer.alloc(length), null);
  begun.outbound.end([]);
  return begun;
}

/** Begins, and writes piece by piece as there is room. */
function postSlowly(lane: Lane, length: number) {
  const begun = begin(lane, length);
  const piece = Buffer.alloc(WRITE_BYTES_MAX);
  void (async () => {
    for (let left = length; left > 0; left -= piece.length) {
      if (!begun.outbound.write(piece.subarray(0, left), null)) await begun.drain();
    }
    begun.outbound.end([]);
  })();
  return begun;
}

/** Reads a body to its end, then answers with its length. */
const readAll: StreamHandler = (stream) => {
  let length = 0;
  stream.on('data', (piece: Buffer) => {
    length += piece.length;
  });
  stream.on('end', () => {
    stream.respond({ ':status': 200 });
    stream.end(String(length));
  });
};

const FOLLOW: { lane: Partial<LanesOptions> } = { lane: { http2: 'follow' } };

test('bodies that would hold each other up get sessions of their own; what fits shares one', async (t) => {
  const streams: http2.ServerHttp2Stream[] = [];
  // Nobody reads: the window of each session that has a large body stays empty.
  const { lane, sessions } = await rig(t, (stream) => streams.push(stream), FOLLOW);
  const large = Array.from({ length: 5 }, () => post(lane, LARGE));
  while (streams.length < 5) await settled();
  assert.equal(sessions.length, 5);
  const small = Array.from({ length: 8 }, () => post(lane, SMALL));
  while (streams.length < 13) await settled();
  assert.equal(sessions.length, 6);
  assert.equal(new Set(streams.slice(5).map(({ session }) => session)).size, 1);
  for (const stream of streams) readAll(stream, {}, []);
  for (const { end, body } of large) {
    await end;
    assert.equal(body().toString(), String(LARGE));
  }
  for (const { end } of small) await end;
  while (lane.stats().busy > 0) await settled();
  assert.equal(lane.stats().idle, 6);
});

test('a burst of small bodies opens one session, however many they are', async (t) => {
  const { lane, sessions } = await rig(t, readAll, FOLLOW);
  const posts = Array.from({ length: 50 }, () => post(lane, SMALL));
  for (const { end } of posts) await end;
  assert.equal(sessions.length, 1);
});

test('sessions for bodies are bounded; beyond, bodies share and all arrive', async (t) => {
  const { lane, sessions } = await rig(t, readAll, {
    lane: { http2: 'follow', limits: { h2SessionsMax: 2 } },
  });
  const posts = Array.from({ length: 9 }, () => post(lane, LARGE));
  for (const { end, body } of posts) {
    await end;
    assert.equal(body().toString(), String(LARGE));
  }
  assert(sessions.length <= 2);
});

test('bodies that must share a session share its memory: answers that overtake them pass on', async (t) => {
  const { lane, sessions } = await rig(
    t,
    (stream) => {
      stream.respond({ ':status': 429 });
      stream.end('busy');
    },
    { lane: { http2: 'follow', limits: { h2SessionsMax: 1 } } },
  );
  await post(lane, SMALL).end;
  const posts = Array.from({ length: 20 }, () => postSlowly(lane, 30_000_000));
  for (const { end, body } of posts) {
    await end;
    assert.equal(body().toString(), 'busy');
  }
  assert.equal(sessions.length, 1);
});

test('sessions that bodies no longer need age away while one of them stays in use', async (t) => {
  const streams: http2.ServerHttp2Stream[] = [];
  let isHeld = true;
  const { lane } = await rig(
    t,
    (stream, ...head) => {
      if (isHeld) streams.push(stream);
      else readAll(stream, ...head);
    },
    { lane: { http2: 'follow', limits: { idleMs: 300 } } },
  );
  const large = Array.from({ length: 5 }, () => post(lane, LARGE));
  while (streams.length < 5) await settled();
  isHeld = false;
  for (const stream of streams) readAll(stream, {}, []);
  for (const { end } of large) await end;
  while (lane.stats().busy > 0) await settled();
  assert(lane.stats().idle > 1);
  // Never, if requests went to the sessions in turn.
  while (lane.stats().idle > 1) await post(lane, SMALL).end;
});

test('a body that was sent, or let go, leaves its session to the next', async (t) => {
  const streams: http2.ServerHttp2Stream[] = [];
  const { lane, sessions } = await rig(t, (stream) => streams.push(stream), FOLLOW);
  const first = post(lane, LARGE);
  while (streams.length < 1) await settled();
  streams[0]?.resume();
  // Sent it is once it has arrived; its answer is still to come.
  await once(streams[0] as http2.ServerHttp2Stream, 'end');
  await settled();
  const second = post(lane, LARGE);
  while (streams.length < 2) await settled();
  assert.equal(sessions.length, 1);
  second.outbound.abort();
  await once(streams[1] as http2.ServerHttp2Stream, 'close');
  const third = post(lane, LARGE);
  while (streams.length < 3) await settled();
  assert.equal(sessions.length, 1);
  third.outbound.abort();
  streams[0]?.respond({ ':status': 200 }, { endStream: true });
  await first.end;
});

test('one dial of several that fails takes one of those that wait with it, a dead upstream all', async () => {
  const server = net.createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const lane = laneTo(upstreamAt(port, { scheme: 'https' }), { http2: 'follow' });
  const posts = Array.from({ length: 4 }, () => post(lane, LARGE));
  for (const { fail } of posts) {
    const { phase, sent } = await fail;
    assert.deepEqual([phase, sent], ['tls', false]);
  }
  lane.close();
  server.close();
});

test('where HTTP/2 is preferred, a body beyond the window goes over HTTP/1.1', async (t) => {
  const seen: string[] = [];
  const server = http2.createSecureServer(
    { cert: keys.certPem, key: keys.keyPem, allowHTTP1: true },
    (request, response) => {
      request.resume();
      request.on('end', () => {
        seen.push(request.httpVersion);
        response.end();
      });
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const lane = laneTo(
    upstreamAt(port, { scheme: 'https', host: 'localhost', ca: keys.caCertPem }),
    { http2: 'always' },
  );
  t.after(() => {
    lane.close();
    server.close();
  });
  for (const length of [SMALL, 65_535, LARGE, SMALL]) await post(lane, length, 'h1').end;
  assert.deepEqual(seen, ['2.0', '2.0', '1.1', '2.0']);
});

test('a peer with a wider window gets large bodies by HTTP/2, once it has said so', async (t) => {
  const wide = 1_000_000;
  const { lane, sessions } = await rig(t, readAll, {
    server: { settings: { initialWindowSize: wide } },
  });
  await post(lane, SMALL, 'h1').end;
  // Its answer comes after what is said of the session's window.
  sessions[0]?.setLocalWindowSize(wide);
  await post(lane, SMALL, 'h1').end;
  const large = post(lane, LARGE, 'h1');
  await large.end;
  assert.equal(large.outbound.protocol, 'h2');
  assert.equal(sessions.length, 1);
});

test('an upstream that speaks HTTP/2 only gets a large body by it, and is not asked otherwise again', async (t) => {
  const { lane, sockets } = await rig(t, readAll);
  for (let i = 0; i < 2; i += 1) {
    const large = post(lane, LARGE, 'h1');
    await large.end;
    assert.equal(large.outbound.protocol, 'h2');
    assert.equal(large.body().toString(), String(LARGE));
  }
  // The first was offered HTTP/1.1 in vain, by a connection of its own.
  assert.equal(sockets.length, 2);
});
