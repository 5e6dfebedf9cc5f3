/**
 * HTTP/2 towards clients, inside TLS and with prior knowledge, over real sockets.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { CONTINUE, type Fields } from '../core/message.ts';
import type { Inbound } from '../core/ports.ts';
import {
  answer,
  answerHead,
  connect,
  connectTls,
  type Heard,
  HOST,
  type Listening,
  listen,
  startEdge,
  VERSION,
} from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };

/** An edge and a session to it inside TLS. */
async function secure(t: TestContext, onExchange: (inbound: Inbound) => void) {
  const edge = await startEdge({ onExchange });
  const socket = await connectTls(edge, { alpn: ['http/1.1', 'h2'] });
  assert.equal(socket.alpnProtocol, 'h2');
  const session = http2.connect(`https://${HOST}`, { createConnection: () => socket });
  t.after(async () => {
    session.destroy();
    await edge.close();
  });
  return { edge, session };
}

interface Answered {
  readonly headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader;
  readonly body: string;
  readonly trailers: http2.IncomingHttpHeaders | null;
  readonly code: number;
}

/** The whole of an answer; a reset shows in `code`. */
async function whole(request: http2.ClientHttp2Stream): Promise<Answered> {
  let trailers: http2.IncomingHttpHeaders | null = null;
  request.on('trailers', (given) => {
    trailers = given;
  });
  request.on('error', () => undefined);
  const [headers] = (await once(request, 'response')) as [Answered['headers']];
  const pieces: Buffer[] = [];
  request.on('data', (bytes: Buffer) => pieces.push(bytes));
  // Not `once`, which rejects where the stream fails.
  await new Promise((resolve) => request.on('close', resolve));
  return { headers, body: Buffer.concat(pieces).toString(), trailers, code: request.rstCode };
}

test('a request becomes a head with its host first and its cookies joined', LIMIT, async (t) => {
  const heard = Promise.withResolvers<Heard>();
  const inbounds: Inbound[] = [];
  const { session, edge } = await secure(t, (inbound) => {
    inbounds.push(inbound);
    answer(inbound, 200, 'pong').then(heard.resolve);
  });
  const request = session.request({
    ':method': 'POST',
    ':path': '/v1/messages?beta=true',
    'x-a': '1',
    cookie: ['a=1', 'b=2'],
    'x-b': '2',
    'content-length': '4',
  });
  request.end('ping');
  const { headers, body, code } = await whole(request);
  assert.equal(headers[':status'], 200);
  assert.equal(body, 'pong');
  assert.equal(code, 0);
  const [inbound] = inbounds;
  assert.deepEqual(inbound?.head, {
    method: 'POST',
    target: '/v1/messages?beta=true',
    version: '2',
    fields: [
      ['host', `${HOST}:443`],
      ['x-a', '1'],
      ['cookie', 'a=1; b=2'],
      ['x-b', '2'],
      ['content-length', '4'],
    ],
    framing: { kind: 'length', length: 4 },
    keepAlive: true,
    upgrade: null,
    expectContinue: false,
  });
  assert.deepEqual(inbound?.via, { kind: 'intercept', host: HOST });
  assert.equal(inbound?.protocol, 'h2');
  const result = await heard.promise;
  assert.equal(result.body, 'ping');
  assert.deepEqual(result.delivery, { how: 'complete', bytes: 4, crc: crc32(Buffer.from('pong')) });
  assert.equal(edge.edge.stats().exchanges, 0);
});

test(
  'a chunked answer gives its payload and its trailers, without what HTTP/2 has no place for',
  LIMIT,
  async (t) => {
    const { session } = await secure(t, (inbound) => {
      listen(inbound, () => {
        inbound.interim(CONTINUE);
        inbound.respond(
          answerHead(
            200,
            [
              ['Content-Type', 'text/event-stream'],
              ['Transfer-Encoding', 'chunked'],
              ['Trailer', 'X-Sum'],
              ['Connection', 'keep-alive, x-hop'],
              ['X-Hop', '1'],
              ['Set-Cookie', 'a=1'],
              ['Set-Cookie', 'b=2'],
              ['Via', 'one'],
              ['Via', 'two'],
              ['Date', 'Mon'],
              ['date', 'Tue'],
            ],
            { kind: 'chunked' },
          ),
        );
        inbound.write(Buffer.from('3\r\none\r\n3\r\ntwo\r\n'), [
          Buffer.from('one'),
          Buffer.from('two'),
        ]);
        inbound.write(Buffer.from('0\r\nX-Sum: 6\r\n\r\n'), []);
        inbound.end([['X-Sum', '6']]);
      });
    });
    const request = session.request({ ':path': '/' });
    const continued = once(request, 'continue');
    const { headers, body, trailers, code } = await whole(request);
    await continued;
    assert.equal(body, 'onetwo');
    assert.equal(code, 0);
    assert.equal((trailers as http2.IncomingHttpHeaders | null)?.['x-sum'], '6');
    assert.deepEqual(Object.fromEntries(Object.entries(headers)), {
      ':status': 200,
      'content-type': 'text/event-stream',
      'set-cookie': ['a=1', 'b=2'],
      via: 'one, two',
      trailer: 'X-Sum',
      date: 'Mon, Tue',
    });
  },
);

