import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import type { Field } from '../core/message.ts';
import type { LanesOptions } from './create.ts';
import type { Lane } from './lane.ts';
import {
  headCame,
  laneTo,
  type Peer,
  type Recorder,
  record,
  requestOf,
  type Scripted,
  scriptUpstream,
  settled,
  TIMEOUTS,
  upstreamAt,
} from './scripted-upstream.ts';

async function withUpstream(
  script: (peer: Peer) => void,
  run: (lane: Lane, upstream: Scripted) => Promise<void>,
  options: Partial<LanesOptions> = {},
): Promise<void> {
  const upstream = await scriptUpstream({}, script);
  const lane = laneTo(upstreamAt(upstream.port), options);
  try {
    await run(lane, upstream);
  } finally {
    lane.close();
    await upstream.close();
  }
}

/** Answers every complete head with the same bytes. */
function answering(bytes: string): (peer: Peer) => void {
  return (peer) => {
    let heads = 0;
    peer.socket.on('data', () => {
      const seen = peer.received().split('\r\n\r\n').length - 1;
      for (; heads < seen; heads += 1) peer.socket.write(bytes, 'latin1');
    });
  };
}

function get(lane: Lane, events: Recorder, method = 'GET') {
  return lane.open(lane.prepare(requestOf({ method })), events);
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const POST_5: { method: string; fields: Field[]; framing: { kind: 'length'; length: number } } = {
  method: 'POST',
  fields: [
    ['Host', 'api.example.test'],
    ['Content-Length', '5'],
  ],
  framing: { kind: 'length', length: 5 },
};

test('a head arrives at the upstream byte for byte, Host replaced in its place', async () => {
  const name = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/).map((text) => `X-${text}`);
  const value = fc
    .string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((c) => String.fromCharCode(c)) })
    .map((text) => text.replace(/\x7f/g, '').trim());
  const path = fc.stringMatching(/^\/[!"$-~]{0,20}$/);
  await withUpstream(answering(OK), async (lane, upstream) => {
    let before = 0;
    await fc.assert(
      fc.asyncProperty(
        path,
        fc.array(fc.tuple(name, value), { maxLength: 12 }),
        fc.nat(12),
        fc.constantFrom('Host', 'host', 'HOST'),
        async (target, others, at, host) => {
          const fields: Field[] = [...others];
          fields.splice(at, 0, [host, 'api.example.test']);
          const events = record();
          lane.open(lane.prepare(requestOf({ target, fields })), events);
          await Promise.race([events.end, events.fail.then(({ detail }) => assert.fail(detail))]);
          const lines = fields.map(([n, v]) =>
            n === host ? `${n}: 127.0.0.1:${upstream.port}\r\n` : `${n}: ${v}\r\n`,
          );
          const expected = `GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
          const peer = await upstream.peer(0);
          assert.equal(peer.received().slice(before), expected);
          before = peer.received().length;
        },
      ),
      { numRuns: 100 },
    );
    assert.equal(upstream.peers.length, 1);
  });
});

test('a chunked body passes as the client framed it, trailers included', async () => {
  await withUpstream(answering(OK), async (lane, upstream) => {
    const events = record();
    const request = requestOf({
      method: 'POST',
      fields: [
        ['Host', 'x'],
        ['Transfer-Encoding', 'chunked'],
      ],
      framing: { kind: 'chunked' },
    });
    const outbound = lane.open(lane.prepare(request), events);
    const first = '3;ext=1\r\nabc\r\n';
    const last = '0\r\nX-Sum: 1\r\n\r\n';
    outbound.write(Buffer.from(first), [Buffer.from('abc')]);
    outbound.write(Buffer.from(last), []);
    outbound.end([['X-Sum', '1']]);
    await events.end;
    const received = await (await upstream.peer(0)).until((text) => text.endsWith(last));
    assert.equal(received.split('\r\n\r\n')[1]?.concat('\r\n\r\n'), first + last);
  });
});

test('payload of a chunked request that was held is framed anew', async () => {
  await withUpstream(answering(OK), async (lane, upstream) => {
    const events = record();
    const body = [Buffer.from('abc'), Buffer.from('de')];
    const request = requestOf({
      method: 'POST',
      fields: [
        ['Host', 'x'],
        ['Transfer-Encoding', 'chunked'],
      ],
      framing: { kind: 'chunked' },
      body,
    });
    const outbound = lane.open(lane.prepare(request), events);
    for (const piece of body) outbound.write(piece, null);
    outbound.end([]);
    await events.end;
    const received = await (await upstream.peer(0)).until((text) => text.endsWith('0\r\n\r\n'));
    assert.ok(received.endsWith('\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'));
  });
});

test('a body of HTTP/2 without a length becomes chunks', async () => {
  await withUpstream(answering(OK), async (lane, upstream) => {
    const events = record();
    const request = requestOf({
      method: 'POST',
      fields: [['host', 'x']],
      framing: { kind: 'stream' },
      clientProtocol: 'h2',
    });
    const outbound = lane.open(lane.prepare(request), events);
    outbound.write(Buffer.from('hello'), null);
    outbound.end([['x-sum', '1']]);
    await events.end;
    const received = await (await upstream.peer(0)).until((text) => text.includes('x-sum'));
    assert.ok(received.includes('\r\ntransfer-encoding: chunked\r\n\r\n'));
    assert.ok(received.endsWith('5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n'));
  });
});

test('an answer comes as it was framed, whatever its framing', async () => {
  const cases = [
    ['Content-Length: 5', 'hello', 'hello'],
    ['Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\nT: 1\r\n\r\n', 'hello'],
    ['Connection: close', 'hello', 'hello'],
  ] as const;
  for (const [field, bytes, payload] of cases) {
    await withUpstream(
      (peer) => {
        peer.until(headCame).then(() => {
          peer.socket.write(`HTTP/1.1 200 Fine\r\n${field}\r\n\r\n${bytes}`);
          if (field === 'Connection: close') peer.socket.end();
        });
      },
      async (lane) => {
        const events = record();
        get(lane, events);
        const head = await events.head;
        assert.equal(head.reason, 'Fine');
        await events.end;
        assert.equal(events.wire().toString(), bytes);
        assert.equal(events.body().toString(), payload);
        assert.deepEqual(events.log, ['head 200', 'end']);
      },
    );
  }
});

test('answers to HEAD, 204 and 304 have no body, and the connection serves on', async () => {
  for (const [method, head] of [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n'],
  ] as const) {
    await withUpstream(answering(head), async (lane, upstream) => {
      for (let i = 0; i < 2; i += 1) {
        const events = record();
        get(lane, events, method);
        await events.end;
        await settled();
      }
      assert.equal(upstream.peers.length, 1);
    });
  }
});

test('interim answers are passed on before the final one', async () => {
  const bytes = `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}`;
  await withUpstream(answering(bytes), async (lane) => {
    const events = record();
    get(lane, events);
    await events.end;
    assert.deepEqual(events.log, ['interim 103', 'interim 102', 'head 200', 'end']);
    assert.deepEqual(events.interims[0]?.fields, [['Link', '</a>']]);
  });
});

test('a body that is cut is a failure in its phase, not an end', async () => {
  for (const bytes of [
    'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  ]) {
    await withUpstream(
      (peer) => void peer.until(headCame).then(() => peer.socket.end(bytes)),
      async (lane) => {
        const events = record();
        get(lane, events);
        const failure = await events.fail;
        assert.equal(failure.code, 'closed');
        assert.equal(failure.phase, 'body');
        assert.equal(events.body().toString(), 'hello');
        assert.deepEqual([failure.raced, failure.sent, failure.answered], [false, true, true]);
        assert.deepEqual(events.log, ['head 200', 'fail closed']);
      },
    );
  }
});

test('a reset in the middle of a body is a failure with its facts', async () => {
  await withUpstream(
    (peer) =>
      void peer.until(headCame).then(() => {
        peer.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
      }),
    async (lane, upstream) => {
      const events = record();
      get(lane, events);
      await events.payload(5);
      (await upstream.peer(0)).socket.resetAndDestroy();
      const failure = await events.fail;
      assert.deepEqual([failure.code, failure.phase], ['reset', 'body']);
    },
  );
});

test('bytes that are no HTTP are a protocol failure', async () => {
  await withUpstream(answering('SSH-2.0-x\r\n\r\n'), async (lane, upstream) => {
    const events = record();
    get(lane, events);
    const failure = await events.fail;
    assert.deepEqual([failure.code, failure.phase, failure.answered], ['protocol', 'head', true]);
    await (await upstream.peer(0)).gone;
    assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
  });
});

test('an early final answer is delivered and its connection not used again', async () => {
  await withUpstream(
    (peer) =>
      void peer.until(headCame).then(() => {
        peer.socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig');
      }),
    async (lane, upstream) => {
      const events = record();
      const outbound = lane.open(lane.prepare(requestOf(POST_5)), events);
      await events.end;
      assert.equal(events.body().toString(), 'big');
      assert.equal(outbound.write(Buffer.from('hello'), null), true);
      outbound.end([]);
      await (await upstream.peer(0)).gone;
      assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
      assert.deepEqual(events.log, ['head 413', 'end']);
    },
  );
});

test('an early answer that is no error lets the request go on', async () => {
  await withUpstream(
    (peer) => {
      peer.until(headCame).then(() => {
        peer.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
      });
      peer.until((text) => text.endsWith('hello')).then(() => peer.socket.write('world'));
    },
    async (lane) => {
      const events = record();
      const outbound = lane.open(lane.prepare(requestOf(POST_5)), events);
      await events.head;
      outbound.write(Buffer.from('hello'), null);
      outbound.end([]);
      await events.end;
      assert.equal(events.body().toString(), 'world');
    },
  );
});

test('a silent upstream fails in time, before its head and in the middle of an answer', async () => {
  const timeouts = { ...TIMEOUTS, headMs: 40, idleMs: 40 };
  await withUpstream(
    () => {},
    async (lane) => {
      const events = record();
      get(lane, events);
      const failure = await events.fail;
      assert.deepEqual([failure.code, failure.phase], ['head_timeout', 'head']);
    },
    { timeouts },
  );
  await withUpstream(
    answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
    async (lane) => {
      const events = record();
      get(lane, events);
      const failure = await events.fail;
      assert.deepEqual([failure.code, failure.phase], ['idle_timeout', 'body']);
    },
    { timeouts },
  );
});

test('silence does not count while the answer is paused by us', async () => {
  await withUpstream(
    answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
    async (lane, upstream) => {
      const events = record();
      const outbound = get(lane, events);
      await events.payload(5);
      outbound.pause();
      const other = record();
      get(lane, other);
      // The other exchange times out after ours would have.
      assert.equal((await other.fail).code, 'idle_timeout');
      assert.deepEqual(events.log, ['head 200']);
      (await upstream.peer(0)).socket.write('world');
      outbound.resume();
      await events.end;
    },
    { timeouts: { ...TIMEOUTS, idleMs: 60 } },
  );
});

test('an upstream that takes no bytes fails in time', async () => {
  await withUpstream(
    (peer) => peer.socket.pause(),
    async (lane) => {
      const events = record();
      const length = 64 * 1024 * 1024;
      const request = requestOf({
        method: 'POST',
        fields: [
          ['Host', 'x'],
          ['Content-Length', String(length)],
        ],
        framing: { kind: 'length', length },
      });
      const outbound = lane.open(lane.prepare(request), events);
      outbound.write(Buffer.alloc(length), null);
      const failure = await events.fail;
      assert.deepEqual([failure.code, failure.phase], ['idle_timeout', 'send']);
    },
    { timeouts: { ...TIMEOUTS, idleMs: 50 } },
  );
});

test('a full sink says so and drains', async () => {
  await withUpstream(
    (peer) => {
      peer.until((text) => text.endsWith('END')).then(() => peer.socket.write(OK));
    },
    async (lane) => {
      const events = record();
      const piece = Buffer.alloc(64 * 1024, 'x');
      const pieces = 100;
      const length = pieces * piece.length + 3;
      const request = requestOf({
        method: 'POST',
        fields: [
          ['Host', 'x'],
          ['Content-Length', String(length)],
        ],
        framing: { kind: 'length', length },
      });
      const outbound = lane.open(lane.prepare(request), events);
      let waits = 0;
      for (let i = 0; i < pieces; i += 1) {
        if (outbound.write(piece, null)) continue;
        waits += 1;
        await events.drain();
      }
      outbound.write(Buffer.from('END'), null);
      outbound.end([]);
      await events.end;
      assert.ok(waits > 0);
    },
  );
});

test('a paused answer holds the upstream back', async () => {
  const size = 32 * 1024 * 1024;
  await withUpstream(
    (peer) =>
      void peer.until(headCame).then(() => {
        peer.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        peer.socket.write(Buffer.alloc(size));
      }),
    async (lane, upstream) => {
      const events = record();
      const outbound = get(lane, events);
      await events.payload(1);
      outbound.pause();
      await settled();
      const held = events.body().length;
      await settled();
      assert.equal(events.body().length, held);
      assert.ok((await upstream.peer(0)).socket.writableLength > 0);
      outbound.resume();
      await events.end;
      assert.equal(events.body().length, size);
    },
  );
});

test('an abort closes the connection at once, connected or not, and no event follows', async () => {
  await withUpstream(answering('HTTP/1.1 200 OK\r\n'), async (lane, upstream) => {
    const connecting = record();
    get(lane, connecting).abort();
    const events = record();
    const outbound = get(lane, events);
    const connected = await upstream.peer(0);
    await connected.until(headCame);
    outbound.abort();
    await connected.gone;
    await settled();
    assert.deepEqual([...events.log, ...connecting.log], []);
    assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
  });
});

test('an upgrade hands over the connection with the bytes that came behind its head', async () => {
  await withUpstream(
    answering('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly'),
    async (lane, upstream) => {
      const events = record();
      const request = requestOf({
        upgrade: 'websocket',
        fields: [
          ['Host', 'x'],
          ['Connection', 'keep-alive, Upgrade'],
          ['Upgrade', 'websocket'],
        ],
      });
      lane.open(lane.prepare(request), events);
      const { stream } = await events.upgrade;
      const peer = await upstream.peer(0);
      assert.ok(peer.received().includes('\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'));
      let bytes = '';
      const got = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      const closed = Promise.withResolvers<void>();
      stream.read({
        onBytes(piece) {
          bytes += piece.toString();
          if (bytes === 'early and late') got.resolve();
        },
        onEnd: () => ended.resolve(),
        onDrain() {},
        onClose: () => closed.resolve(),
      });
      stream.write(Buffer.from('PING'));
      await peer.until((text) => text.endsWith('PING'));
      peer.socket.write(' and late');
      await got.promise;
      peer.socket.end();
      await ended.promise;
      // Half-open: our direction still works.
      stream.write(Buffer.from('BYE'));
      await peer.until((text) => text.endsWith('BYE'));
      stream.end();
      await closed.promise;
      assert.deepEqual(events.log, ['upgrade']);
      assert.deepEqual(lane.stats(), { idle: 0, busy: 0 });
    },
  );
});

test('a switch of protocols that nobody asked for is a protocol failure', async () => {
  await withUpstream(answering('HTTP/1.1 101 Switching\r\n\r\n'), async (lane) => {
    const events = record();
    get(lane, events);
    assert.equal((await events.fail).code, 'protocol');
  });
});

test('head and body of one turn leave in one piece', async () => {
  const pieces: number[] = [];
  await withUpstream(
    (peer) => {
      peer.socket.on('data', (bytes) => pieces.push(bytes.length));
      answering(OK)(peer);
    },
    async (lane) => {
      const warm = record();
      get(lane, warm);
      await warm.end;
      await settled();
      pieces.length = 0;
      const events = record();
      const outbound = lane.open(lane.prepare(requestOf(POST_5)), events);
      outbound.write(Buffer.from('hello'), null);
      outbound.end([]);
      await events.end;
      assert.equal(pieces.length, 1);
    },
  );
});

test('a head that can not be written fails the attempt and costs no connection', async () => {
  await withUpstream(answering(OK), async (lane, upstream) => {
    const events = record();
    lane.open(lane.prepare(requestOf({ target: '/a b' })), events);
    const failure = await events.fail;
    assert.deepEqual([failure.code, failure.sent], ['protocol', false]);
    assert.equal(upstream.peers.length, 0);
  });
});
