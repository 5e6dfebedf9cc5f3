import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { type RawAnswer, rawConnect } from '../../test/support/raw-client.ts';
import { headerOf, startTwin, TWIN_ZAI_KEY, type TwinEndpoint, type TwinOptions } from './index.ts';

interface Context {
  after(run: () => Promise<void> | void): void;
}

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly fields?: readonly string[];
  readonly body?: string | Buffer;
}

async function anthropic(context: Context, options: TwinOptions = {}): Promise<TwinEndpoint> {
  const twin = await startTwin(options);
  context.after(() => twin.close());
  return twin.anthropic;
}

async function zai(context: Context, options: TwinOptions = {}): Promise<TwinEndpoint> {
  const twin = await startTwin(options);
  context.after(() => twin.close());
  return twin.zai;
}

async function call(twin: TwinEndpoint, request: Call): Promise<RawAnswer> {
  const { method = 'POST', fields = ['x-api-key: k'], body = '' } = request;
  const path = request.path ?? `${twin.basePath}/v1/messages`;
  const connection = await rawConnect({ to: twin, tls: { ca: twin.ca, servername: 'localhost' } });
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  const head = [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...fields, length, '', ''];
  await connection.send(Buffer.concat([Buffer.from(head.join('\r\n')), Buffer.from(body)]));
  const answer = await connection.readAnswer(method);
  connection.destroy();
  return answer;
}

function ask(content: string, more: object = {}): string {
  const messages = [{ role: 'user', content }];
  return JSON.stringify({ model: 'claude-haiku-5-5', max_tokens: 4096, messages, ...more });
}

function json(answer: RawAnswer): Record<string, unknown> {
  return JSON.parse(answer.body.toString()) as Record<string, unknown>;
}

/** The data of each event of a stream, with its name checked. */
function eventsOf(payload: Buffer): Record<string, unknown>[] {
  const blocks = payload.toString().split('\n\n');
  assert.equal(blocks.pop(), '', 'a stream ends with an empty line');
  return blocks.map((block) => {
    const match = /^event: (\w+)\ndata: (.*)$/.exec(block);
    assert(match, block);
    const data = JSON.parse(match[2] ?? '') as Record<string, unknown>;
    assert.equal(data['type'], match[1]);
    return data;
  });
}

test('a stream keeps the event grammar, each event in a chunk of its own', async (t) => {
  const twin = await anthropic(t);
  const body = ask('[twin: events 3] [twin: tool A {"x":1}]', {
    stream: true,
    thinking: { type: 'adaptive', display: 'omitted' },
  });
  const answer = await call(twin, { body });
  assert.equal(headerOf(answer.fields, 'content-type'), 'text/event-stream; charset=utf-8');
  assert.equal(headerOf(answer.fields, 'transfer-encoding'), 'chunked');
  const events = eventsOf(answer.body);
  const kinds = events.map((event) => String(event['type']).replace('content_block_', ''));
  const text = ['start', 'delta', 'delta', 'delta', 'stop'];
  const tool = kinds.slice(10, -2);
  assert.deepEqual(kinds.slice(0, 10), [
    'message_start',
    'start',
    'ping',
    'delta',
    'stop',
    ...text,
  ]);
  assert.deepEqual([tool[0], tool.at(-1)], ['start', 'stop']);
  assert(tool.length > 3 && tool.slice(1, -1).every((kind) => kind === 'delta'));
  assert.deepEqual(kinds.slice(-2), ['message_delta', 'message_stop']);
  const chunks = answer.wire.toString('latin1').match(/\r\nevent: /g) ?? [];
  assert.equal(chunks.length, events.length, 'one chunk an event');
});

test('the same bytes get the same answer: at any time, in another twin, over HTTP/2', async (t) => {
  const body = ask('[twin: text 40 words] [twin: tool A {"x":1}]', { stream: true });
  const first = await anthropic(t);
  const second = await anthropic(t);
  const answers = [
    await call(first, { body }),
    await call(first, { body }),
    await call(second, { body }),
  ];
  for (const answer of answers) assert.deepEqual(answer.head, answers[0]?.head);
  for (const answer of answers) assert.deepEqual(answer.wire, answers[0]?.wire);
  const session = http2.connect(first.origin, { ca: first.ca });
  const stream = session.request({
    ':method': 'POST',
    ':path': '/v1/messages?beta=true',
    'x-api-key': 'another',
  });
  stream.end(body);
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  session.destroy();
  assert.deepEqual(Buffer.concat(pieces), answers[0]?.body);
});

test('another seed gets another answer', async (t) => {
  const body = ask('[twin: text 40 words]');
  const one = await call(await anthropic(t, { seed: 1 }), { body });
  const two = await call(await anthropic(t, { seed: 2 }), { body });
  assert.notEqual(one.body.toString(), two.body.toString());
});

const DECODERS = {
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync,
  deflate: zlib.inflateSync,
};

