/**
 * Large, long and many: bodies of a megabyte and beyond what can be held, streams of ten thousand
 * events or of tiny pieces, hundreds at once. Every byte is accounted for on both sides.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { HELD_BODY_BYTES_MAX } from '../src/core/limits.ts';
import type { UsageRecord } from '../src/ledger/record.ts';
import type { ReceivedRequest } from '../src/twin/index.ts';
import {
  type BulkAnswer,
  type BulkClient,
  bodyOf,
  bulkClient,
  bulkUpstream,
  digestOf,
  sha256,
  WAYS,
  type Way,
} from './support/bulk.ts';
import { rawConnect } from './support/raw-client.ts';
import { exchangeOnce } from './support/raw-exchange.ts';
import { leadLane } from './support/recording-upstream.ts';
import { type Rig, startRig } from './support/rig.ts';

const MEGABYTE = 1024 * 1024;
const SONNET = 'claude-sonnet-5-5';
const HAIKU = 'claude-haiku-5-5';
const FORCED = { FORCE_HAIKU_TO_ZAI: '1' };

function doorOf({ proxy, ca }: Rig) {
  return { url: proxy.url, ca };
}

function prompt(model: string, content: string): Buffer {
  const messages = [{ role: 'user', content }];
  return Buffer.from(JSON.stringify({ model, max_tokens: 4096, messages, stream: true }));
}

function nameOf({ mode, protocol }: Way): string {
  return `${mode} ${protocol}`;
}

/** Everything that reached an upstream. */
function requestsOf({ twin }: Rig): ReceivedRequest[] {
  return [...twin.anthropic.requests(), ...twin.zai.requests()];
}

/** What was delivered is what the upstream sent. */
function assertSame(answer: BulkAnswer | undefined, upstream: ReceivedRequest | undefined): void {
  assert(answer && upstream);
  assert.equal(answer.status, 200);
  assert.deepEqual([answer.bytes, answer.sha256], [upstream.answer.bytes, upstream.answer.sha256]);
}

/** One record for each answer, every one whole. */
function assertRecords(records: readonly UsageRecord[], answers: readonly BulkAnswer[]): void {
  const ascending = (a: number, b: number): number => a - b;
  assert.deepEqual(
    records.map(({ bytes_down }) => bytes_down).toSorted(ascending),
    answers.map(({ bytes }) => bytes).toSorted(ascending),
  );
  assert(
    records.every(({ intact, sse, attempts }) => intact && sse === 'complete' && attempts === 1),
  );
}

for (const way of WAYS) {
  for (const place of ['first', 'last'] as const) {
    test(`${nameOf(way)}: a body of 1 MB with its model ${place} arrives whole on either lane`, async (t) => {
      const rig = await startRig(t, { env: FORCED });
      const client = bulkClient(t, way, doorOf(rig));
      const plain = bodyOf(MEGABYTE, SONNET, place);
      const answer = await client.send(plain);
      const [there] = rig.twin.anthropic.requests();
      assert(there?.body.equals(plain));
      const routed = bodyOf(MEGABYTE, HAIKU, place);
      const keyed = await client.send(routed);
      const [zai] = rig.twin.zai.requests();
      const renamed = routed.toString().replace(HAIKU, 'glm-4.5-air');
      assert(zai?.body.equals(Buffer.from(renamed)));
      const [first, second] = await rig.records(2);
      assertSame(answer, there);
      assertSame(keyed, zai);
      assert.deepEqual([first?.intact, second?.intact], [true, true]);
      assert.deepEqual([first?.lane, first?.bytes_up], ['anthropic', MEGABYTE]);
      assert.deepEqual([second?.lane, second?.bytes_up], ['zai', renamed.length]);
    });
  }
}

