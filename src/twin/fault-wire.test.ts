/** What a bare client sees of each fault, byte for byte, and what the twin says of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import { after, before, describe, test } from 'node:test';
import zlib from 'node:zlib';
import { rawConnect } from '../../test/support/raw-client.ts';
import { type Asked, overHttp1, overHttp2 } from '../../test/support/twin-faults.ts';
import { type Fault, headerOf, type ReceivedRequest, startTwin, type Twin } from './index.ts';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;
let twin: Twin;
before(async () => {
  twin = await startTwin();
});
after(() => twin.close());

/** Puts one fault in force for everything, and forgets what came before. */
async function spoil(fault: Fault, match: object = {}): Promise<void> {
  twin.anthropic.clear();
  twin.zai.clear();
  await twin.setFaults({ rules: [{ match, fault }] });
}

async function last(): Promise<ReceivedRequest> {
  const request = twin.anthropic.requests().at(-1);
  assert(request !== undefined);
  return request;
}

function events(body: Buffer): string[] {
  return [...body.toString().matchAll(/^event: (\w+)$/gm)].map((match) => match[1] ?? '');
}

async function usual(asked: Asked = {}): Promise<Buffer> {
  await twin.setFaults(null);
  return (await overHttp1(twin.anthropic, asked)).body;
}

describe('answers in place of the usual one', () => {
  test('status: the persona’s own error with the fields that were asked for', async () => {
    await spoil({
      kind: 'status',
      status: 429,
      retry_after: 3,
      should_retry: false,
      headers: { 'anthropic-ratelimit-unified-status': 'rejected' },
      message: 'slow down',
    });
    const seen = await overHttp1(twin.anthropic);
    assert.equal(seen.status, 429);
    assert.equal(seen.fields.get('retry-after'), '3');
    assert.equal(seen.fields.get('x-should-retry'), 'false');
    assert.equal(seen.fields.get('anthropic-ratelimit-unified-status'), 'rejected');
    const body = JSON.parse(seen.body.toString()) as { error: object };
    assert.deepEqual(body.error, { type: 'rate_limit_error', message: 'slow down' });
    assert.equal((await last()).fault, 'status');
  });

  test('status on zai: the business code', async () => {
    await spoil({ kind: 'status', status: 429, code: '1308' });
    const seen = await overHttp1(twin.zai);
    const { error } = JSON.parse(seen.body.toString()) as { error: { code: string } };
    assert.deepEqual([seen.status, error.code], [429, '1308']);
  });

  test('auth_mode: 401 for one header, the usual answer for the other', async () => {
    await spoil({ kind: 'auth_mode', refuses: 'x-api-key' });
    const key = twin.zai.key ?? '';
    const one = await overHttp1(twin.zai, { fields: { 'x-api-key': key } });
    const other = await overHttp1(twin.zai, { fields: { authorization: `Bearer ${key}` } });
    assert.deepEqual([one.status, other.status], [401, 200]);
    assert.deepEqual(
      twin.zai.requests().map(({ fault }) => fault),
      ['auth_mode', null],
    );
  });

  test('html: a page with 200', async () => {
    await spoil({ kind: 'html' });
    const seen = await overHttp1(twin.anthropic);
    assert.deepEqual([seen.status, seen.whole], [200, true]);
    assert.match(seen.fields.get('content-type') ?? '', /^text\/html/);
    assert.match(seen.body.toString(), /^<!doctype html>/);
  });

  test('concurrency: 429 and 1302 above the limit, and room again afterwards', async () => {
    await spoil({ kind: 'concurrency', max: 1 }, { persona: 'zai' });
    const slow = overHttp1(twin.zai, { prompt: '[twin: pause 300]' });
    await twin.zai.waitFor(({ whole }) => whole);
    const refused = await overHttp1(twin.zai);
    assert.equal(refused.status, 429);
    assert.match(refused.body.toString(), /"1302"/);
    assert.equal((await slow).status, 200);
    assert.equal((await overHttp1(twin.zai)).status, 200);
  });
});

