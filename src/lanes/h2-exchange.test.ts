import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { POOL_IDLE_MS_MIN } from '../core/limits.ts';
import { type MintedServer, mintServer } from '../pki/authority.ts';
import type { LaneRequest } from './lane.ts';
import { frame, postOf, type ScriptedH2, type StreamHandler, scriptH2 } from './scripted-h2.ts';
import {
  laneTo,
  record,
  requestOf,
  scriptUpstream,
  settled,
  TIMEOUTS,
  upstreamAt,
} from './scripted-upstream.ts';

const { constants } = http2;

let keys: MintedServer;
before(async () => {
  keys = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
});

async function withH2(
  handler: StreamHandler,
  run: (rig: ScriptedH2) => Promise<void>,
  options: Parameters<typeof scriptH2>[2] = {},
): Promise<void> {
  const rig = await scriptH2(keys, handler, options);
  try {
    await run(rig);
  } finally {
    await rig.close();
  }
}

function open({ lane }: ScriptedH2, request: LaneRequest = requestOf()) {
  const events = record();
  return { ...events, outbound: lane.open(lane.prepare(request), events) };
}

test('fields leave in lower case and order, without connection fields, credentials marked', async () => {
  let raw: readonly string[] = [];
  let headers: http2.IncomingHttpHeaders = {};
  await withH2(
    (stream, seen, seenRaw) => {
      headers = seen;
      raw = seenRaw;
      stream.respond({ ':status': 200, 'x-a': '1' }, { endStream: true });
    },
    async (rig) => {
      const request = requestOf({
        target: '/v1/models?x=1',
        fields: [
          ['Accept', '*/*'],
          ['X-Api-Key', 'canary-key-h2'],
          ['Connection', 'keep-alive, x-hop'],
          ['X-Hop', '1'],
          ['Keep-Alive', '5'],
          ['Host', 'api.example.test'],
          ['X-Twice', 'a'],
          ['User-Agent', 'caf\xe9'],
          ['X-Twice', 'b'],
        ],
      });
      const events = open(rig, request);
      await events.end;
      assert.equal(events.outbound.protocol, 'h2');
      const [, , , ...fields] = raw.filter((_, i) => i % 2 === 0);
      assert.deepEqual(
        fields.filter((name) => !name.startsWith(':')),
        ['accept', 'x-api-key', 'x-twice', 'x-twice', 'user-agent'],
      );
      assert.equal(headers[':path'], '/v1/models?x=1');
      assert.match(headers[':authority'] ?? '', /^localhost:\d+$/);
      assert.equal(headers['user-agent'], 'caf\xe9');
      const marked: unknown = Reflect.get(headers, http2.sensitiveHeaders);
      assert.deepEqual(marked, ['x-api-key']);
    },
  );
});

