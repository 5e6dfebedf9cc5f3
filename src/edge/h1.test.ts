/**
 * HTTP/1 towards clients, over real sockets: requests, answers, and how they end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { CONTINUE } from '../core/message.ts';
import type { Inbound } from '../core/ports.ts';
import {
  answer,
  answerHead,
  connect,
  type Heard,
  type Listening,
  listen,
  startEdge,
} from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };
const GET = 'GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

test('an answer of known length keeps its fields, their case and their place', LIMIT, async (t) => {
  const edge = await startEdge({
    onExchange(inbound) {
      listen(inbound, () => {
        inbound.respond(
          answerHead(
            200,
            [
              ['X-One', 'a'],
              ['content-LENGTH', '5'],
              ['Connection', 'keep-alive, x-hop'],
              ['X-Hop', 'dropped'],
              ['Keep-Alive', 'timeout=5'],
              ['x-two', 'b'],
              ['x-two', 'c'],
            ],
            { kind: 'length', length: 5 },
          ),
        );
        inbound.write(Buffer.from('hello'), null);
        inbound.end([]);
      });
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(GET);
  const text = await client.until('hello');
  assert.equal(
    text,
    'HTTP/1.1 200 Fine\r\nX-One: a\r\ncontent-LENGTH: 5\r\nx-two: b\r\nx-two: c\r\n\r\nhello',
  );
  client.socket.destroy();
});

test(
  'the relay hears the request as it was framed, and how the answer was delivered',
  LIMIT,
  async (t) => {
    const heard = Promise.withResolvers<Heard>();
    const edge = await startEdge({
      onExchange: (inbound) => {
        answer(inbound, 201, 'made').then(heard.resolve);
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write(
      'POST /v1/x HTTP/1.1\r\nHost: localhost:1\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n',
    );
    const body = '3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-T: end\r\n\r\n';
    for (const character of body) client.socket.write(character);
    await client.until('made');
    const result = await heard.promise;
    assert.equal(result.body, 'abcde');
    assert.equal(result.wire, body);
    assert.deepEqual(result.trailers, [['X-T', 'end']]);
    assert.deepEqual(result.delivery, {
      how: 'complete',
      bytes: 4,
      crc: crc32(Buffer.from('made')),
    });
    assert.equal(edge.edge.stats().exchanges, 0);
    client.socket.destroy();
  },
);

test(
  'a chunked answer passes byte for byte, extensions and trailers included',
  LIMIT,
  async (t) => {
    const wire = ['5;x=y\r\nhello\r\n', '0\r\nX-Sum: 1\r\n\r\n'];
    const heard = Promise.withResolvers<Heard>();
    const edge = await startEdge({
      onExchange(inbound) {
        listen(inbound, () => {
          inbound.respond(answerHead(200, [['transfer-encoding', 'chunked']], { kind: 'chunked' }));
          inbound.write(Buffer.from(wire[0] ?? ''), [Buffer.from('hello')]);
          inbound.write(Buffer.from(wire[1] ?? ''), []);
          inbound.end([['X-Sum', '1']]);
        }).closed.then(heard.resolve);
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write(GET);
    const text = await client.until('X-Sum: 1\r\n\r\n');
    assert.equal(text, `HTTP/1.1 200 Fine\r\ntransfer-encoding: chunked\r\n\r\n${wire.join('')}`);
    const { delivery } = await heard.promise;
    assert.deepEqual(delivery, { how: 'complete', bytes: 5, crc: crc32(Buffer.from('hello')) });
    client.socket.destroy();
  },
);

test('a stream without a length gets chunks and trailers of our own', LIMIT, async (t) => {
  const edge = await startEdge({
    onExchange(inbound) {
      listen(inbound, () => {
        inbound.respond(answerHead(200, [], { kind: 'stream' }));
        inbound.write(Buffer.from('one'), null);
        inbound.write(Buffer.alloc(0), null);
        inbound.end([['x-sum', '7']]);
      });
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(GET);
  const text = await client.until('x-sum: 7\r\n\r\n');
  assert.equal(
    text,
    'HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nx-sum: 7\r\n\r\n',
  );
  client.socket.destroy();
});

test(
  'HEAD, 204 and 304 have no body, whatever their fields say, and the connection lives on',
  LIMIT,
  async (t) => {
    const answers = [
      answerHead(200, [['Content-Length', '99']], { kind: 'length', length: 99 }),
      answerHead(204, [['Transfer-Encoding', 'chunked']], { kind: 'chunked' }),
      answerHead(304, [['Content-Length', '7']], { kind: 'none' }),
    ];
    const edge = await startEdge({
      onExchange(inbound) {
        listen(inbound, () => {
          inbound.respond(answers.shift() ?? answerHead(500));
          inbound.write(Buffer.from('never seen'), null);
          inbound.end([]);
        });
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write(GET.replace('GET', 'HEAD'));
    await client.until('\r\n\r\n');
    client.socket.write(GET);
    await client.until((text) => text.includes(' 204 ') && text.endsWith('\r\n\r\n'));
    client.socket.write(GET);
    const text = await client.until((all) => all.includes(' 304 ') && all.endsWith('\r\n\r\n'));
    assert.equal(
      text,
      'HTTP/1.1 200 Fine\r\nContent-Length: 99\r\n\r\n' +
        'HTTP/1.1 204 Fine\r\n\r\n' +
        'HTTP/1.1 304 Fine\r\nContent-Length: 7\r\n\r\n',
    );
    client.socket.destroy();
  },
);

test('pipelined requests are answered in their order, one exchange at a time', LIMIT, async (t) => {
  const order: string[] = [];
  let before: Listening | null = null;
  const edge = await startEdge({
    onExchange(inbound) {
      assert.equal(before?.closes() ?? 1, 1);
      order.push(inbound.head.target);
      const delay = order.length === 1 ? setImmediate : queueMicrotask;
      before = listen(inbound, () => {
        delay(() => {
          inbound.respond(answerHead(200, [], { kind: 'stream' }));
          inbound.write(Buffer.from(inbound.head.target), null);
          inbound.end([]);
        });
      });
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
  client.socket.write(paths.map((path) => GET.replace('/v1/x', path)).join(''));
  client.socket.end();
  const { text } = await client.ended();
  assert.deepEqual(order, paths);
  assert.deepEqual(
    text.match(/\r\n(\/\d+)\r\n/g),
    paths.map((path) => `\r\n${path}\r\n`),
  );
});

test(
  'an HTTP/1.0 client gets the payload until the connection closes, and no interim answer',
  LIMIT,
  async (t) => {
    const edge = await startEdge({
      onExchange(inbound) {
        listen(inbound, () => {
          inbound.interim(CONTINUE);
          inbound.respond(answerHead(200, [['Transfer-Encoding', 'chunked']], { kind: 'chunked' }));
          inbound.write(Buffer.from('5\r\nhello\r\n'), [Buffer.from('hello')]);
          inbound.write(Buffer.from('0\r\n\r\n'), []);
          inbound.end([]);
        });
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write('GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n');
    const { text, error } = await client.ended();
    assert.equal(text, 'HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\nhello');
    assert.equal(error, null);
    client.socket.destroy();
  },
);

test('a relay that paused at the end of a request does not stop the next one', LIMIT, async (t) => {
  const edge = await startEdge({
    onExchange(inbound) {
      inbound.read({
        onBody: () => inbound.pause(),
        onEnd() {
          inbound.respond(
            answerHead(200, [['Content-Length', '2']], { kind: 'length', length: 2 }),
          );
          inbound.write(Buffer.from('ok'), null);
          inbound.end([]);
        },
        onDrain: () => undefined,
        onClose: () => undefined,
      });
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  const post = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc';
  for (let answers = 1; answers <= 3; answers += 1) {
    client.socket.write(post);
    await client.until((text) => text.match(/ok/g)?.length === answers);
  }
  client.socket.destroy();
});

test('an HTTP/1.0 client that asks for it keeps its connection', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  const client = await connect(edge.port);
  const request = 'GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n';
  client.socket.write(request);
  await client.until('ok');
  client.socket.write(request);
  const text = await client.until(
    'okHTTP/1.1 200 Fine\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok',
  );
  assert.equal(text.match(/keep-alive/g)?.length, 2);
  client.socket.destroy();
});

test('a client that asks for close is told so and gets FIN', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const { text, error } = await client.ended();
  assert.match(text, /\r\nConnection: close\r\n\r\nok$/);
  assert.equal(error, null);
  client.socket.destroy();
});

test('100-continue passes before the body is sent', LIMIT, async (t) => {
  const edge = await startEdge({
    onExchange(inbound) {
      assert.equal(inbound.head.expectContinue, true);
      answer(inbound, 200, 'thanks');
      inbound.interim(CONTINUE);
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(
    'POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n',
  );
  assert.equal(await client.until('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
  client.socket.write('abc');
  await client.until('thanks');
  client.socket.destroy();
});

test(
  'an answer before the end of its request closes the connection without a reset',
  LIMIT,
  async (t) => {
    const edge = await startEdge({
      onExchange(inbound) {
        listen(inbound);
        inbound.respond(answerHead(413, [['Content-Length', '3']], { kind: 'length', length: 3 }));
        inbound.write(Buffer.from('big'), null);
        inbound.end([]);
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n');
    client.socket.write(Buffer.alloc(1_000_000));
    const { text, error } = await client.ended();
    assert.equal(text, 'HTTP/1.1 413 Fine\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig');
    assert.equal(error, null);
    client.socket.end();
  },
);

test(
  'a cut answer ends by FIN without its last chunk, after every byte written before',
  LIMIT,
  async (t) => {
    const heard = Promise.withResolvers<Heard>();
    const edge = await startEdge({
      onExchange(inbound) {
        listen(inbound, () => {
          inbound.respond(answerHead(200, [['Transfer-Encoding', 'chunked']], { kind: 'chunked' }));
          inbound.write(Buffer.from('5\r\nhello\r\n'), [Buffer.from('hello')]);
          inbound.cut();
          inbound.cut();
        }).closed.then(heard.resolve);
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write(GET);
    const { text, error } = await client.ended();
    assert.match(text, /\r\n\r\n5\r\nhello\r\n$/);
    assert.equal(error, null);
    const { delivery } = await heard.promise;
    assert.deepEqual(delivery, { how: 'cut', bytes: 5, crc: crc32(Buffer.from('hello')) });
    client.socket.destroy();
  },
);

test('an end that comes before the declared length is a cut', LIMIT, async (t) => {
  const heard = Promise.withResolvers<Heard>();
  const edge = await startEdge({
    onExchange(inbound) {
      listen(inbound, () => {
        inbound.respond(answerHead(200, [['Content-Length', '9']], { kind: 'length', length: 9 }));
        inbound.write(Buffer.from('short'), null);
        inbound.end([]);
      }).closed.then(heard.resolve);
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(GET);
  const { text } = await client.ended();
  assert.match(text, /short$/);
  assert.equal((await heard.promise).delivery.how, 'cut');
  client.socket.destroy();
});

test('a cut answer that only the close delimits is reset, after its bytes', LIMIT, async (t) => {
  let inbound: Inbound | null = null;
  const heard = Promise.withResolvers<Heard>();
  const edge = await startEdge({
    onExchange(given) {
      inbound = given;
      listen(given, () => {
        given.respond(answerHead(200, [], { kind: 'close' }));
        given.write(Buffer.from('part of it'), null);
      }).closed.then(heard.resolve);
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(GET);
  await client.until('part of it');
  (inbound as Inbound | null)?.cut();
  const { error } = await client.ended();
  assert.equal(error, 'ECONNRESET');
  assert.equal((await heard.promise).delivery.how, 'cut');
});

test('an answer that only the close delimits ends by FIN where it is whole', LIMIT, async (t) => {
  const edge = await startEdge({
    onExchange(inbound) {
      listen(inbound, () => {
        inbound.respond(answerHead(200, [], { kind: 'close' }));
        inbound.write(Buffer.from('all of it'), null);
        inbound.end([]);
      });
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(GET);
  const { text, error } = await client.ended();
  assert.equal(text, 'HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\nall of it');
  assert.equal(error, null);
  client.socket.destroy();
});