describe('HTTP/1.1: an answer that breaks', () => {
  test('reset_before_head: RST and not a byte', async () => {
    await spoil({ kind: 'reset_before_head' });
    const seen = await overHttp1(twin.anthropic);
    assert.deepEqual([seen.status, seen.ending], [null, 'ECONNRESET']);
    const { answer, aborted, fault } = await last();
    assert.deepEqual([answer.status, answer.ended, aborted], [0, false, false]);
    assert.equal(fault, 'reset_before_head');
  });

  test('reset_mid_stream: that many events, then RST; the record has their hash', async () => {
    const whole = await usual();
    await spoil({ kind: 'reset_mid_stream', after_events: 4 });
    const seen = await overHttp1(twin.anthropic);
    assert.deepEqual([seen.whole, seen.ending], [false, 'ECONNRESET']);
    assert.equal(events(seen.body).length, 4);
    assert(whole.subarray(0, seen.body.length).equals(seen.body));
    const { answer } = await last();
    assert.equal(answer.sha256, createHash('sha256').update(seen.body).digest('hex'));
    assert.equal(answer.ended, false);
  });

  test('reset_mid_stream: after that many bytes, also in the middle of an event', async () => {
    await spoil({ kind: 'reset_mid_stream', after_bytes: 100 });
    assert.equal((await overHttp1(twin.anthropic)).body.length, 100);
  });

  test('reset_mid_stream of an answer that does not stream: half of it', async () => {
    const whole = await usual({ stream: false });
    await spoil({ kind: 'reset_mid_stream' });
    const seen = await overHttp1(twin.anthropic, { stream: false });
    assert.deepEqual([seen.whole, seen.body.length], [false, Math.floor(whole.length / 2)]);
  });

  test('end_mid_stream close: FIN without the last chunk', async () => {
    await spoil({ kind: 'end_mid_stream', how: 'close' });
    const seen = await overHttp1(twin.anthropic);
    assert.deepEqual([seen.whole, seen.ending], [false, 'fin']);
    assert.equal(events(seen.body).length, 3);
  });

  test('end_mid_stream truncate: a proper end without message_stop', async () => {
    await spoil({ kind: 'end_mid_stream', how: 'truncate' });
    const seen = await overHttp1(twin.anthropic);
    assert.deepEqual([seen.whole, events(seen.body).length], [true, 3]);
    assert.equal((await last()).answer.ended, true);
    const one = await overHttp1(twin.anthropic, { stream: false });
    assert.equal(one.whole, true);
    assert.throws(() => JSON.parse(one.body.toString()));
  });

  test('stall_before_head: silence until the client leaves', async () => {
    await spoil({ kind: 'stall_before_head' });
    const seen = await overHttp1(twin.anthropic, { leaveAfterMs: 60 });
    assert.equal(seen.status, null);
    const { answer } = await twin.anthropic.waitFor(({ aborted }) => aborted);
    assert.equal(answer.status, 0);
  });

  test('stall_mid_stream: some events, silence; the rest if it has an end', async () => {
    await spoil({ kind: 'stall_mid_stream', after_events: 2 });
    const left = await overHttp1(twin.anthropic, { leaveAfterMs: 80 });
    assert.deepEqual([left.whole, events(left.body).length], [false, 2]);
    const whole = await usual();
    await spoil({ kind: 'stall_mid_stream', after_events: 2, ms: 30 });
    assert.deepEqual((await overHttp1(twin.anthropic)).body, whole);
    const one = await usual({ stream: false });
    await spoil({ kind: 'stall_mid_stream', ms: 30 });
    assert.deepEqual((await overHttp1(twin.anthropic, { stream: false })).body, one);
  });

  test('refuse: every connection is reset, nobody listens, then the same port again', async () => {
    await spoil({ kind: 'refuse', ms: 150 }, { times: 1 });
    const { anthropic } = twin;
    const idle = await rawConnect({
      to: anthropic,
      tls: { ca: anthropic.ca, servername: 'localhost' },
    });
    const seen = await overHttp1(anthropic);
    assert.equal(seen.ending, 'ECONNRESET');
    await idle.reader.ending;
    await assert.rejects(rawConnect({ to: anthropic }), { code: 'ECONNREFUSED' });
    const again = async (): Promise<unknown> => overHttp1(anthropic).catch(again);
    assert.equal(((await again()) as { status: number }).status, 200);
  });
});

