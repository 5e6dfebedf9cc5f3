import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { WRITE_BYTES_MAX } from '../core/limits.ts';
import type { Field } from '../core/message.ts';
import { createScene, ScriptedClient, scriptedStream } from './scripted-ports.ts';
import { joinStreams } from './upgrade.ts';

const SSE: Field[] = [['content-type', 'text/event-stream; charset=utf-8']];
const OVERLOADED =
  'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n';
const START =
  'event: message_start\ndata: {"type":"message_start","message":{"model":"m-served","usage":{"input_tokens":7,"output_tokens":1}}}\n\n';
const DELTA =
  'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":42}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

function messages(body: string, path = '/v1/messages?beta=true', fields: Field[] = []) {
  const client = new ScriptedClient('POST', path, fields, Buffer.byteLength(body));
  return { client, send: () => client.send(body) };
}
const asking = (model: string, extra = '') => `{"model":"${model}","stream":true${extra}}`;

describe('a routed exchange', () => {
  test('is held until its body is complete, then goes whole to the lane of its model', () => {
    const scene = createScene();
    const { client } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    client.events.onBody(Buffer.from('{"model":"claude-haiku'), null);
    assert.equal(scene.attempts.length, 0);
    client.events.onBody(Buffer.from('-5-5","stream":true}'), null);
    client.events.onEnd([]);
    assert.equal(scene.attempt().lane, 'zai');
    assert.equal(scene.attempt().sent.toString(), asking('claude-haiku-5-5'));
    assert.equal(scene.attempt().ended, true);
  });

  test('follows the last of two models, as JSON.parse does', () => {
    const scene = createScene();
    const { client, send } = messages('{"model":"claude-sonnet-5-5","model":"claude-haiku-5-5"}');
    scene.open(client);
    send();
    assert.equal(scene.attempt().lane, 'zai');
  });

  test('without a readable model takes the default lane', () => {
    for (const body of ['{"messages":[]}', 'no json', '{"model":3}', '{"model":"claude-haiku"']) {
      const scene = createScene();
      const { client, send } = messages(body);
      scene.open(client);
      send();
      assert.equal(scene.attempt().lane, 'anthropic', body);
      scene.attempt().head(400);
      scene.attempt().done();
      assert.equal(scene.records[0]?.decision, 'default');
      assert.equal(scene.records[0]?.err_type, '4xx');
    }
  });

  test('under a content coding takes the default lane unread', () => {
    const scene = createScene();
    const body = asking('claude-haiku-5-5');
    const { client, send } = messages(body, '/v1/messages', [['Content-Encoding', 'gzip']]);
    scene.open(client);
    send();
    assert.equal(scene.attempt().lane, 'anthropic');
  });

  test('that does not fit the hold budget streams down the default lane and says so', () => {
    const scene = createScene(10);
    const { client } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    client.events.onBody(Buffer.from('{"model":'), null);
    client.events.onBody(Buffer.from('"claude-haiku-5-5"'), null);
    assert.equal(scene.attempt().lane, 'anthropic');
    client.events.onBody(Buffer.from('}'), null);
    client.events.onEnd([]);
    assert.equal(scene.attempt().sent.toString(), '{"model":"claude-haiku-5-5"}');
    assert.equal(scene.attempt().ended, true);
    assert.equal(scene.budget.used, 0);
    assert.deepEqual(
      scene.anomalies.map(({ kind }) => kind),
      ['not_held'],
    );
  });

  test('that outgrows its place in the midst of a chunk goes on as payload, under backpressure', () => {
    const scene = createScene(10);
    const { client } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    const bytes = (text: string): Buffer => Buffer.from(text);
    client.events.onBody(bytes('1a\r\n{"model":'), [bytes('{"model":')]);
    scene.onOpen = (attempt) => {
      attempt.full = true;
    };
    client.events.onBody(bytes('"claude'), [bytes('"claude')]);
    const attempt = scene.attempt();
    assert.deepEqual([attempt.sent.toString(), client.paused], ['{"model":', true]);
    client.events.onBody(bytes('-sonnet-5"}\r\n0\r\n\r\n'), [bytes('-sonnet-5"}')]);
    client.events.onEnd([]);
    assert.equal(attempt.ended, false);
    assert.equal(scene.budget.used, 9);
    attempt.full = false;
    attempt.events.onDrain();
    assert.equal(attempt.sent.toString(), '{"model":"claude-sonnet-5"}');
    assert.equal(attempt.framed, false);
    assert.deepEqual([attempt.ended, scene.budget.used], [true, 0]);
  });

  test('is written in pieces of bounded size', () => {
    const scene = createScene();
    const body = JSON.stringify({ model: 'claude-sonnet-5-5', text: 'x'.repeat(700_000) });
    const { client, send } = messages(body);
    scene.open(client);
    send();
    assert.equal(scene.attempt().sent.toString(), body);
    assert.deepEqual(scene.attempt().sizes.slice(0, -1), [WRITE_BYTES_MAX, WRITE_BYTES_MAX]);
    assert.equal(client.paused, false);
  });

  test('is let go of when its answer begins: nothing can be sent again', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5'));
    scene.open(client);
    send();
    assert.equal(scene.budget.used, asking('claude-sonnet-5').length);
    scene.attempt().head(200, SSE);
    assert.equal(scene.budget.used, 0);
    scene.attempt().body(START + STOP);
    scene.attempt().done();
    assert.equal(scene.records[0]?.bytes_up, asking('claude-sonnet-5').length);
  });

  test('is kept while its upstream, which answers early, has not taken all of it', () => {
    const scene = createScene();
    scene.onOpen = (attempt) => {
      attempt.full = true;
    };
    const body = JSON.stringify({ model: 'claude-sonnet-5', text: 'x'.repeat(700_000) });
    const { client, send } = messages(body);
    scene.open(client);
    send();
    const attempt = scene.attempt();
    attempt.head(200, SSE);
    assert.equal(scene.budget.used, body.length);
    attempt.full = false;
    attempt.events.onDrain();
    assert.equal(attempt.sent.toString(), body);
  });

  test('is recorded once, with tokens, health, and what it took', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-haiku-5-5'), '/v1/messages?beta=true', [
      ['x-claude-code-agent-id', 'a0123456789abcdef'],
      ['X-Claude-Code-Session-Id', '11111111-2222-3333-4444-555555555555'],
    ]);
    scene.open(client);
    send();
    scene.clock.advance(20);
    scene.attempt().head(200, [...SSE, ['request-id', 'req_1']]);
    scene.attempt().body(START);
    scene.attempt().body(DELTA + STOP);
    scene.clock.advance(5);
    scene.attempt().done();
    assert.equal(scene.records.length, 1);
    const record = scene.records[0];
    assert.ok(record);
    const { ts, session, bytes_up, bytes_down, ...rest } = record;
    assert.equal(ts, 1_700_000_000);
    assert.match(session ?? '', /^[0-9a-f]{16}$/);
    assert.equal(bytes_up, asking('claude-haiku-5-5').length);
    assert.equal(bytes_down, (START + DELTA + STOP).length);
    assert.deepEqual(rest, {
      rid: 'x1',
      lane: 'zai',
      upstream: 'zai',
      decision: 'rule:haiku',
      model: 'claude-haiku-5-5',
      model_sent: 'glm-4.5-air',
      model_served: 'm-served',
      op: 'stream',
      status: 200,
      err_type: null,
      h2: false,
      header_mode: 'x-api-key',
      latency_ms: 25,
      ttfb_ms: 20,
      input_tokens: 7,
      output_tokens: 42,
      cache_read_tokens: null,
      cache_write_tokens: null,
      retry: false,
      attempts: 1,
      backoff_ms: 0,
      sse: 'complete',
      sse_events: 3,
      intact: true,
      agent: 'subagent',
      path: '/v1/messages',
      request_id: 'req_1',
    });
    assert.equal(scene.relay.open, 0);
    assert.equal(scene.budget.used, 0);
    assert.deepEqual(scene.anomalies, []);
  });

  for (const name of ['request-id', 'x-request-id', 'x-log-id']) {
    test(`has the id that the upstream gives in ${name}`, () => {
      const scene = createScene();
      const { client, send } = messages(asking('claude-haiku-5-5'));
      scene.open(client);
      send();
      scene.attempt().head(200, [...SSE, [name, 'id_1']]);
      scene.attempt().body(START + DELTA + STOP);
      scene.attempt().done();
      assert.equal(scene.records[0]?.request_id, 'id_1');
    });
  }

  test('reads an encoded answer from a copy and relays it encoded', async () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    const encoded = gzipSync(START + DELTA + STOP);
    scene.attempt().head(200, [...SSE, ['content-encoding', 'gzip']]);
    scene.attempt().body(encoded.subarray(0, 11));
    scene.attempt().body(encoded.subarray(11));
    scene.attempt().done();
    while (scene.records.length === 0) await new Promise(setImmediate);
    assert.deepEqual(client.body, encoded);
    assert.equal(scene.records[0]?.output_tokens, 42);
    assert.equal(scene.records[0]?.sse, 'complete');
    assert.equal(scene.clock.waiting, 0);
  });
});

