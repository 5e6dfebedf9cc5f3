/**
 * Clients that leave, stop reading, half-close, dawdle, or break their own requests.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { CLIENT_HEAD_MS_MAX, HEAD_BYTES_MAX } from '../core/limits.ts';
import type { Inbound } from '../core/ports.ts';
import {
  answerHead,
  connect,
  connectTls,
  HOST,
  type Listening,
  listen,
  startEdge,
} from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };
const GET = 'GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

/** A relay that opens an endless answer, and what it hears. */
async function streaming() {
  const begun = Promise.withResolvers<Inbound>();
  let listening: Listening | null = null;
  const edge = await startEdge({
    onExchange(inbound) {
      listening = listen(inbound, () => {
        inbound.respond(answerHead(200, [], { kind: 'stream' }));
        inbound.write(Buffer.from('begun'), null);
        begun.resolve(inbound);
      });
    },
  });
  return {
    edge,
    begun: begun.promise,
    heard: () => listening ?? assert.fail('no exchange'),
  };
}

test('a client that closes in the middle of an answer is gone, exactly once', LIMIT, async (t) => {
  const { edge, begun, heard } = await streaming();
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(GET);
  await client.until('begun');
  const inbound = await begun;
  client.socket.destroy();
  const writer = setInterval(() => inbound.write(Buffer.from('more'), null), 1);
  const { delivery } = await heard().closed;
  clearInterval(writer);
  assert.equal(delivery.how, 'gone');
  inbound.write(Buffer.from('late'), null);
  inbound.end([]);
  await edge.edge.drained();
  assert.equal(heard().closes(), 1);
});

