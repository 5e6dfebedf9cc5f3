/**
 * The client's side of what can go wrong: it leaves, at every stage of an exchange, or is answered
 * before it has finished asking.
 */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, test } from 'node:test';
import type { UsageRecord } from '../src/ledger/record.ts';
import { startFaultUpstream, type Visit } from './support/fault-upstream.ts';
import {
  BEGUN,
  CHUNKED_HEAD,
  chunk,
  messages,
  observe,
  WHOLE,
  withUpstream,
} from './support/faults.ts';
import {
  connectTo,
  exchangeOnce,
  headOf,
  type RequestParts,
  readAll,
  type Shape,
} from './support/raw-exchange.ts';
import { type Rig, startRig } from './support/rig.ts';

describe('answers that come in their own time', () => {
  for (const shape of ['connect', 'gateway'] as const) {
    test(`interim answers pass on before the final one (${shape})`, async (t) => {
      const upstream = await startFaultUpstream(t);
      const rig = await startRig(t, { config: withUpstream(upstream) });
      upstream.script = async (visit) => {
        await visit.request();
        await visit.send('HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n');
        await visit.send('HTTP/1.1 102 Processing\r\n\r\n');
        await visit.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      };
      const { seen, record } = await observe(rig, () =>
        exchangeOnce(
          rig.proxy,
          rig.ca,
          shape,
          messages('claude-sonnet-5-5', 'sk-ant-api03-fake-1xx'),
        ),
      );
      assert.deepEqual(seen.interim, [103, 102]);
      assert.equal(seen.status, 200);
      assert.equal(seen.body.toString(), 'ok');
      assert.equal(record.attempts, 1);
      assert.equal(record.intact, true);
    });

    test(`an answer while the request is still on its way is delivered whole (${shape})`, async (t) => {
      const upstream = await startFaultUpstream(t);
      const rig = await startRig(t, { config: withUpstream(upstream) });
      const refusal = '{"type":"error","error":{"type":"request_too_large","message":"no"}}';
      upstream.script = async (visit) => {
        await visit.reader.through('\r\n\r\n');
        await visit.send(
          `HTTP/1.1 413 Too Large\r\nContent-Length: ${refusal.length}\r\nConnection: close\r\n\r\n${refusal}`,
        );
        visit.end();
      };
      const part = 64 * 1024;
      const body = Buffer.alloc(32 * part, 'x');
      const { seen, record } = await observe(rig, async () => {
        const connection = await connectTo(rig.proxy, rig.ca, shape);
        const fields = { 'x-api-key': 'sk-ant-api03-fake-early' };
        await connection.send(headOf(rig.proxy, shape, { path: '/v1/files', fields, body }));
        await connection.send(body.subarray(0, part));
        const answer = await connection.readAnswer('POST');
        // The client has not noticed yet and goes on: it must not lose the answer to a reset.
        await connection.send(body.subarray(part));
        const rest = await connection.reader.rest();
        const ending = await connection.reader.ending;
        connection.destroy();
        return readAll(Buffer.concat([answer.head, answer.wire, rest]), ending, 'POST');
      });
      assert.equal(seen.status, 413);
      assert.equal(seen.whole, true);
      assert.equal(seen.ending, 'fin');
      assert.equal(seen.body.toString(), refusal);
      assert.deepEqual(
        [record.status, record.err_type, record.intact, record.attempts, record.decision],
        [413, '4xx', true, 1, 'passthrough'],
      );
      assert.ok(record.bytes_up <= part, 'the rest was not sent');
    });
  }

  test('Expect: 100-continue of a streamed body is the upstream’s to answer', async (t) => {
    const upstream = await startFaultUpstream(t);
    const rig = await startRig(t, { config: withUpstream(upstream) });
    upstream.script = async (visit) => {
      await visit.reader.through('\r\n\r\n');
      await visit.send('HTTP/1.1 100 Continue\r\n\r\n');
      await visit.reader.exactly(5);
      await visit.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    };
    const connection = await connectTo(rig.proxy, rig.ca, 'gateway');
    const request = {
      path: '/v1/files',
      fields: { Expect: '100-continue' },
      body: Buffer.from('hello'),
    };
    await connection.send(headOf(rig.proxy, 'gateway', request));
    assert.equal((await connection.readHead()).status, 100);
    await connection.send(request.body);
    assert.equal((await connection.readAnswer()).status, 200);
    connection.destroy();
  });
});

/** Where an exchange stands when its client leaves. */
interface Abort {
  readonly name: string;
  readonly act: (visit: Visit) => Promise<void> | void;
  /** Resolves when it is time to leave. */
  readonly ready: (visit: Visit, heard: Promise<void>) => Promise<unknown>;
  readonly record: Partial<UsageRecord>;
}