test(
  'HEAD, 204 and empty answers end with their head; request trailers arrive',
  LIMIT,
  async (t) => {
    const heard: Array<Promise<Heard>> = [];
    const { session } = await secure(t, (inbound) => {
      const status = Number(inbound.head.target.slice(1));
      heard.push(
        listen(inbound, () => {
          const framing = { kind: 'length', length: 3 } as const;
          inbound.respond(answerHead(status, [['content-length', '3']], framing));
          if (inbound.head.method === 'HEAD' || status === 204)
            inbound.write(Buffer.from('abc'), null);
          else inbound.write(Buffer.from('abc'), null);
          inbound.end([]);
        }).closed,
      );
    });
    const head = await whole(session.request({ ':path': '/200', ':method': 'HEAD' }));
    assert.deepEqual([head.headers['content-length'], head.body, head.code], ['3', '', 0]);
    const post = session.request({ ':path': '/200', ':method': 'POST' }, { waitForTrailers: true });
    post.on('wantTrailers', () => post.sendTrailers({ 'x-t': 'end' }));
    post.end('body');
    assert.equal((await whole(post)).body, 'abc');
    const hows = (await Promise.all(heard)).map(({ delivery }) => [delivery.how, delivery.bytes]);
    assert.deepEqual(hows, [
      ['complete', 0],
      ['complete', 3],
    ]);
    assert.deepEqual((await heard[1])?.trailers, [['x-t', 'end']]);
  },
);

test('a cut stream is reset with INTERNAL_ERROR after the bytes before it', LIMIT, async (t) => {
  const heard: Heard[] = [];
  const { session } = await secure(t, (inbound) => {
    listen(inbound, () => {
      const fields: Fields = inbound.head.target === '/trailers' ? [['Trailer', 'x']] : [];
      inbound.respond(answerHead(200, fields, { kind: 'stream' }));
      inbound.write(Buffer.alloc(60_000, 'x'), null);
      inbound.cut();
    }).closed.then(heard.push.bind(heard));
  });
  for (const path of ['/', '/trailers']) {
    const { body, code } = await whole(session.request({ ':path': path }));
    assert.equal(code, http2.constants.NGHTTP2_INTERNAL_ERROR);
    assert.equal(body.length, 60_000);
    assert.equal(heard.at(-1)?.delivery.how, 'cut');
  }
});

test(
  'a client that resets is gone, exactly once, while the body was paused too',
  LIMIT,
  async (t) => {
    for (const paused of [false, true]) {
      const begun = Promise.withResolvers<Listening>();
      const { session } = await secure(t, (inbound) => {
        const heard = listen(inbound, () => assert.fail('a reset is no end'));
        if (paused) inbound.pause();
        else {
          inbound.respond(answerHead(200, [], { kind: 'stream' }));
          inbound.write(Buffer.from('x'), null);
        }
        begun.resolve(heard);
      });
      // With a length, since node's own client sends END_STREAM before it resets.
      const request = session.request({ ':path': '/', ':method': 'POST', 'content-length': '99' });
      request.on('error', () => undefined);
      request.write('part of a body');
      const heard = await begun.promise;
      request.close(http2.constants.NGHTTP2_CANCEL);
      assert.equal((await heard.closed).delivery.how, 'gone');
      assert.equal(heard.closes(), 1);
    }
  },
);

test('a client whose connection ends takes its streams with it', LIMIT, async (t) => {
  const begun = Promise.withResolvers<Listening>();
  const { session, edge } = await secure(t, (inbound) => begun.resolve(listen(inbound)));
  const request = session.request({ ':path': '/' });
  request.on('error', () => undefined);
  const heard = await begun.promise;
  session.destroy();
  assert.equal((await heard.closed).delivery.how, 'gone');
  await edge.edge.drained();
});

test('a body that is not as long as it said never looks complete', LIMIT, async (t) => {
  const begun = Promise.withResolvers<Listening>();
  const { session } = await secure(t, (inbound) => {
    begun.resolve(listen(inbound, () => assert.fail('the request is not whole')));
  });
  const request = session.request({ ':path': '/', ':method': 'POST', 'content-length': '9' });
  request.on('error', () => undefined);
  request.end('short');
  assert.equal((await (await begun.promise).closed).delivery.how, 'gone');
});