describe('content that is wrong', () => {
  test('bad_json: one event is torn, the others are as usual', async () => {
    const whole = (await usual()).toString().split('\n\n');
    await spoil({ kind: 'bad_json', after_events: 4 });
    const seen = await overHttp1(twin.anthropic);
    assert.equal(seen.whole, true);
    const blocks = seen.body.toString().split('\n\n');
    assert.equal(blocks.length, whole.length);
    assert.deepEqual(blocks.toSpliced(4, 1), whole.toSpliced(4, 1));
    assert.throws(() => JSON.parse(blocks[4]?.split('data: ')[1] ?? ''));
  });

  test('error_event: an error after 200, and nothing behind it', async () => {
    await spoil({ kind: 'error_event', after_events: 2 });
    const seen = await overHttp1(twin.anthropic, { prompt: '[twin: encoding gzip]' });
    assert.deepEqual([seen.status, seen.whole], [200, true]);
    assert.equal(events(seen.body).at(-1), 'error');
    assert.match(seen.body.toString(), /"type":"overloaded_error","message":"Overloaded"/);
    const one = await overHttp1(twin.anthropic, { stream: false });
    assert.equal((await last()).fault, null);
    assert.equal(one.whole, true);
  });

  test('truncated_gzip: a proper end in the middle of a deflate block', async () => {
    for (const stream of [true, false]) {
      await spoil({ kind: 'truncated_gzip', after_events: 5 });
      const seen = await overHttp1(twin.anthropic, { stream });
      assert.deepEqual([seen.whole, seen.fields.get('content-encoding')], [true, 'gzip']);
      assert.throws(() => zlib.gunzipSync(seen.body), { code: 'Z_BUF_ERROR' });
    }
  });
});

describe('time and size', () => {
  const PACES: readonly Fault[] = [
    { kind: 'latency', ms: 40, jitter_ms: 5 },
    { kind: 'stall_before_head', ms: 40 },
    { kind: 'drip', bytes: 200, every_ms: 4 },
    { kind: 'split', sizes: [1, 7, 300] },
  ];
  for (const fault of PACES) {
    test(`${fault.kind} changes no byte of the payload`, async () => {
      const whole = await usual();
      await spoil(fault);
      const started = performance.now();
      const seen = await overHttp1(twin.anthropic);
      assert.deepEqual(seen.body, whole);
      if (fault.kind !== 'split') assert(performance.now() - started >= 30);
      assert.equal((await last()).fault, fault.kind);
    });
  }

  test('split: chunks of these sizes, from the start again', async () => {
    await spoil({ kind: 'split', sizes: [1, 7, 300] });
    const { anthropic } = twin;
    const connection = await rawConnect({
      to: anthropic,
      tls: { ca: anthropic.ca, servername: 'localhost' },
    });
    const body =
      '{"model":"claude-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}';
    await connection.send(
      `POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const { wire, fields } = await connection.readAnswer('POST');
    connection.destroy();
    assert.equal(headerOf(fields, 'transfer-encoding'), 'chunked');
    const sizes: number[] = [];
    for (let at = 0; at < wire.length; ) {
      const end = wire.indexOf('\r\n', at);
      const size = Number.parseInt(wire.subarray(at, end).toString(), 16);
      sizes.push(size);
      at = end + 2 + size + 2;
    }
    assert.deepEqual(sizes.slice(0, 5), [1, 7, 300, 1, 7]);
  });
});

describe('connections', () => {
  test('slow_tls: the handshake takes that long, and the first request says why', async () => {
    await spoil({ kind: 'slow_tls', ms: 50 });
    const started = performance.now();
    assert.equal((await overHttp1(twin.anthropic)).status, 200);
    assert(performance.now() - started >= 45);
    assert.equal((await last()).fault, 'slow_tls');
  });

  for (const how of ['fin', 'reset'] as const) {
    test(`idle_close with ${how}: not before its first answer, and not during one`, async () => {
      await spoil({ kind: 'idle_close', ms: 40, how });
      const { anthropic } = twin;
      const connection = await rawConnect({
        to: anthropic,
        tls: { ca: anthropic.ca, servername: 'localhost' },
      });
      const body =
        '{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"[twin: pause 80]"}]}';
      await connection.send(
        `POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      assert.equal((await connection.readAnswer('POST')).status, 200);
      assert.equal(await connection.reader.ending, how === 'fin' ? 'fin' : 'ECONNRESET');
      connection.destroy();
    });
  }
});