describe('a path that is not routed', () => {
  test('streams to the default lane at once, and pauses the client where the upstream is full', () => {
    const scene = createScene();
    const client = new ScriptedClient('POST', '/v1/files', [], 10);
    scene.open(client);
    assert.equal(scene.attempt().lane, 'anthropic');
    scene.attempt().full = true;
    client.events.onBody(Buffer.from('01234'), null);
    assert.equal(client.paused, true);
    scene.attempt().events.onDrain();
    assert.equal(client.paused, false);
    client.events.onBody(Buffer.from('56789'), null);
    client.events.onEnd([]);
    assert.equal(scene.attempt().sent.toString(), '0123456789');
    scene.attempt().head(201);
    scene.attempt().done();
    assert.equal(scene.records[0]?.decision, 'passthrough');
  });
});

describe('an answer', () => {
  test('stops its upstream while the client is full', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(200, SSE);
    client.full = true;
    scene.attempt().body(START);
    assert.equal(scene.attempt().paused, true);
    client.full = false;
    client.events.onDrain();
    assert.equal(scene.attempt().paused, false);
  });

  test('that is interim stops its upstream too, which may send any number of them', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    const hints = { status: 103, reason: 'Early Hints', version: '1.1', fields: [] } as const;
    client.full = true;
    scene.attempt().events.onInterim({ ...hints, framing: { kind: 'none' }, keepAlive: true });
    assert.deepEqual(client.heard, ['interim 103']);
    assert.equal(scene.attempt().paused, true);
    client.full = false;
    client.events.onDrain();
    assert.equal(scene.attempt().paused, false);
  });

  test('that is cut upstream is cut for the client, and never called intact', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(200, SSE);
    scene.attempt().body(START);
    scene.attempt().fail({ code: 'reset', phase: 'body', answered: true });
    assert.deepEqual(client.heard, ['head 200', 'cut']);
    assert.equal(scene.records[0]?.sse, 'cut');
    assert.equal(scene.records[0]?.intact, false);
    assert.equal(scene.records[0]?.err_type, 'net');
    assert.equal(scene.attempts.length, 1);
  });

  test('that ends properly without message_stop counts as cut', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(200, SSE);
    scene.attempt().body(START);
    scene.attempt().done();
    assert.deepEqual(client.heard, ['head 200', 'end']);
    assert.equal(scene.records[0]?.sse, 'cut');
    assert.equal(scene.records[0]?.intact, true);
  });

  test('with an error event inside a 200 is told apart', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(200, SSE);
    scene.attempt().body(`${START}${OVERLOADED}`);
    scene.attempt().done();
    assert.equal(scene.records[0]?.sse, 'upstream_error');
    assert.equal(scene.records[0]?.err_type, '5xx');
  });

  test('whose delivery differs from what was received is not intact, and an anomaly', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    client.end = () => client.close('complete', client.body.length - 1);
    scene.open(client);
    send();
    scene.attempt().head(200, SSE);
    scene.attempt().body(START + STOP);
    scene.attempt().done();
    assert.equal(scene.records[0]?.intact, false);
    assert.equal(scene.anomalies.at(-1)?.kind, 'not_intact');
  });
});