/** The records of a body too large to hold, and its anomaly. */
async function assertNotHeld(rig: Rig, count: number): Promise<UsageRecord[]> {
  const records = await rig.records(count);
  const kinds = (await rig.anomalies()).map(({ kind, code }) => `${kind} ${code}`);
  assert.deepEqual(
    kinds,
    Array.from({ length: count }, () => 'not_held hold_limit'),
  );
  for (const record of records) {
    assert.deepEqual(
      [record.lane, record.decision, record.model, record.attempts],
      ['anthropic', 'default', null, 1],
    );
  }
  return records;
}

for (const shape of ['connect', 'gateway', 'h2'] as const) {
  test(`${shape}: a declared body beyond what is held streams down the default lane, whose 413 passes`, async (t) => {
    const rig = await startRig(t, { env: FORCED });
    const body = bodyOf(HELD_BODY_BYTES_MAX + MEGABYTE, HAIKU, 'first');
    const fields = { 'content-type': 'application/json', 'x-api-key': 'sk-ant-fake' };
    const seen = await exchangeOnce(rig.proxy, rig.ca, shape, { fields, body });
    assert.deepEqual([seen.status, seen.whole], [413, true]);
    assert.equal(JSON.parse(seen.body.toString()).error.type, 'request_too_large');
    const [there] = rig.twin.anthropic.requests();
    assert.equal(sha256(seen.body), there?.answer.sha256);
    assert.equal(rig.twin.zai.requests().length, 0);
    const [record] = await assertNotHeld(rig, 1);
    assert.deepEqual([record?.status, record?.err_type, record?.intact], [413, '4xx', true]);
  });
}

/** An upstream that takes any body and answers with what it read. */
function hashingUpstream(t: TestContext, speaks: 'both' | 'h2' = 'both') {
  const serve: Parameters<typeof bulkUpstream>[1] = (request, response) => {
    digestOf(request).then(
      (digest) => response.end(JSON.stringify({ ...digest, trailers: request.trailers })),
      () => response.destroy(),
    );
  };
  return bulkUpstream(t, serve, speaks);
}