test('an answer keeps its fields in order, its interim heads and its trailers', async () => {
  await withH2(
    (stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond(
        { ':status': 200, 'x-b': '1', 'set-cookie': ['a', 'b'], 'x-a': 'caf\xe9' },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
      stream.end('hello');
    },
    async (rig) => {
      const events = open(rig);
      const head = await events.head;
      assert.deepEqual(
        head.fields.filter(([name]) => name !== 'date'),
        [
          ['x-b', '1'],
          ['set-cookie', 'a'],
          ['set-cookie', 'b'],
          ['x-a', 'caf\xe9'],
        ],
      );
      assert.deepEqual([head.version, head.reason, head.framing.kind], ['2', '', 'stream']);
      assert.deepEqual(await events.end, [['x-sum', '7']]);
      assert.deepEqual(events.log, ['interim 103', 'head 200', 'end']);
      assert.equal(events.body().toString(), 'hello');
    },
  );
});

test('bodyless answers end at their head', async () => {
  await withH2(
    (stream, headers) => {
      const status = headers[':path'] === '/204' ? 204 : 304;
      stream.respond(
        headers[':method'] === 'HEAD'
          ? { ':status': 200, 'content-length': 5 }
          : { ':status': status },
        { endStream: true },
      );
    },
    async (rig) => {
      for (const request of [
        requestOf({ method: 'HEAD' }),
        requestOf({ target: '/204' }),
        requestOf({ target: '/304' }),
      ]) {
        const events = open(rig, request);
        assert.deepEqual((await events.head).framing, { kind: 'none' });
        await events.end;
        assert.equal(events.body().length, 0);
      }
      assert.equal(rig.sessions.length, 1);
    },
  );
});

test('an upload far larger than the windows arrives whole, with backpressure', async () => {
  const size = 8 * 1024 * 1024;
  await withH2(
    (stream) => {
      let bytes = 0;
      stream.on('data', (piece: Buffer) => {
        bytes += piece.length;
      });
      stream.on('end', () => {
        stream.respond({ ':status': 200 });
        stream.end(String(bytes));
      });
    },
    async (rig) => {
      const events = open(rig, postOf(size));
      const piece = Buffer.alloc(64 * 1024);
      let waits = 0;
      for (let sent = 0; sent < size; sent += piece.length) {
        if (events.outbound.write(piece, null)) continue;
        waits += 1;
        await events.drain();
      }
      events.outbound.end([]);
      await events.end;
      assert.equal(events.body().toString(), String(size));
      assert.ok(waits > 0);
    },
  );
});

const CHUNKED_POST = requestOf({
  method: 'POST',
  fields: [
    ['Host', 'x'],
    ['Transfer-Encoding', 'chunked'],
  ],
  framing: { kind: 'chunked' },
});

test('a chunked request is sent as its payload and trailers', async () => {
  const trailers = Promise.withResolvers<http2.IncomingHttpHeaders>();
  await withH2(
    (stream) => {
      let body = '';
      stream.on('data', (piece: Buffer) => {
        body += piece.toString();
      });
      stream.on('trailers', (fields) => trailers.resolve(fields));
      stream.on('end', () => {
        stream.respond({ ':status': 200 });
        stream.end(body);
      });
    },
    async (rig) => {
      for (const sum of [['X-Sum', '7'] as const, null]) {
        const events = open(rig, CHUNKED_POST);
        events.outbound.write(Buffer.from('3\r\nabc\r\n2\r\nde\r\n'), [
          Buffer.from('abc'),
          Buffer.from('de'),
        ]);
        events.outbound.write(Buffer.from('0\r\n\r\n'), []);
        events.outbound.end(sum === null ? [] : [sum]);
        await events.end;
        assert.equal(events.body().toString(), 'abcde');
      }
      assert.equal((await trailers.promise)['x-sum'], '7');
    },
  );
});

test('trailers that node:http2 refuses fail their exchange, not the process', async () => {
  await withH2(
    (stream) => stream.resume(),
    async (rig) => {
      const events = open(rig, CHUNKED_POST);
      events.outbound.end([[':status', '200']]);
      assert.equal((await events.fail).code, 'protocol');
      assert.deepEqual(events.log, ['fail protocol']);
    },
  );
});

test('a paused answer holds the upstream back and comes whole', async () => {
  const size = 16 * 1024 * 1024;
  let sender: http2.ServerHttp2Stream | null = null;
  await withH2(
    (stream) => {
      sender = stream;
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(size));
    },
    async (rig) => {
      const events = open(rig);
      await events.payload(1);
      events.outbound.pause();
      for (let i = 0; i < 10; i += 1) await settled();
      const held = events.body().length;
      assert.ok(held < size / 2);
      assert.equal((sender as http2.ServerHttp2Stream | null)?.writableFinished, false);
      events.outbound.resume();
      await events.end;
      assert.equal(events.body().length, size);
    },
  );
});

test('a client that stopped reading does not hold up the other streams of its session', async () => {
  // More than a stream's window, and all together less than the server keeps for a session.
  const size = 1.5 * 1024 * 1024;
  await withH2(
    (stream) => {
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(size));
    },
    async (rig) => {
      const stopped = Array.from({ length: 4 }, () => open(rig));
      for (const { payload, outbound } of stopped) {
        await payload(1);
        outbound.pause();
      }
      const events = open(rig);
      await events.end;
      assert.equal(events.body().length, size);
      assert.equal(rig.sessions.length, 1);
      for (const { outbound } of stopped) outbound.abort();
    },
  );
});

test('a request that node:http2 refuses to write fails by an event', async () => {
  await withH2(
    (stream) => stream.respond({ ':status': 200 }, { endStream: true }),
    async (rig) => {
      await open(rig).end;
      // CONNECT has no path in HTTP/2, and node:http2 says so by throwing.
      const refused = requestOf({ method: 'CONNECT' });
      const failure = await open(rig, refused).fail;
      assert.deepEqual([failure.code, failure.sent], ['protocol', false]);
      await open(rig).end;
      await settled();
      assert.equal(rig.lane.stats().busy, 0);
    },
  );
});