describe('a client that goes away', () => {
  test('while its body is collected leaves one record and no attempt', () => {
    const scene = createScene();
    const { client } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    client.events.onBody(Buffer.from('{"mod'), null);
    client.close('gone');
    assert.equal(scene.attempts.length, 0);
    assert.equal(scene.records.length, 1);
    assert.equal(scene.records[0]?.status, null);
    assert.equal(scene.budget.used, 0);
  });

  test('before the head or in the middle of a stream aborts the upstream at once', () => {
    for (const headFirst of [false, true]) {
      const scene = createScene();
      const { client, send } = messages(asking('claude-sonnet-5-5'));
      scene.open(client);
      send();
      if (headFirst) {
        scene.attempt().head(200, SSE);
        scene.attempt().body(START);
      }
      client.close('gone');
      assert.equal(scene.attempt().aborted, true);
      assert.equal(scene.records.length, 1);
      assert.equal(scene.records[0]?.sse, headFirst ? 'client_gone' : null);
      // What the transport still says after the abort is heard by nobody.
      scene.attempt().body(STOP);
      scene.attempt().done();
      assert.equal(scene.records.length, 1);
    }
  });

  test('at an error event left because of that', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(200, SSE);
    scene.attempt().body(`${START}${OVERLOADED}`);
    client.close('gone');
    const [record] = scene.records;
    assert.deepEqual([record?.sse, record?.err_type], ['upstream_error', '5xx']);
    assert.equal(record?.intact, false);
  });

  test('after a long silence of the upstream left a stalled stream', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(200, SSE);
    scene.attempt().body(START);
    scene.clock.advance(180_000);
    client.close('gone');
    assert.equal(scene.records[0]?.sse, 'stalled');
  });

  test('during a backoff ends the exchange and its timer', () => {
    const scene = createScene();
    scene.options.backoff = true;
    const { client, send } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(429);
    assert.equal(scene.clock.waiting, 1);
    client.close('gone');
    assert.equal(scene.clock.waiting, 0);
    assert.equal(scene.attempts.length, 1);
    assert.equal(scene.records.length, 1);
  });
});