/** The body in chunks of that size. */
function chunkedBody(body: Buffer, size: number, trailer: string): Buffer {
  const pieces: Buffer[] = [];
  for (let from = 0; from < body.length; from += size) {
    const data = body.subarray(from, from + size);
    pieces.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n'));
  }
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

for (const [what, size] of [
  ['one chunk', HELD_BODY_BYTES_MAX + MEGABYTE],
  ['many chunks', 60_000],
] as const) {
  for (const http2 of ['0', '1'] as const) {
    test(`a body of undeclared length in ${what} outgrows its place and arrives whole (MITM_HTTP2=${http2})`, async (t) => {
      const upstream = await hashingUpstream(t, http2 === '1' ? 'h2' : 'both');
      const rig = await startRig(t, {
        env: { ...FORCED, MITM_HTTP2: http2 },
        config: (config) => leadLane(config, 'anthropic', upstream),
      });
      const body = bodyOf(HELD_BODY_BYTES_MAX + MEGABYTE, HAIKU, 'last');
      const fields = { 'x-api-key': 'sk-ant-fake', 'transfer-encoding': 'chunked' };
      const wire = chunkedBody(body, size, 'X-Sum: 7\r\n');
      const seen = await exchangeRaw(rig, fields, wire);
      const trailers = { 'x-sum': '7' };
      assert.deepEqual(seen, { bytes: body.length, sha256: sha256(body), trailers });
      const [record] = await assertNotHeld(rig, 1);
      assert.deepEqual(
        [record?.status, record?.h2, record?.bytes_up, record?.intact],
        [200, http2 === '1', body.length, true],
      );
    });
  }
}

/** Sends a body that is framed already, by gateway. */
async function exchangeRaw(
  rig: Rig,
  fields: Readonly<Record<string, string>>,
  wire: Buffer,
): Promise<unknown> {
  const connection = await rawConnect({ to: { host: '127.0.0.1', port: rig.proxy.port } });
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  await connection.send(`POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}\r\n`);
  await connection.send(wire);
  const answer = await connection.readAnswer('POST');
  connection.destroy();
  assert.equal(answer.status, 200);
  return JSON.parse(answer.body.toString());
}

test('an HTTP/2 client’s body of undeclared length outgrows its place and arrives whole', async (t) => {
  const upstream = await hashingUpstream(t);
  const rig = await startRig(t, {
    env: FORCED,
    config: (config) => leadLane(config, 'anthropic', upstream),
  });
  const client = bulkClient(t, { mode: 'connect', protocol: 'h2' }, doorOf(rig));
  const body = bodyOf(HELD_BODY_BYTES_MAX + MEGABYTE, HAIKU, 'last');
  const pieces = Array.from({ length: Math.ceil(body.length / 60_000) }, (_, i) =>
    body.subarray(i * 60_000, (i + 1) * 60_000),
  );
  const answer = await client.open(Readable.from(pieces, { objectMode: false }));
  const seen = (await answer.body.json()) as { sha256: string };
  assert.equal(seen.sha256, sha256(body));
  const [record] = await assertNotHeld(rig, 1);
  assert.equal(record?.bytes_up, body.length);
});

for (const [what, directives, least] of [
  ['a stream of 10 000 events', '[twin: events 10000]', 10_000],
  ['a stream in pieces of 8 bytes', '[twin: chunk 8] [twin: text 300 words]', 50],
] as const) {
  test(`${what} arrives byte for byte by every way, on either lane`, async (t) => {
    const rig = await startRig(t, { env: FORCED });
    const jobs = WAYS.map(async (way, n) => {
      const client = bulkClient(t, way, doorOf(rig));
      const model = n === 0 || n === 3 ? SONNET : HAIKU;
      return { way, answer: await client.send(prompt(model, `${directives} ${nameOf(way)}`)) };
    });
    const done = await Promise.all(jobs);
    const upstreams = requestsOf(rig);
    for (const { way, answer } of done) {
      assertSame(
        answer,
        upstreams.find(({ body }) => body.includes(nameOf(way))),
      );
    }
    const records = await rig.records(done.length);
    assertRecords(
      records,
      done.map(({ answer }) => answer),
    );
    assert(records.every(({ sse_events }) => sse_events >= least));
  });
}

test('256 streams at once, half by CONNECT and half by gateway, are each whole', async (t) => {
  const total = 256;
  const allBegun = Promise.withResolvers<void>();
  const sent = new Map<string, string>();
  const upstream = await bulkUpstream(t, (request, response) => {
    void textOf(request).then(async (body) => {
      const mark = /<\d+>/.exec(body)?.[0] ?? '';
      const [first = '', ...rest] = eventsFor(mark);
      sent.set(mark, sha256(Buffer.from([first, ...rest].join(''))));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(first);
      // Not one goes on before the last has begun: so all of them are open at one moment.
      await allBegun.promise;
      for (const event of rest) response.write(event);
      response.end();
    });
  });
  const rig = await startRig(t, {
    env: FORCED,
    config: (config) => leadLane(leadLane(config, 'anthropic', upstream), 'zai', upstream),
  });
  const clients = WAYS.map((way) => bulkClient(t, way, doorOf(rig)));
  const opened = await Promise.all(
    Array.from({ length: total }, (_, n) => {
      const client = clients[n % clients.length];
      assert(client);
      return client.open(prompt(n % 3 === 0 ? HAIKU : SONNET, `<${n}>`));
    }),
  );
  assert.equal(rig.proxy.control.status().exchanges.open, total);
  allBegun.resolve();
  const answers = await Promise.all(
    opened.map(async ({ statusCode, body }) => ({
      status: statusCode,
      ...(await digestOf(body)),
    })),
  );
  for (const [n, answer] of answers.entries()) {
    assert.deepEqual([answer.status, answer.sha256], [200, sent.get(`<${n}>`)]);
  }
  const records = await rig.records(total);
  assertRecords(records, answers);
  assert.equal(records.filter(({ lane }) => lane === 'zai').length, Math.ceil(total / 3));
  assert.deepEqual(await rig.anomalies(), []);
});

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** The events of a short stream. */
function eventsFor(mark: string): string[] {
  const event = (type: string, more: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const usage = { input_tokens: 3, output_tokens: 1 };
  const delta = { index: 0, delta: { type: 'text_delta', text: `${mark} and so on` } };
  return [
    event('message_start', { message: { model: 'claude-sonnet-5-5', usage } }),
    ...Array.from({ length: 40 }, () => event('content_block_delta', delta)),
    event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 40 } }),
    event('message_stop', {}),
  ];
}