const ABORTS: readonly Abort[] = [
  {
    name: 'while it waits for the head',
    act: () => {},
    ready: (visit) => visit.request(),
    record: { status: null, sse: null, intact: false, attempts: 1, err_type: null, bytes_down: 0 },
  },
  {
    name: 'in the middle of the stream',
    act: (visit) => visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(BEGUN)])),
    ready: (_visit, heard) => heard,
    record: { status: 200, sse: 'client_gone', intact: false, attempts: 1, err_type: null },
  },
  {
    name: 'after message_stop, before the end of the answer',
    act: (visit) => visit.send(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(WHOLE)])),
    ready: (_visit, heard) => heard,
    record: { status: 200, sse: 'client_gone', intact: false, attempts: 1, err_type: null },
  },
];

describe('a client that leaves takes its upstream request with it', () => {
  for (const abort of ABORTS) {
    for (const shape of ['connect', 'gateway', 'h2'] as const) {
      test(`${abort.name} (${shape})`, async (t) => {
        const upstream = await startFaultUpstream(t);
        const rig = await startRig(t, { config: withUpstream(upstream) });
        const waits = abort.name.includes('head');
        upstream.script = async (visit) => {
          if (!waits) await visit.request();
          await abort.act(visit);
        };
        const heard = Promise.withResolvers<void>();
        const leave = await beginExchange(
          rig,
          shape,
          messages('claude-sonnet-5-5', 'sk-ant-api03-fake-abort'),
          heard.resolve,
        );
        const visit = await upstream.visit(0);
        await abort.ready(visit, heard.promise);
        leave();
        await visit.gone;
        const [record, ...others] = await rig.records(1);
        assert.deepEqual(others, []);
        assert(record !== undefined);
        const actual = Object.fromEntries(
          Object.keys(abort.record).map((name) => [name, record[name as keyof UsageRecord]]),
        );
        assert.deepEqual(actual, abort.record);
        assert.equal(rig.proxy.control.status().exchanges.open, 0);
      });
    }
  }

  // FIN may be a half-close: what broke off is answered by 400, whoever is left to read it.
  test('half-way through a body that is held: nothing ever left', async (t) => {
    const upstream = await startFaultUpstream(t);
    const rig = await startRig(t, { config: withUpstream(upstream) });
    for (const shape of ['connect', 'gateway'] as const) {
      const before = rig.proxy.control.status().exchanges.total;
      const connection = await connectTo(rig.proxy, rig.ca, shape);
      const request = messages('claude-sonnet-5-5', 'sk-ant-api03-fake-half');
      await connection.send(headOf(rig.proxy, shape, request));
      await connection.send(request.body?.subarray(0, 10) ?? '');
      while (rig.proxy.control.status().exchanges.total === before) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      connection.destroy();
      const record = (await rig.records(before + 1)).at(-1);
      assert.deepEqual(
        [record?.status, record?.attempts, record?.bytes_up, record?.err_type, record?.intact],
        [400, 0, 0, '4xx', false],
      );
    }
    assert.equal(upstream.visits.length, 0);
  });

  test('half-way through a body that streams', async (t) => {
    const upstream = await startFaultUpstream(t);
    const rig = await startRig(t, { config: withUpstream(upstream) });
    for (const [index, shape] of (['connect', 'gateway'] as const).entries()) {
      const connection = await connectTo(rig.proxy, rig.ca, shape);
      const fields = { 'x-api-key': `sk-ant-api03-fake-upload-${index}` };
      const request = { path: '/v1/files', fields, body: Buffer.alloc(1_000_000) };
      await connection.send(headOf(rig.proxy, shape, request));
      await connection.send(request.body.subarray(0, 1_000));
      const visit = await upstream.visit(index);
      await visit.reader.through('\r\n\r\n');
      await visit.reader.exactly(1_000);
      connection.destroy();
      await visit.gone;
      const record = (await rig.records(index + 1)).at(-1);
      assert.deepEqual(
        [record?.status, record?.attempts, record?.bytes_up, record?.err_type, record?.intact],
        [400, 1, 1_000, '4xx', false],
      );
    }
  });
});

/** Sends a request and returns how to leave. */
async function beginExchange(
  rig: Rig,
  shape: Shape,
  request: RequestParts,
  onHeard: () => void,
): Promise<() => void> {
  if (shape === 'h2') {
    const session = http2.connect(rig.proxy.url);
    session.on('error', () => {});
    const stream = session.request({
      ':method': 'POST',
      ':path': '/v1/messages',
      ...request.fields,
    });
    stream.on('error', () => {});
    stream.on('data', onHeard);
    stream.end(request.body);
    return () => {
      stream.close(http2.constants.NGHTTP2_CANCEL);
      session.close();
    };
  }
  const connection = await connectTo(rig.proxy, rig.ca, shape);
  let heard = Buffer.alloc(0);
  connection.socket.on('data', (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes]);
    if (heard.includes('half')) onHeard();
  });
  await connection.send(headOf(rig.proxy, shape, request));
  await connection.send(request.body ?? '');
  return () => connection.tcp.resetAndDestroy();
}