test('REFUSED_STREAM means not processed', async () => {
  await withH2(
    (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM),
    async (rig) => {
      const failure = await open(rig).fail;
      assert.deepEqual([failure.code, failure.phase], ['not_processed', 'head']);
      assert.deepEqual([failure.sent, failure.answered], [true, false]);
    },
  );
});

test('a stream that is reset fails, before its head and in the middle of its body', async () => {
  await withH2(
    (stream, headers) => {
      if (headers[':path'] === '/head') {
        stream.close(constants.NGHTTP2_INTERNAL_ERROR);
        return;
      }
      stream.respond({ ':status': 200 });
      stream.write('hello');
    },
    async (rig) => {
      const early = await open(rig, requestOf({ target: '/head' })).fail;
      assert.deepEqual([early.code, early.phase, early.answered], ['reset', 'head', false]);
      const events = open(rig, requestOf({ target: '/body' }));
      await events.payload(5);
      await settled();
      assert.deepEqual(rig.lane.stats(), { idle: 0, busy: 1 });
      rig.sockets[0]?.destroy();
      const cut = await events.fail;
      assert.equal(cut.phase, 'body');
      assert.deepEqual(events.log, ['head 200', `fail ${cut.code}`]);
      await settled();
      assert.deepEqual(rig.lane.stats(), { idle: 0, busy: 0 });
    },
  );
});

test('a reset in the middle of a body is never taken for its end, whatever its code', async () => {
  for (const [code, expected] of [
    [constants.NGHTTP2_NO_ERROR, 'reset'],
    [constants.NGHTTP2_CANCEL, 'reset'],
    [constants.NGHTTP2_INTERNAL_ERROR, 'reset'],
    [constants.NGHTTP2_PROTOCOL_ERROR, 'protocol'],
  ] as const) {
    // Frames by hand: the server of node:http2 ends a stream before it resets it.
    const upstream = await scriptUpstream({ tls: keys, alpn: ['h2'] }, ({ socket }) => {
      socket.once('data', () => {
        const reason = Buffer.alloc(4);
        reason.writeUInt32BE(code);
        socket.write(frame(4, 0, 0, Buffer.alloc(0)));
        // 0x88 is `:status: 200` of the static table (RFC 7541 appendix A).
        socket.write(frame(1, constants.NGHTTP2_FLAG_END_HEADERS, 1, Buffer.from([0x88])));
        socket.write(frame(0, 0, 1, Buffer.from('hello')));
        socket.write(frame(3, 0, 1, reason));
      });
    });
    const lane = laneTo(
      upstreamAt(upstream.port, { scheme: 'https', host: 'localhost', ca: keys.caCertPem }),
      { http2: 'always' },
    );
    const events = record();
    lane.open(lane.prepare(requestOf()), events);
    const failure = await events.fail;
    assert.deepEqual([failure.code, failure.phase], [expected, 'body']);
    assert.deepEqual(events.log, ['head 200', `fail ${expected}`]);
    lane.close();
    await upstream.close();
  }
});

test('GOAWAY: streams below it end well, those above were not processed, and a new session serves', async () => {
  const streams: http2.ServerHttp2Stream[] = [];
  await withH2(
    (stream, headers) => {
      if (headers[':path'] === '/quick') {
        stream.respond({ ':status': 200 }, { endStream: true });
        return;
      }
      streams.push(stream);
    },
    async (rig) => {
      await open(rig, requestOf({ target: '/quick' })).end;
      await settled();
      const low = open(rig);
      while (streams.length < 1) await settled();
      const high = open(rig);
      while (streams.length < 2) await settled();
      rig.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, streams[0]?.id ?? 0);
      const failure = await high.fail;
      assert.equal(failure.code, 'not_processed');
      await open(rig, requestOf({ target: '/quick' })).end;
      assert.equal(rig.sessions.length, 2);
      streams[0]?.respond({ ':status': 200 });
      streams[0]?.end('low');
      await low.end;
      assert.equal(low.body().toString(), 'low');
    },
  );
});

/** A session rests from the close of its last stream on, a little after the answer's end. */
const MARGIN_MS = 250;