test('64 uploads of 1 MB at once over HTTP/1.1 each arrive whole', async (t) => {
  const rig = await startRig(t);
  const clients = WAYS.filter(({ protocol }) => protocol === 'h1').map((way) =>
    bulkClient(t, way, doorOf(rig)),
  );
  await uploadAtOnce(rig, clients, SONNET, 64);
});

for (const model of [SONNET, HAIKU]) {
  test(`64 uploads of 1 MB at once with HTTP/2 on both sides each arrive whole (${model})`, async (t) => {
    const rig = await startRig(t, { env: FORCED });
    const client = bulkClient(t, { mode: 'connect', protocol: 'h2' }, doorOf(rig));
    const records = await uploadAtOnce(rig, [client], model, 64);
    assert(records.every(({ h2 }) => h2));
  });
}

test('answers that come before large bodies have left pass on over HTTP/2', async (t) => {
  const serve: Parameters<typeof bulkUpstream>[1] = (_request, response) => {
    response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '7' });
    response.end('{"error":{"type":"rate_limit_error"}}');
  };
  const upstream = await bulkUpstream(t, serve, 'h2');
  const rig = await startRig(t, {
    env: { ...FORCED, MITM_HTTP2: '1' },
    config: (config) => leadLane(config, 'zai', upstream),
  });
  const body = bodyOf(30 * MEGABYTE, HAIKU, 'first');
  // One request first, so that the others find a session.
  const ways = WAYS.filter(({ protocol }) => protocol === 'h1');
  const clients = [...ways, ...ways].map((way) => bulkClient(t, way, doorOf(rig)));
  for (const round of [clients.slice(0, 1), clients]) {
    for (const { status } of await Promise.all(round.map((client) => client.send(body)))) {
      assert.equal(status, 429);
    }
  }
  const records = await rig.records(clients.length + 1);
  assert(records.every(({ h2, intact, lane }) => h2 && intact && lane === 'zai'));
  assert.deepEqual(await rig.anomalies(), []);
});

async function uploadAtOnce(
  rig: Rig,
  clients: readonly BulkClient[],
  model: string,
  count: number,
): Promise<UsageRecord[]> {
  const bodies = Array.from({ length: count }, (_, n) =>
    bodyOf(MEGABYTE, model, n % 4 < 2 ? 'first' : 'last', `<${n}>`),
  );
  const answers = await Promise.all(
    bodies.map(async (body, n) => {
      const client = clients[n % clients.length];
      assert(client);
      return client.send(body);
    }),
  );
  const sent = model === SONNET ? model : 'glm-4.5-air';
  const upstreams = new Map(requestsOf(rig).map((request) => [sha256(request.body), request]));
  assert.equal(upstreams.size, count);
  for (const [n, answer] of answers.entries()) {
    const arrived = Buffer.from(bodies[n]?.toString().replace(model, sent) ?? '');
    assertSame(answer, upstreams.get(sha256(arrived)));
  }
  const records = await rig.records(count);
  assertRecords(records, answers);
  assert.deepEqual(await rig.anomalies(), []);
  return records;
}