describe('one more try', () => {
  test('a 401 of a keyed lane uses the other header mode once and keeps the one that worked', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(401);
    assert.equal(scene.attempts.length, 2);
    assert.equal(scene.attempts[0]?.aborted, true);
    assert.equal(scene.attempt().mode, 'authorization');
    assert.equal(scene.attempt().sent.toString(), asking('claude-haiku-5-5'));
    scene.attempt().head(200);
    scene.attempt().done();
    assert.deepEqual(scene.keptModes, ['authorization']);
    assert.equal(scene.records[0]?.retry, true);
    assert.equal(scene.records[0]?.attempts, 2);
    assert.equal(scene.records[0]?.header_mode, 'authorization');
  });

  test('a second 401 is passed on and no mode is kept', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(401);
    scene.attempt().head(401);
    scene.attempt().done();
    assert.equal(client.answer?.status, 401);
    assert.deepEqual(scene.keptModes, []);
    assert.equal(scene.records[0]?.err_type, '401');
  });

  test('a 401 of a passthrough lane is the client’s own affair', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(401);
    assert.equal(scene.attempts.length, 1);
    assert.equal(client.answer?.status, 401);
  });

  test('429, 503 and 529 wait and try once more only where backoff is on', () => {
    for (const status of [429, 503, 529]) {
      for (const backoff of [false, true]) {
        const scene = createScene();
        scene.options.backoff = backoff;
        const { client, send } = messages(asking('claude-sonnet-5-5'));
        scene.open(client);
        send();
        scene.attempt().head(status);
        if (!backoff) {
          assert.equal(client.answer?.status, status);
          continue;
        }
        assert.deepEqual(client.heard, []);
        scene.clock.advance(3_000);
        assert.equal(scene.attempts.length, 2);
        scene.attempt().head(status);
        scene.attempt().done();
        assert.equal(client.answer?.status, status);
        assert.ok((scene.records[0]?.backoff_ms ?? 0) >= 200);
        assert.equal(scene.anomalies[0]?.code, 'backoff');
      }
    }
  });

  test('Retry-After is obeyed, and left to the client where it is long', () => {
    for (const [seconds, attempts] of [
      ['2', 2],
      ['3600', 1],
    ] as const) {
      const scene = createScene();
      scene.options.backoff = true;
      const { client, send } = messages(asking('claude-sonnet-5-5'));
      scene.open(client);
      send();
      scene.attempt().head(429, [['retry-after', seconds]]);
      scene.clock.advance(1_999);
      assert.equal(scene.attempts.length, 1);
      scene.clock.advance(1);
      assert.equal(scene.attempts.length, attempts);
    }
  });

  test('count_tokens that a lane does not know falls to the default lane', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-haiku-5-5'), '/v1/messages/count_tokens');
    scene.open(client);
    send();
    assert.equal(scene.attempt().lane, 'zai');
    scene.attempt().head(404);
    assert.equal(scene.attempt().lane, 'anthropic');
    scene.attempt().head(200);
    scene.attempt().done();
    assert.equal(scene.records[0]?.decision, 'fallback');
    assert.equal(scene.records[0]?.lane, 'anthropic');
    assert.equal(scene.records[0]?.header_mode, null);
    assert.equal(scene.anomalies[0]?.kind, 'fallback');
  });

  test('a request that met the idle timer of the upstream is tried once on a fresh connection', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().fail({ code: 'reset', phase: 'head', raced: true });
    assert.equal(scene.attempts.length, 2);
    scene.attempt().fail({ code: 'reset', phase: 'head', raced: true });
    assert.equal(scene.attempts.length, 2);
    assert.equal(client.answer?.status, 502);
    assert.match(client.body.toString(), /"type":"api_error".*\[upstream_reset\]/);
    assert.equal(scene.records[0]?.err_type, 'net');
    assert.equal(scene.records[0]?.intact, false);
  });

  test('one whose connection was reset after it had left is not: it may have been served', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().fail({ code: 'reset', phase: 'head', raced: false });
    assert.equal(scene.attempts.length, 1);
    assert.equal(client.answer?.status, 502);
  });
});