describe('HTTP/2', () => {
  test('reset and refusal end one stream, and the session goes on', async () => {
    for (const [fault, code] of [
      [{ kind: 'reset_before_head' }, NGHTTP2_INTERNAL_ERROR],
      [{ kind: 'reset_mid_stream' }, NGHTTP2_INTERNAL_ERROR],
      [{ kind: 'refused_stream' }, NGHTTP2_REFUSED_STREAM],
    ] as const) {
      await spoil(fault, { times: 1 });
      const [first, second] = await overHttp2(twin.anthropic, [{}, {}]);
      assert.deepEqual([first?.rstCode, first?.whole], [code, false], fault.kind);
      assert.deepEqual([second?.status, second?.whole], [200, true], fault.kind);
      assert.equal(new Set(twin.anthropic.requests().map((r) => r.connection)).size, 1);
      const events3 = fault.kind === 'reset_mid_stream' ? 3 : 0;
      assert.equal(events(first?.body ?? Buffer.alloc(0)).length, events3);
    }
  });

  test('goaway: the request counts as not processed, on the first stream too', async () => {
    await spoil({ kind: 'goaway' }, { skip: 1 });
    const [first, second] = await overHttp2(twin.anthropic, [{}, {}]);
    assert.equal(first?.whole, true);
    assert.deepEqual([second?.status, second?.goaway], [null, { code: 0, last: 1 }]);
    await spoil({ kind: 'goaway' });
    const [only] = await overHttp2(twin.anthropic, [{}, {}]);
    assert.deepEqual([only?.status, only?.rstCode], [null, NGHTTP2_REFUSED_STREAM]);
  });

  test('goaway: what goes on beside it is answered to its end, above it and below', async () => {
    for (const skip of [0, 1, 2]) {
      await twin.setFaults({
        rules: [
          { match: { ...(skip === 0 ? {} : { skip }), times: 1 }, fault: { kind: 'goaway' } },
          { fault: { kind: 'stall_mid_stream', ms: 60 } },
        ],
      });
      const session = http2.connect(twin.anthropic.origin, { ca: twin.anthropic.ca });
      const ends = [0, 1, 2].map(() => endOfStream(session));
      const gone = new Promise<void>((resolve) => session.once('close', () => resolve()));
      const codes = [0, 0, 0].with(skip, NGHTTP2_REFUSED_STREAM);
      assert.deepEqual(await Promise.all(ends), codes);
      await gone;
    }
  });

  test('end_mid_stream: on a connection that others use too the one stream is reset', async () => {
    await twin.setFaults({
      rules: [
        { match: { skip: 1, times: 1 }, fault: { kind: 'end_mid_stream', how: 'close' } },
        { fault: { kind: 'stall_mid_stream', ms: 100 } },
      ],
    });
    twin.anthropic.clear();
    const session = http2.connect(twin.anthropic.origin, { ca: twin.anthropic.ca });
    const codes = await Promise.all([0, 1].map(() => endOfStream(session)));
    assert.deepEqual(codes, [0, NGHTTP2_INTERNAL_ERROR]);
    const told = twin.anthropic.requests().map(({ broken, answer }) => [broken, answer.ended]);
    assert.deepEqual(told, [
      [null, true],
      ['reset', false],
    ]);
    session.destroy();
  });

  test('goaway, processed: this one is answered, the session takes no other', async () => {
    await spoil({ kind: 'goaway', processed: true });
    const seen = await overHttp2(twin.anthropic, [{}, {}]);
    assert.equal(seen.length, 1);
    assert.deepEqual([seen[0]?.whole, seen[0]?.goaway], [true, { code: 0, last: 1 }]);
  });

  test('end_mid_stream: FIN of the connection, or a proper end of the stream', async () => {
    await spoil({ kind: 'end_mid_stream', how: 'close' });
    const [closed] = await overHttp2(twin.anthropic, [{}]);
    assert.deepEqual([closed?.whole, events(closed?.body ?? Buffer.alloc(0)).length], [false, 3]);
    await spoil({ kind: 'end_mid_stream', how: 'truncate' });
    const [truncated] = await overHttp2(twin.anthropic, [{}]);
    assert.deepEqual(
      [truncated?.whole, events(truncated?.body ?? Buffer.alloc(0)).length],
      [true, 3],
    );
  });

  test('idle_close: the session is closed', async () => {
    await spoil({ kind: 'idle_close', ms: 30 });
    const session = http2.connect(twin.anthropic.origin, { ca: twin.anthropic.ca });
    await new Promise<void>((resolve) => session.once('close', () => resolve()));
  });

  test('faults of HTTP/2 alone do not befall HTTP/1.1', async () => {
    await spoil({ kind: 'refused_stream' });
    assert.equal((await overHttp1(twin.anthropic)).status, 200);
    assert.equal((await last()).fault, null);
  });
});

/** The code that a stream of a session ends with. */
function endOfStream(session: http2.ClientHttp2Session): Promise<number> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/v1/messages',
    'x-api-key': 'k',
    'content-type': 'application/json',
  });
  stream.on('error', () => undefined);
  stream.resume();
  stream.end(
    '{"model":"claude-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}',
  );
  return new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode ?? -1)));
}