for (const [coding, decode] of Object.entries(DECODERS)) {
  for (const stream of [true, false]) {
    test(`${coding} ${stream ? 'streams' : 'messages'} decode to the plain ones`, async (t) => {
      const twin = await anthropic(t);
      const body = ask(`[twin: encoding ${coding}] [twin: say encoded words]`, { stream });
      const answer = await call(twin, { body });
      assert.equal(headerOf(answer.fields, 'content-encoding'), coding);
      const plain = decode(answer.body);
      assert(plain.includes('encoded'));
      if (stream) assert.equal(eventsOf(plain).at(-1)?.['type'], 'message_stop');
      const [received] = twin.requests();
      assert.equal(received?.answer.bytes, answer.body.length);
      assert.equal(received?.answer.sha256, createHash('sha256').update(answer.body).digest('hex'));
    });
  }
}

test('`encoding auto` takes what Accept-Encoding allows, and nothing without it', async (t) => {
  const twin = await anthropic(t);
  const body = ask('[twin: encoding auto]');
  const fields = ['x-api-key: k', 'Accept-Encoding: gzip, br;q=0'];
  assert.equal(headerOf((await call(twin, { body, fields })).fields, 'content-encoding'), 'gzip');
  assert.equal(headerOf((await call(twin, { body })).fields, 'content-encoding'), undefined);
});

test('`chunk` cuts the payload and changes nothing of it', async (t) => {
  const twin = await anthropic(t);
  const answer = await call(twin, {
    body: ask('[twin: events 9][twin: chunk 100]', { stream: true }),
  });
  const sizes = [...answer.wire.toString('latin1').matchAll(/(?:^|\r\n)([0-9a-f]+)\r\n/g)];
  assert(sizes.slice(0, -2).every((match) => match[1] === '64'));
  assert.equal(eventsOf(answer.body).length, 15);
});

test('keys and subscriptions get the fields of their own limits', async (t) => {
  const twin = await anthropic(t);
  const body = ask('hi');
  const byKey = await call(twin, { body });
  assert(headerOf(byKey.fields, 'anthropic-ratelimit-tokens-limit'));
  const id = headerOf(byKey.fields, 'request-id') ?? '';
  assert.match(id, /^req_011C\w{20}$/);
  assert.equal(twin.requests().at(-1)?.answer.requestId, id);
  assert(headerOf(byKey.fields, 'anthropic-organization-id'));
  const cookies = byKey.fields.filter(([name]) => name === 'Set-Cookie');
  assert.equal(cookies.length, 2, 'a field that comes twice stays two lines');
  const token = 'Authorization: Bearer sk-ant-oat01-fake';
  const byToken = await call(twin, {
    body,
    fields: [token, 'anthropic-beta: a, oauth-2025-04-20'],
  });
  assert.equal(headerOf(byToken.fields, 'anthropic-ratelimit-unified-status'), 'allowed');
  const stripped = await call(twin, { body, fields: [token] });
  assert.equal(stripped.status, 401, 'an OAuth token needs its beta');
});

const REFUSALS: readonly (readonly [what: string, status: number, type: string, call: Call])[] = [
  ['no credential', 401, 'authentication_error', { fields: [], body: ask('hi') }],
  ['invalid JSON', 400, 'invalid_request_error', { body: '{"model":' }],
  ['no object', 400, 'invalid_request_error', { body: '[]' }],
  ['no model', 400, 'invalid_request_error', { body: ask('hi', { model: undefined }) }],
  ['no messages', 400, 'invalid_request_error', { body: ask('hi', { messages: undefined }) }],
  ['empty messages', 400, 'invalid_request_error', { body: ask('hi', { messages: [] }) }],
  ['no max_tokens', 400, 'invalid_request_error', { body: ask('hi', { max_tokens: undefined }) }],
  ['a bad directive', 400, 'invalid_request_error', { body: ask('[twin: dance]') }],
  ['a foreign model', 404, 'not_found_error', { body: ask('hi', { model: 'glm-4.5-air' }) }],
  ['an unknown path', 404, 'not_found_error', { path: '/v1/messages/batches' }],
  ['settings', 404, 'not_found_error', { method: 'GET', path: '/api/claude_code/settings' }],
  ['a wrong method', 405, 'invalid_request_error', { method: 'GET' }],
  ['a huge body', 413, 'request_too_large', { body: Buffer.alloc(33 * 1024 * 1024, 'x') }],
];

for (const [what, status, type, request] of REFUSALS) {
  test(`${what} is ${status} ${type}`, async (t) => {
    const answer = await call(await anthropic(t), request);
    assert.equal(answer.status, status);
    const body = json(answer);
    assert.equal(body['type'], 'error');
    assert.equal((body['error'] as { type: string }).type, type);
    assert.equal(body['request_id'], headerOf(answer.fields, 'request-id'));
  });
}