describe('an observer that fails', () => {
  test('a ledger that throws takes no byte, no end and no exchange with it', () => {
    const scene = createScene();
    const fail = (): never => {
      throw new Error('the disk is gone');
    };
    scene.records.push = fail;
    scene.anomalies.push = fail;
    const { client, send } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    send();
    scene.attempt().fail({ code: 'not_processed', phase: 'head' });
    scene.attempt().head(200, SSE);
    scene.attempt().body(START);
    scene.attempt().done();
    assert.deepEqual(client.heard, ['head 200', 'end']);
    assert.equal(client.body.toString(), START);
    assert.equal(scene.attempts.length, 2);
    assert.equal(scene.relay.open, 0);
  });
});

describe('refusals of our own', () => {
  test('what the edge answered to a request that broke off is the status of its record', () => {
    const scene = createScene();
    const { client } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    client.events.onClose({ how: 'gone', bytes: 0, crc: 0, refused: 400 });
    assert.equal(scene.records[0]?.status, 400);
    assert.equal(scene.records[0]?.err_type, '4xx');
    assert.equal(scene.records[0]?.intact, false);
  });

  test('a credential in the wrong lane is refused, typed, and an anomaly', () => {
    const scene = createScene();
    scene.options.fault = 'head';
    const { client, send } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    send();
    assert.equal(scene.attempts.length, 0);
    assert.equal(client.answer?.status, 500);
    assert.equal(scene.anomalies[0]?.kind, 'lane_isolation');
    assert.equal(scene.records.length, 1);
  });

  test('what a keyed lane may not carry or can not edit takes the default lane unchanged', () => {
    for (const fault of ['body', 'uneditable'] as const) {
      const scene = createScene();
      scene.options.fault = fault;
      const { client, send } = messages(asking('claude-haiku-5-5'));
      scene.open(client);
      send();
      assert.equal(scene.attempt().lane, 'anthropic');
      assert.equal(scene.attempt().sent.toString(), asking('claude-haiku-5-5'));
      scene.attempt().head(200);
      scene.attempt().done();
      assert.equal(scene.records[0]?.decision, 'default');
      assert.equal(scene.records[0]?.attempts, 1);
      assert.equal(scene.anomalies.length, 1);
    }
  });

  test('an upstream that does not begin to answer is a 504', () => {
    const scene = createScene();
    const { client, send } = messages(asking('claude-sonnet-5-5'));
    scene.open(client);
    send();
    scene.attempt().fail({ code: 'head_timeout', phase: 'head' });
    assert.equal(client.answer?.status, 504);
    assert.equal(scene.records[0]?.err_type, 'timeout');
  });
});

describe('the switches', () => {
  test('paused sends every routed request to the default lane and says so', () => {
    const scene = createScene();
    scene.table.paused = true;
    scene.table.forcedLane = 'zai';
    const { client, send } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    send();
    assert.equal(scene.attempt().lane, 'anthropic');
    scene.attempt().head(200);
    scene.attempt().done();
    assert.equal(scene.records[0]?.decision, 'paused');
  });

  test('forced goes before every rule', () => {
    const scene = createScene();
    scene.table.forcedLane = 'zai';
    scene.table.routes = [];
    const { client, send } = messages(asking('claude-haiku-5-5'));
    scene.open(client);
    send();
    scene.attempt().head(200);
    scene.attempt().done();
    assert.equal(scene.records[0]?.decision, 'forced_model');
  });
});

describe('an upgraded connection', () => {
  test('passes bytes both ways, with half-closes, and is over when both sides have closed', () => {
    const client = scriptedStream();
    const upstream = scriptedStream();
    const totals: unknown[] = [];
    joinStreams(client, upstream, (facts) => totals.push(facts));
    client.events().onBytes(Buffer.from('ping'));
    upstream.events().onBytes(Buffer.from('pong!'));
    upstream.events().onEnd();
    upstream.events().onClose();
    assert.deepEqual(totals, []);
    assert.deepEqual(client.heard, ['write pong!', 'end']);
    client.events().onClose();
    assert.deepEqual(totals, [{ up: 4, down: 5, whole: true }]);
    assert.deepEqual(upstream.heard, ['write ping', 'destroy']);
  });
});