test(
  'a client that closes while it waits for an answer is found out without a write',
  LIMIT,
  async (t) => {
    let listening: Listening | null = null;
    const edge = await startEdge({
      onExchange(inbound) {
        listening = listen(inbound);
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write(GET);
    const ended = listening as Listening | null;
    await ended?.ended;
    client.socket.destroy();
    await edge.edge.drained();
    const heard = listening as Listening | null;
    assert.equal((await heard?.closed)?.delivery.how, 'gone');
  },
);

test('an aborted node:http request inside TLS is gone too', LIMIT, async (t) => {
  const { edge, begun, heard } = await streaming();
  t.after(() => edge.close());
  const socket = await connectTls(edge);
  const request = http.request({ createConnection: () => socket, headers: { host: HOST } });
  request.on('error', () => undefined);
  request.end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.on('error', () => undefined);
  await once(response, 'data');
  const inbound = await begun;
  request.destroy();
  const writer = setInterval(() => inbound.write(Buffer.from('more'), null), 1);
  assert.equal((await heard().closed).delivery.how, 'gone');
  clearInterval(writer);
});

test('node:http sees a cut answer as aborted, never as complete', LIMIT, async (t) => {
  for (const secure of [false, true]) {
    const { edge, begun, heard } = await streaming();
    t.after(() => edge.close());
    const options: http.RequestOptions = secure
      ? {
          headers: { host: HOST },
          createConnection: await (
            async (socket) => () =>
              socket
          )(await connectTls(edge)),
        }
      : { port: edge.port };
    const request = http.get(options);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const failed = once(response, 'error');
    response.resume();
    (await begun).cut();
    const [error] = (await failed) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
    assert.equal(error.message, 'aborted');
    assert.equal(response.complete, false);
    assert.equal((await heard().closed).delivery.how, 'cut');
  }
});

test('a client that leaves by FIN just when its answer has begun is noticed', LIMIT, async (t) => {
  const { edge, begun, heard } = await streaming();
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(GET);
  await once(client.socket, 'data');
  client.socket.end();
  await begun;
  assert.equal((await heard().closed).delivery.how, 'gone');
});

test('a half-closed client gets the whole of its answer', LIMIT, async (t) => {
  const edge = await startEdge({
    onExchange(inbound) {
      listen(inbound, () => {
        setImmediate(() => {
          inbound.respond(answerHead(200, [], { kind: 'stream' }));
          inbound.write(Buffer.from('patience'), null);
          setImmediate(() => inbound.end([]));
        });
      });
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.end(GET);
  const { text, error } = await client.ended();
  assert.match(text, /8\r\npatience\r\n0\r\n\r\n$/);
  assert.equal(error, null);
});

test(
  'a half-closed client that waits long is probed, and still gets its answer',
  LIMIT,
  async (t) => {
    const asked = Promise.withResolvers<Inbound>();
    const edge = await startEdge({
      onExchange(inbound) {
        listen(inbound);
        asked.resolve(inbound);
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.end(GET);
    const probe = 'HTTP/1.1 100 Continue\r\n\r\n';
    await client.until(probe + probe);
    const inbound = await asked.promise;
    inbound.respond(answerHead(200, [['Content-Length', '4']], { kind: 'length', length: 4 }));
    inbound.write(Buffer.from('late'), null);
    inbound.end([]);
    const { text } = await client.ended();
    assert.match(text, /^(HTTP\/1.1 100 Continue\r\n\r\n){2}HTTP\/1.1 200 [\s\S]*late$/);
  },
);

test(
  'a reader that stopped makes write say so, and draining follows when it reads on',
  LIMIT,
  async (t) => {
    const drained = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<Inbound>();
    const edge = await startEdge({
      onExchange(inbound) {
        listen(
          inbound,
          () => {
            inbound.respond(answerHead(200, [], { kind: 'close' }));
            begun.resolve(inbound);
          },
          () => drained.resolve(),
        );
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.pause();
    client.socket.write(GET);
    const inbound = await begun.promise;
    const piece = Buffer.alloc(64 * 1024, 'x');
    let written = 0;
    // What a loopback connection holds is a few megabytes; past it the socket is full for good.
    while (inbound.write(piece, null) || written < 100 * piece.length) {
      written += piece.length;
      if (written % (16 * piece.length) === 0) await new Promise(setImmediate);
      if (written > 4096 * piece.length) assert.fail('never full');
    }
    client.socket.resume();
    await drained.promise;
    inbound.end([]);
    const { text } = await client.ended();
    assert.equal(text.length >= written, true);
  },
);

test('interim answers to a reader that stopped say so too', LIMIT, async (t) => {
  const drained = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<Inbound>();
  const edge = await startEdge({
    onExchange(inbound) {
      listen(
        inbound,
        () => begun.resolve(inbound),
        () => drained.resolve(),
      );
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.pause();
  client.socket.write(GET);
  const inbound = await begun.promise;
  const hints = answerHead(103, [['Link', 'x'.repeat(HEAD_BYTES_MAX / 2)]], { kind: 'none' });
  let count = 0;
  for (; inbound.interim(hints) && count < 4096; count += 1) await new Promise(setImmediate);
  assert.equal(count < 4096, true, 'never full');
  client.socket.resume();
  await drained.promise;
  client.socket.destroy();
});

test(
  'a paused relay stops the client, and gets the whole body once it resumes',
  LIMIT,
  async (t) => {
    const begun = Promise.withResolvers<Inbound>();
    let listening: Listening | null = null;
    const edge = await startEdge({
      onExchange(inbound) {
        listening = listen(inbound, () => {
          inbound.respond(answerHead(204));
          inbound.end([]);
        });
        inbound.pause();
        begun.resolve(inbound);
      },
    });
    t.after(() => edge.close());
    const size = 32 * 1024 * 1024;
    const client = await connect(edge.port);
    client.socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n`);
    client.socket.write(Buffer.alloc(size));
    const inbound = await begun.promise;
    const heard = (listening as Listening | null) ?? assert.fail('no exchange');
    // Until the kernel's buffers are full, which is when the client stops getting rid of bytes.
    let before = -1;
    while (client.socket.bytesWritten - client.socket.writableLength !== before) {
      before = client.socket.bytesWritten - client.socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(heard.received() <= 64 * 1024, true);
    assert.equal(client.socket.writableLength > 0, true);
    inbound.resume();
    await client.until(' 204 ');
    assert.equal(heard.received(), size);
    client.socket.destroy();
  },
);

test(
  'a request that breaks off is answered 400 and the relay hears that the client is gone',
  LIMIT,
  async (t) => {
    const listenings: Listening[] = [];
    const edge = await startEdge({
      onExchange(inbound) {
        listenings.push(listen(inbound));
      },
    });
    t.after(() => edge.close());
    for (const rest of ['zz\r\n', null]) {
      const client = await connect(edge.port);
      client.socket.write(
        'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      client.socket.write('3\r\nabc\r\n');
      if (rest === null) client.socket.end();
      else client.socket.write(rest);
      const { text } = await client.ended();
      assert.match(text, /^HTTP\/1.1 400 [\s\S]*x-lanekeeper-error: bad_request\r\n/);
      const heard = listenings.at(-1) ?? assert.fail('no exchange');
      const { delivery } = await heard.closed;
      assert.equal(delivery.how, 'gone');
      assert.equal(delivery.refused, 400);
      assert.equal(heard.closes(), 1);
      client.socket.destroy();
    }
  },
);

const REFUSED: ReadonlyArray<readonly [string, string, string]> = [
  ['two Host lines', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n', 'bad_host'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 'bad_host'],
  ['no HTTP at all', '\u0000\u0001\u0002\r\n\r\n', 'bad_request'],
  [
    'Content-Length and Transfer-Encoding',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'bad_request',
  ],
  [
    'gzip, chunked',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    'not_implemented',
  ],
  ['HTTP/2.0 in HTTP/1 clothes', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 'version_unsupported'],
  ['a head without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(HEAD_BYTES_MAX)}`, 'head_too_large'],
];
for (const [what, bytes, code] of REFUSED) {
  test(`${what} is refused as ${code}, and the connection ends`, LIMIT, async (t) => {
    const edge = await startEdge({ onExchange: () => assert.fail('reached the relay') });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write(Buffer.from(bytes, 'latin1'));
    const { text, error } = await client.ended();
    assert.match(text, new RegExp(`\r\nx-lanekeeper-error: ${code}\r\n`));
    assert.match(text, /\r\nconnection: close\r\n\r\n/);
    assert.equal(error, null);
    client.socket.destroy();
  });
}

test(
  'a head that does not arrive in time is answered 408; an idle connection has all the time',
  LIMIT,
  async (t) => {
    const edge = await startEdge();
    t.after(() => edge.close());
    const idle = await connect(edge.port);
    const slow = await connect(edge.port);
    slow.socket.write(GET);
    await slow.until('ok');
    t.mock.timers.enable({ apis: ['setTimeout'] });
    slow.socket.write('GET / HTTP/1.1\r\nHo');
    const preface = await connect(edge.port);
    preface.socket.write('PRI * HT');
    // The edge reads what was sent before what is sent now: when this is answered, that was seen.
    const marker = await connect(edge.port);
    marker.socket.write(GET);
    await marker.until('ok');
    t.mock.timers.tick(CLIENT_HEAD_MS_MAX);
    const [one, two] = await Promise.all([slow.ended(), preface.ended()]);
    t.mock.timers.reset();
    assert.match(one.text, /x-lanekeeper-error: request_timeout/);
    assert.match(two.text, /x-lanekeeper-error: request_timeout/);
    idle.socket.write(GET);
    await idle.until('ok');
    for (const client of [idle, slow, preface, marker]) client.socket.destroy();
  },
);

test('TLS on the plain port is closed without an answer', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05]));
  const { text } = await client.ended();
  assert.equal(text, '');
  assert.equal(edge.warnings[0]?.event, 'tls_on_plain_port');
});