test('probes are answered without a credential', async (t) => {
  const twin = await anthropic(t);
  for (const path of ['/', '/api/hello']) {
    const answer = await call(twin, { method: 'HEAD', path, fields: [] });
    assert.deepEqual([answer.status, answer.body.length], [200, 0]);
  }
  const token = await call(twin, { path: '/v1/oauth/token', fields: [], body: '{}' });
  assert.equal(token.status, 400);
  assert.equal(json(token)['error'], 'invalid_grant');
});

test('zai counts only at the end, and answers with the model that was asked', async (t) => {
  const twin = await zai(t);
  const body = ask('hello', { model: 'glm-4.5-air', stream: true });
  const answer = await call(twin, { body, fields: [`x-api-key: ${TWIN_ZAI_KEY}`] });
  const events = eventsOf(answer.body);
  const start = events[0]?.['message'] as { model: string; usage: object };
  assert.equal(start.model, 'glm-4.5-air');
  assert.deepEqual(start.usage, { input_tokens: 0, output_tokens: 0 });
  const { usage } = events.at(-2) as { usage: { input_tokens: number; output_tokens: number } };
  assert(usage.input_tokens > 0 && usage.output_tokens > 0);
  assert(answer.body.includes('zai'));
  const id = headerOf(answer.fields, 'x-log-id');
  assert(id !== undefined);
  assert.equal(twin.requests().at(-1)?.answer.requestId, id);
});

const KEY_FIELDS = {
  'x-api-key': `x-api-key: ${TWIN_ZAI_KEY}`,
  authorization: `Authorization: Bearer ${TWIN_ZAI_KEY}`,
};

for (const zaiAccepts of ['both', 'x-api-key', 'authorization'] as const) {
  test(`zai that accepts ${zaiAccepts} refuses the rest with 401 and a business code`, async (t) => {
    const twin = await zai(t, { zaiAccepts });
    for (const [mode, field] of Object.entries(KEY_FIELDS)) {
      const answer = await call(twin, { body: ask('hi'), fields: [field] });
      const accepted = zaiAccepts === 'both' || zaiAccepts === mode;
      assert.equal(answer.status, accepted ? 200 : 401);
    }
    const wrong = await call(twin, { body: ask('hi'), fields: ['x-api-key: sk-ant-api03-fake'] });
    assert.equal(wrong.status, 401);
    const body = json(wrong);
    assert.match((body['error'] as { code: string }).code, /^100\d$/);
    assert.equal(body['request_id'], headerOf(wrong.fields, 'x-log-id'));
  });
}

test('zai gives business codes, by the directive or by the status', async (t) => {
  const twin = await zai(t);
  const fields = [KEY_FIELDS['x-api-key']];
  for (const [directive, status, code] of [
    ['status 429', 429, '1302'],
    ['status 429 code=1308', 429, '1308'],
    ['status 529', 529, '1305'],
  ] as const) {
    const answer = await call(twin, { body: ask(`[twin: ${directive}]`), fields });
    assert.equal(answer.status, status);
    assert.equal((json(answer)['error'] as { code: string }).code, code);
  }
});

test('zai may lack count_tokens, and lacks everything outside of its base path', async (t) => {
  const fields = [KEY_FIELDS['x-api-key']];
  const path = '/api/anthropic/v1/messages/count_tokens?beta=true';
  const present = await call(await zai(t), { path, body: ask('hi'), fields });
  assert.equal(typeof json(present)['input_tokens'], 'number');
  const without = await zai(t, { zaiCountTokens: false });
  assert.equal((await call(without, { path, body: ask('hi'), fields })).status, 404);
  for (const outside of ['/v1/messages', '/api/anthropic', '/api/anthropicx/v1/messages']) {
    assert.equal((await call(without, { path: outside, body: ask('hi'), fields })).status, 404);
  }
});

test('only the newest requests are kept, and a wait ends in time', async (t) => {
  const twin = await anthropic(t, { keep: 2 });
  for (const path of ['/a', '/b', '/c']) await call(twin, { method: 'GET', path });
  assert.deepEqual(
    twin.requests().map((request) => [request.id, request.path]),
    [
      [2, '/b'],
      [3, '/c'],
    ],
  );
  const later = twin.waitFor((request) => request.path === '/d');
  await call(twin, { method: 'GET', path: '/d' });
  assert.equal((await later).id, 4);
  await assert.rejects(
    twin.waitFor((request) => request.path === '/e', 1),
    /no such request/,
  );
  twin.clear();
  assert.equal(twin.requests().length, 0);
});

test('closing ends open streams and leaves no connection', async () => {
  const twin = await startTwin();
  const { anthropic: endpoint } = twin;
  const connection = await rawConnect({
    to: endpoint,
    tls: { ca: endpoint.ca, servername: 'localhost' },
  });
  const body = ask('[twin: pause 60000 after=1]', { stream: true });
  await connection.send(
    `POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  assert.equal((await connection.readHead()).status, 200);
  assert.equal(endpoint.connections(), 1);
  await twin.close();
  await connection.reader.ending;
  assert.equal(endpoint.connections(), 0);
  const request = await endpoint.waitFor((received) => received.aborted);
  assert.equal(request.answer.ended, false);
});