test('a stream that the peer reset, or its GOAWAY covers, was seen: no race with an idle connection', async () => {
  let sockets: ScriptedH2['sockets'] = [];
  const endings = new Map<string, (stream: http2.ServerHttp2Stream) => void>([
    ['/reset', (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    ['/away', (stream) => stream.session?.goaway(constants.NGHTTP2_INTERNAL_ERROR, stream.id)],
    ['/gone', () => sockets[0]?.destroy()],
  ]);
  for (const [path, end] of endings) {
    await withH2(
      (stream, headers) => {
        if (headers[':path'] === path) end(stream);
        else stream.respond({ ':status': 200 }, { endStream: true });
      },
      async (rig) => {
        sockets = rig.sockets;
        await open(rig).end;
        // Only on a session that has rested may the end of it be a race.
        await wait(POOL_IDLE_MS_MIN + MARGIN_MS);
        const failure = await open(rig, requestOf({ target: path })).fail;
        assert.equal(rig.sessions.length, 1);
        assert.deepEqual([path, failure.raced], [path, path === '/gone']);
      },
    );
  }
});

test('GOAWAY with an error: above it not processed, below it broken', async () => {
  const streams: http2.ServerHttp2Stream[] = [];
  await withH2(
    (stream) => void streams.push(stream),
    async (rig) => {
      const low = open(rig);
      while (streams.length < 1) await settled();
      const high = open(rig);
      while (streams.length < 2) await settled();
      rig.sessions[0]?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, streams[0]?.id ?? 0);
      assert.equal((await high.fail).code, 'not_processed');
      assert.equal((await low.fail).code, 'reset');
    },
  );
});

test('a whole answer that a slow client has not read survives the end of its connection', async () => {
  const size = 200 * 1024;
  await withH2(
    (stream) => {
      const { session } = stream;
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(size, 'x'));
      stream.on('close', () => setImmediate(() => session?.destroy()));
    },
    async (rig) => {
      const request = requestOf();
      const recorder = record();
      const outbound = rig.lane.open(rig.lane.prepare(request), {
        ...recorder,
        onHead(head) {
          recorder.onHead(head);
          outbound.pause();
        },
      });
      await recorder.head;
      while (rig.lane.stats().busy > 0) await settled();
      outbound.resume();
      await Promise.race([recorder.end, recorder.fail]);
      assert.deepEqual(recorder.log, ['head 200', 'end']);
      assert.equal(recorder.body().length, size);
    },
  );
});

test('an abort resets the stream at once, and the session serves on', async () => {
  const closed = Promise.withResolvers<number>();
  await withH2(
    (stream, headers) => {
      if (headers[':path'] !== '/hold') {
        stream.respond({ ':status': 200 }, { endStream: true });
        return;
      }
      stream.on('close', () => closed.resolve(stream.rstCode ?? -1));
      stream.respond({ ':status': 200 });
      stream.write('hello');
    },
    async (rig) => {
      const events = open(rig, requestOf({ target: '/hold' }));
      await events.payload(5);
      events.outbound.abort();
      assert.equal(await closed.promise, constants.NGHTTP2_CANCEL);
      await settled();
      assert.deepEqual(events.log, ['head 200']);
      assert.deepEqual(rig.lane.stats(), { idle: 1, busy: 0 });
      await open(rig).end;
      assert.equal(rig.sessions.length, 1);
    },
  );
});

test('an early answer ends the exchange and resets the rest of the request', async () => {
  const closed = Promise.withResolvers<void>();
  await withH2(
    (stream) => {
      stream.on('close', () => closed.resolve());
      stream.respond({ ':status': 413 });
      stream.end('big');
    },
    async (rig) => {
      const events = open(rig, postOf(1000));
      events.outbound.write(Buffer.alloc(10), null);
      await events.end;
      assert.equal(events.body().toString(), 'big');
      assert.equal(events.outbound.write(Buffer.alloc(10), null), true);
      await closed.promise;
      assert.deepEqual(events.log, ['head 413', 'end']);
    },
  );
});

test('a silent upstream fails in time, before its head and in the middle of an answer', async () => {
  await withH2(
    (stream, headers) => {
      if (headers[':path'] === '/body') {
        stream.respond({ ':status': 200 });
        stream.write('hello');
      }
    },
    async (rig) => {
      const head = await open(rig).fail;
      assert.deepEqual([head.code, head.phase], ['head_timeout', 'head']);
      const body = await open(rig, requestOf({ target: '/body' })).fail;
      assert.deepEqual([body.code, body.phase], ['idle_timeout', 'body']);
    },
    { lane: { timeouts: { ...TIMEOUTS, headMs: 40, idleMs: 40 } } },
  );
});