test('an early answer ends the stream without blame', LIMIT, async (t) => {
  const { session } = await secure(t, (inbound) => {
    listen(inbound);
    inbound.respond(answerHead(413, [['content-length', '3']], { kind: 'length', length: 3 }));
    inbound.write(Buffer.from('big'), null);
    inbound.end([]);
  });
  const request = session.request({ ':path': '/', ':method': 'POST' });
  request.write('never ends');
  const { headers, body, code } = await whole(request);
  assert.equal(headers[':status'], 413);
  assert.equal(body, 'big');
  assert.equal(code, 0);
});

test('a stopped relay stops the sender, and a stopped reader stops the relay', LIMIT, async (t) => {
  const begun = Promise.withResolvers<{ inbound: Inbound; heard: Listening }>();
  const drained = Promise.withResolvers<void>();
  const { session } = await secure(t, (inbound) => {
    const heard = listen(
      inbound,
      () => undefined,
      () => drained.resolve(),
    );
    inbound.pause();
    begun.resolve({ inbound, heard });
  });
  const size = 4 * 1024 * 1024;
  const request = session.request({ ':path': '/', ':method': 'POST' });
  request.end(Buffer.alloc(size));
  const { inbound, heard } = await begun.promise;
  inbound.respond(answerHead(200, [], { kind: 'stream' }));
  let written = 0;
  while (inbound.write(Buffer.alloc(16_384), null)) {
    written += 16_384;
    await new Promise(setImmediate);
    if (written > 64 * size) assert.fail('never full');
  }
  // Half of the windows that were advertised: what a paused stream may have sent is bounded.
  assert.equal(heard.received() < size, true);
  inbound.resume();
  await heard.ended;
  assert.equal(heard.received(), size);
  request.resume();
  await drained.promise;
  inbound.end([]);
  await once(request, 'close');
});

test(
  'another authority is misdirected, Max-Forwards 0 is answered, CONNECT is refused',
  LIMIT,
  async (t) => {
    const { session } = await secure(t, () => assert.fail('reached the relay'));
    const other = await whole(session.request({ ':path': '/', ':authority': 'example.com' }));
    assert.equal(other.headers[':status'], 421);
    assert.equal(other.headers['x-lanekeeper-error'], 'misdirected');
    const probe = await whole(
      session.request({ ':path': '/', ':method': 'OPTIONS', 'max-forwards': '0' }),
    );
    assert.equal(probe.headers[':status'], 204);
    assert.equal(probe.headers['x-lanekeeper'], VERSION);
    const tunnel = await whole(
      session.request({ ':method': 'CONNECT', ':authority': `${HOST}:443` }),
    );
    assert.equal(tunnel.headers[':status'], 400);
  },
);

test('prior knowledge on the plain port is gateway mode, with its guards', LIMIT, async (t) => {
  const vias: unknown[] = [];
  const edge = await startEdge({
    onExchange(inbound) {
      vias.push(inbound.via);
      answer(inbound, 200, 'cleartext');
    },
  });
  const session = http2.connect(`http://127.0.0.1:${edge.port}`);
  t.after(async () => {
    session.destroy();
    await edge.close();
  });
  assert.equal((await whole(session.request({ ':path': '/' }))).body, 'cleartext');
  const foreign = await whole(session.request({ ':path': '/', origin: 'http://a' }));
  assert.equal(foreign.headers['x-lanekeeper-error'], 'foreign_origin');
  const rebound = await whole(session.request({ ':path': '/', ':authority': 'rebound.example' }));
  assert.equal(rebound.headers['x-lanekeeper-error'], 'foreign_host');
  assert.deepEqual(vias, [{ kind: 'gateway' }]);
});

test('the preface is recognised however it is cut', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  const client = await connect(edge.port);
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const bytes = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings]);
  for (const byte of bytes) {
    client.socket.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  // A SETTINGS frame: type 4 after three bytes of length.
  const text = await client.until((all) => all.length >= 9);
  assert.equal(text.charCodeAt(3), 4);
  client.socket.destroy();
});

test(
  'an answer with a field that node:http2 calls one of a connection comes without it',
  LIMIT,
  async (t) => {
    const settings: Fields = [['HTTP2-Settings', 'AAMAAABkAAQAAP__']];
    const { session } = await secure(t, (inbound) => {
      listen(inbound, () => {
        inbound.interim({
          ...answerHead(103, [...settings, ['Link', '</a>']]),
          framing: { kind: 'none' },
        });
        inbound.respond(answerHead(200, [...settings, ['X-Kept', '1']], { kind: 'close' }));
        inbound.write(Buffer.from('hi'), null);
        inbound.end(settings);
      });
    });
    const { headers, body, code } = await whole(session.request({ ':path': '/' }));
    assert.deepEqual(
      [headers['x-kept'], headers['http2-settings'], body, code],
      ['1', undefined, 'hi', 0],
    );
  },
);
