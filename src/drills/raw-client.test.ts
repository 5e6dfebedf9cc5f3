/** The built-in client on real sockets, against servers that end their answers in every way. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';

import { DRILL_REQUESTS_MAX } from '../core/limits.ts';
import { listen } from '../listen.ts';
import { planOf, requestOf } from './plan.ts';
import { createRawClient } from './raw-client.ts';
import type { Heard } from './types.ts';

const END = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
const WHOLE = `HTTP/1.1 200 OK\r\ncontent-length: ${END.length}\r\n\r\n${END}`;
/** Any trust: nothing here gets so far as to need it. */
const CA = rootCertificates[0] ?? '';
const REQUEST = requestOf(planOf('burst'), 0, true);

interface Scene {
  after(run: () => void): void;
}

/** A server that answers each request by writing, and a client for it. */
async function scene(t: Scene, answer: (socket: net.Socket, nth: number) => void, stallMs = 5_000) {
  const server = net.createServer();
  const sockets = new Set<net.Socket>();
  let connections = 0;
  let nth = 0;
  server.on('connection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      // A body of a drill ends with the choice of streaming.
      if (!/"stream":(true|false)\}$/.test(text)) return;
      text = '';
      nth += 1;
      answer(socket, nth);
    });
  });
  const port = await listen(server, '127.0.0.1', 0);
  const client = createRawClient({
    url: new URL(`http://127.0.0.1:${port}`),
    via: 'gateway',
    ca: null,
    credential: ['x-api-key', 'fake-canary'],
    session: 'session',
    stallMs,
  });
  t.after(() => {
    void client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { client, connections: () => connections };
}

for (const [what, answer, expected] of [
  ['a whole answer is whole', (s) => s.write(WHOLE), { failure: null, closed: true, status: 200 }],
  [
    'an answer without its last event is ended, not closed',
    (s) => s.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'),
    { failure: null, closed: false },
  ],
  [
    'FIN in the middle is a cut',
    (s) => s.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'),
    { failure: 'cut', ended: false, status: 200 },
  ],
  [
    'a chunked answer without its last chunk is a cut',
    (s) => s.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'),
    { failure: 'cut', bytes: 3 },
  ],
  ['FIN before the head is a reset', (s) => s.end(), { failure: 'reset', status: 0 }],
  ['a reset is a reset', (s) => s.resetAndDestroy(), { failure: 'reset' }],
  [
    'what is no HTTP is against the protocol',
    (s) => s.write('hello\r\n\r\n'),
    { failure: 'protocol' },
  ],
] as const satisfies readonly (readonly [string, (s: net.Socket) => void, Partial<Heard>])[]) {
  test(what, async (t) => {
    const { client } = await scene(t, answer);
    const heard = await client.ask(REQUEST);
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(heard[name as keyof Heard], value, name);
    }
    assert.equal(heard.sent, true);
  });
}

test('silence is a stall once it has lasted', async (t) => {
  const { client } = await scene(
    t,
    (s) => s.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na'),
    50,
  );
  const heard = await client.ask(REQUEST);
  assert.equal(heard.failure, 'stall');
  assert(heard.ttfbMs !== null && heard.ttfbMs < heard.latencyMs);
});

test('the payload alone is hashed, whatever frames it', async (t) => {
  const chunked = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\ne\r\n${(END.length - 1).toString(16)}\r\n${END.slice(1)}\r\n0\r\n\r\n`;
  const { client } = await scene(t, (s, nth) => s.write(nth === 1 ? chunked : WHOLE));
  const one = await client.ask(REQUEST);
  const other = await client.ask(REQUEST);
  assert.equal(one.sha256, other.sha256);
  assert.equal(one.bytes, END.length);
  assert(one.closed);
});

test('a connection is used again, and renewed after its share', async (t) => {
  const { client, connections } = await scene(t, (s) => s.write(WHOLE));
  for (let i = 0; i < DRILL_REQUESTS_MAX; i += 1) await client.ask(REQUEST);
  assert.equal(connections(), 1);
  await client.ask(REQUEST);
  assert.equal(connections(), 2);
});

test('a connection that ended is not used again', async (t) => {
  const { client, connections } = await scene(t, (s, nth) =>
    nth === 1 ? s.end() : s.write(WHOLE),
  );
  assert.equal((await client.ask(REQUEST)).failure, 'reset');
  assert.equal((await client.ask(REQUEST)).failure, null);
  assert.equal(connections(), 2);
});

test('closing ends what is under way as abandoned', async (t) => {
  const asked = Promise.withResolvers<void>();
  const { client } = await scene(t, () => asked.resolve());
  const heard = client.ask(REQUEST);
  await asked.promise;
  await client.close();
  assert.equal((await heard).failure, 'abandoned');
  assert.equal((await client.ask(REQUEST)).sent, false);
});

test('a proxy that is not there is no exchange', async (t) => {
  const server = net.createServer();
  const port = await listen(server, '127.0.0.1', 0);
  await new Promise((resolve) => server.close(resolve));
  const client = createRawClient({
    url: new URL(`http://127.0.0.1:${port}`),
    via: 'connect',
    ca: null,
    credential: ['x-api-key', 'fake-canary'],
    session: 'session',
    stallMs: 1_000,
  });
  t.after(() => void client.close());
  const heard = await client.ask(REQUEST);
  assert.deepEqual([heard.failure, heard.sent], ['connect', false]);
});

for (const [what, answer, failure] of [
  ['a tunnel that is refused', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', 'connect'],
  ['a tunnel to what speaks no TLS', 'HTTP/1.1 200 OK\r\n\r\nhello', 'tls'],
  ['an answer to CONNECT that is no HTTP', 'hello\r\n\r\n', 'connect'],
  ['a proxy that hangs up on CONNECT', '', 'connect'],
] as const) {
  test(`${what} is no exchange`, async (t) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(answer));
    });
    const port = await listen(server, '127.0.0.1', 0);
    t.after(() => server.close());
    const client = createRawClient({
      url: new URL(`http://127.0.0.1:${port}`),
      via: 'connect',
      ca: CA,
      credential: ['x-api-key', 'fake-canary'],
      session: 'session',
      stallMs: 1_000,
    });
    t.after(() => void client.close());
    const heard = await client.ask(REQUEST);
    assert.deepEqual([heard.failure, heard.sent, heard.status], [failure, false, 0]);
  });
}
