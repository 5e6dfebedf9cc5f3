/**
 * The plain port through the whole proxy: gateway mode in both target forms, what web pages and
 * strangers are told, the token, and plain http to other hosts.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import http2 from 'node:http2';
import path from 'node:path';
import { test } from 'node:test';
import { ERROR_HEADER } from '../src/core/errors.ts';
import { headerOf } from '../src/twin/index.ts';
import { ByteReader } from './support/byte-reader.ts';
import { closedPort, startOrigin } from './support/origin.ts';
import { type RawAnswer, type RawConnection, rawConnect } from './support/raw-client.ts';
import { type Rig, startRig } from './support/rig.ts';
import { FAKE_API_KEY } from './support/sdk.ts';

const LIMIT = { timeout: 20_000 };
const TOKEN = 'fake-token-canary-0123456789';

function bodyFor(model: string): string {
  const messages = [{ role: 'user', content: 'hello' }];
  return JSON.stringify({ model, max_tokens: 64, messages });
}

interface Parts {
  readonly method?: string;
  readonly target?: string;
  /** Field lines before the framing. */
  readonly lines?: readonly string[];
  readonly body?: string;
}

function requestOf({ method = 'POST', target = '/v1/messages', lines = [], body }: Parts): string {
  const content = body ?? bodyFor('claude-sonnet-5-5');
  const framing = method === 'POST' ? [`Content-Length: ${Buffer.byteLength(content)}`] : [];
  const head = [`${method} ${target} HTTP/1.1`, ...lines, `x-api-key: ${FAKE_API_KEY}`, ...framing];
  return `${head.join('\r\n')}\r\n\r\n${method === 'POST' ? content : ''}`;
}

function open({ proxy }: Rig): Promise<RawConnection> {
  return rawConnect({ to: { host: '127.0.0.1', port: proxy.port } });
}

/** One request over a connection of its own. */
async function send(rig: Rig, parts: Parts): Promise<RawAnswer> {
  const client = await open(rig);
  await client.send(requestOf(parts));
  const answer = await client.readAnswer(parts.method ?? 'POST');
  client.destroy();
  return answer;
}

function field({ fields }: RawAnswer, name: string): string | undefined {
  return fields.find((pair) => pair[0].toLowerCase() === name)?.[1];
}

/** Status and code of a local error, whose body must be the Messages API's. */
function errorOf(answer: RawAnswer): string {
  const code = field(answer, ERROR_HEADER);
  const body = JSON.parse(answer.body.toString()) as {
    type: string;
    error: { type: string; message: string };
  };
  assert.equal(body.type, 'error');
  assert(body.error.message.endsWith(`[${code}]`), body.error.message);
  return `${answer.status} ${code}`;
}

function textOf(answer: RawAnswer): string {
  assert.equal(answer.status, 200, answer.body.toString());
  const body = JSON.parse(answer.body.toString()) as { content: { type: string; text: string }[] };
  return body.content.find(({ type }) => type === 'text')?.text ?? '';
}

/** Nothing of what was refused went further. */
async function assertNothingPassed(rig: Rig): Promise<void> {
  assert.equal(rig.twin.anthropic.requests().length + rig.twin.zai.requests().length, 0);
  assert.deepEqual(await rig.records(0), []);
}

test('it answers to every loopback name, in origin form and in absolute form', LIMIT, async (t) => {
  const rig = await startRig(t);
  const { port } = rig.proxy;
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`];
  for (const host of hosts) {
    const lines = [`Host: ${host}`];
    assert.equal(textOf(await send(rig, { lines })), 'ok from anthropic');
    const target = `http://${host}/v1/messages?beta=true`;
    assert.equal(textOf(await send(rig, { target, lines })), 'ok from anthropic');
  }
  const targets = rig.twin.anthropic.requests().map((request) => request.path);
  assert.deepEqual(
    targets,
    hosts.flatMap(() => ['/v1/messages', '/v1/messages?beta=true']),
  );
});

test('it routes by model in either form', LIMIT, async (t) => {
  const rig = await startRig(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
  const host = `127.0.0.1:${rig.proxy.port}`;
  const lines = [`Host: ${host}`];
  for (const target of ['/v1/messages', `http://${host}/v1/messages`]) {
    const haiku = { target, lines, body: bodyFor('claude-haiku-5-5') };
    assert.equal(textOf(await send(rig, haiku)), 'ok from zai');
    assert.equal(textOf(await send(rig, { target, lines })), 'ok from anthropic');
  }
  const decisions = (await rig.records(4)).map(({ decision }) => decision);
  assert.deepEqual(decisions, ['forced_model', 'default', 'forced_model', 'default']);
  assert(
    rig.twin.zai.requests().every(({ rawHeaders }) => !`${rawHeaders}`.includes(FAKE_API_KEY)),
  );
});

test('a name that a web page could have bound to loopback is refused', LIMIT, async (t) => {
  const rig = await startRig(t);
  const { port } = rig.proxy;
  const strangers = [
    `evil.example:${port}`,
    'evil.example',
    `127.0.0.1.evil.example:${port}`,
    `localhost.evil.example:${port}`,
    `192.0.2.7:${port}`,
    `api.anthropic.com:${port}`,
  ];
  for (const stranger of strangers) {
    const answer = await send(rig, { lines: [`Host: ${stranger}`] });
    assert.equal(errorOf(answer), '403 foreign_host', stranger);
  }
  await assertNothingPassed(rig);
});

test('requests of web pages are refused, whatever they call themselves', LIMIT, async (t) => {
  const rig = await startRig(t);
  const host = `Host: 127.0.0.1:${rig.proxy.port}`;
  const signs = [
    'Origin: https://evil.example',
    'Origin: null',
    `Origin: http://127.0.0.1:${rig.proxy.port}`,
    'Sec-Fetch-Site: cross-site',
    'Sec-Fetch-Site: same-site',
    'sec-fetch-site: same-origin',
  ];
  for (const sign of signs) {
    for (const method of ['POST', 'GET', 'OPTIONS']) {
      const answer = await send(rig, { method, lines: [host, sign] });
      assert.equal(errorOf(answer), '403 foreign_origin', `${method} ${sign}`);
      const grants = answer.fields.filter(([name]) => /^access-control-/i.test(name));
      assert.deepEqual(grants, [], 'no page may read it');
    }
  }
  await assertNothingPassed(rig);
  // What a person types into the address bar.
  const typed = await send(rig, { lines: [host, 'Sec-Fetch-Site: none'] });
  assert.equal(textOf(typed), 'ok from anthropic');
});

test('the body of a refused request is never read as requests', LIMIT, async (t) => {
  const rig = await startRig(t);
  const host = `Host: 127.0.0.1:${rig.proxy.port}`;
  const client = await open(rig);
  const smuggled = requestOf({ lines: [host] });
  const lines = [host, 'Origin: https://evil.example'];
  await client.send(requestOf({ lines, body: smuggled }));
  const answer = await client.readAnswer();
  assert.equal(errorOf(answer), '403 foreign_origin');
  assert.equal(field(answer, 'connection'), 'close');
  assert.equal((await client.reader.rest()).length, 0);
  client.destroy();
  await assertNothingPassed(rig);
});

test('a request without exactly one valid Host is refused', LIMIT, async (t) => {
  const rig = await startRig(t);
  const host = `127.0.0.1:${rig.proxy.port}`;
  for (const lines of [
    [],
    [`Host: ${host}`, `Host: ${host}`],
    [`Host: ${host}`, 'Host: evil.example'],
    ['Host: a b'],
    ['Host: user@127.0.0.1'],
  ]) {
    assert.equal(errorOf(await send(rig, { lines })), '400 bad_host', lines.join());
  }
  const target = `http://${host}/v1/messages`;
  assert.equal(errorOf(await send(rig, { target, lines: ['Host: evil.example'] })), '400 bad_host');
  await assertNothingPassed(rig);
});

test('with a token nothing passes without it, and it goes no further', LIMIT, async (t) => {
  const rig = await startRig(t, { env: { LANEKEEPER_TOKEN: TOKEN } });
  const host = `Host: 127.0.0.1:${rig.proxy.port}`;
  const basic = (password: string): string =>
    `Proxy-Authorization: Basic ${Buffer.from(`any:${password}`).toString('base64')}`;
  const outsiders = [
    [],
    ['X-Lanekeeper-Token: wrong'],
    [basic('wrong')],
    [`Authorization: Bearer ${TOKEN}`],
    [`X-Lanekeeper-Token: ${TOKEN.slice(1)}`],
  ];
  for (const lines of outsiders) {
    for (const target of ['/v1/messages', `http://127.0.0.1:${rig.proxy.port}/v1/messages`]) {
      const answer = await send(rig, { target, lines: [host, ...lines] });
      assert.equal(errorOf(answer), '407 proxy_auth_required', lines.join());
      assert.match(field(answer, 'proxy-authenticate') ?? '', /^Basic realm=/);
    }
  }
  const page = [host, `X-Lanekeeper-Token: ${TOKEN}`, 'Origin: https://evil.example'];
  assert.equal(errorOf(await send(rig, { lines: page })), '403 foreign_origin');
  await assertNothingPassed(rig);

  for (const line of [`X-Lanekeeper-Token: ${TOKEN}`, basic(TOKEN)]) {
    assert.equal(textOf(await send(rig, { lines: [host, line] })), 'ok from anthropic');
  }
  // A client on another machine has no loopback name for us.
  const away = ['Host: workstation.example:8082', `X-Lanekeeper-Token: ${TOKEN}`];
  assert.equal(textOf(await send(rig, { lines: away })), 'ok from anthropic');
  for (const { rawHeaders } of rig.twin.anthropic.requests()) {
    assert.equal(headerOf(rawHeaders, 'x-lanekeeper-token'), undefined);
    assert.equal(headerOf(rawHeaders, 'proxy-authorization'), undefined);
    assert.equal(headerOf(rawHeaders, 'x-api-key'), FAKE_API_KEY);
    assert(!JSON.stringify(rawHeaders).includes(TOKEN));
  }
  await rig.records(3);
  const logs = path.join(rig.home, 'logs');
  for (const name of await readdir(logs)) {
    assert(!(await readFile(path.join(logs, name), 'utf8')).includes(TOKEN));
  }
});

test('the same guards hold over HTTP/2', LIMIT, async (t) => {
  const open_ = await startRig(t);
  const shut = await startRig(t, { env: { LANEKEEPER_TOKEN: TOKEN } });
  const ask = async (rig: Rig, fields: Record<string, string>): Promise<string> => {
    const session = http2.connect(rig.proxy.url);
    session.on('error', () => {});
    const stream = session.request({
      ':method': 'POST',
      ':path': '/v1/messages',
      'x-api-key': FAKE_API_KEY,
      ...fields,
    });
    let said = '';
    stream.on('response', (head) => {
      said = `${head[':status']} ${head[ERROR_HEADER] ?? ''}`.trim();
    });
    stream.resume().end(bodyFor('claude-sonnet-5-5'));
    await new Promise((resolve) => stream.once('close', resolve));
    session.destroy();
    return said;
  };
  assert.equal(await ask(open_, { ':authority': 'evil.example' }), '403 foreign_host');
  assert.equal(await ask(open_, { origin: 'https://evil.example' }), '403 foreign_origin');
  assert.equal(await ask(open_, { 'sec-fetch-site': 'cross-site' }), '403 foreign_origin');
  assert.equal(await ask(open_, {}), '200');
  assert.equal(await ask(shut, {}), '407 proxy_auth_required');
  assert.equal(await ask(shut, { 'x-lanekeeper-token': TOKEN }), '200');
  const [arrived] = shut.twin.anthropic.requests();
  assert.equal(headerOf(arrived?.rawHeaders ?? [], 'x-lanekeeper-token'), undefined);
});

test('plain http to another host is forwarded to it, and to it alone', LIMIT, async (t) => {
  const rig = await startRig(t);
  const heard = Promise.withResolvers<string>();
  const origin = await startOrigin(t, async (socket) => {
    const reader = new ByteReader(socket);
    const head = await reader.through('\r\n\r\n');
    heard.resolve(`${head}${await reader.exactly(5)}`);
    socket.end('HTTP/1.1 201 Made\r\nX-Kept: Yes\r\nContent-Length: 6\r\n\r\nforth!');
  });
  const client = await open(rig);
  const host = `127.0.0.1:${origin.port}`;
  await client.send(
    `PUT http://${host}/a/b?c=d HTTP/1.1\r\nHost: ${host}\r\nX-Mine: 1\r\nProxy-Connection: keep-alive\r\nContent-Length: 5\r\n\r\nthere`,
  );
  const answer = await client.readAnswer();
  assert.deepEqual([answer.status, answer.reason], [201, 'Made']);
  assert.equal(field(answer, 'x-kept'), 'Yes');
  assert.equal(answer.body.toString(), 'forth!');
  const [line, ...lines] = (await heard.promise).split('\r\n');
  assert.equal(line, 'PUT /a/b?c=d HTTP/1.1');
  assert(lines.includes(`Host: ${host}`) && lines.includes('X-Mine: 1'));
  assert(!lines.some((sent) => /^proxy-/i.test(sent)));
  assert.equal(lines.at(-1), 'there');
  client.destroy();
  await assertNothingPassed(rig);
});

test(
  'plain http to the intercepted host is refused: no credential in the clear',
  LIMIT,
  async (t) => {
    const rig = await startRig(t);
    for (const host of [
      'api.anthropic.com',
      'api.anthropic.com:80',
      'API.anthropic.com',
      'api.anthropic.com:8080',
    ]) {
      const answer = await send(rig, {
        target: `http://${host}/v1/messages`,
        lines: [`Host: ${host}`],
      });
      assert.equal(errorOf(answer), '403 plain_intercepted', host);
    }
    await assertNothingPassed(rig);
  },
);

test('plain http that can not be forwarded is answered by its fault', LIMIT, async (t) => {
  const rig = await startRig(t);
  const refused = `127.0.0.1:${await closedPort()}`;
  const answer = await send(rig, { target: `http://${refused}/`, lines: [`Host: ${refused}`] });
  assert.equal(errorOf(answer), '502 upstream_refused');
  const secure = { target: 'https://127.0.0.1/', lines: ['Host: 127.0.0.1'] };
  assert.equal(errorOf(await send(rig, secure)), '400 bad_request');
  await assertNothingPassed(rig);
});

test('OPTIONS with Max-Forwards: 0 is answered here and leaves nothing', LIMIT, async (t) => {
  const rig = await startRig(t);
  const lines = [`Host: 127.0.0.1:${rig.proxy.port}`, 'Max-Forwards: 0'];
  const answer = await send(rig, { method: 'OPTIONS', target: '*', lines });
  assert.deepEqual([answer.status, field(answer, 'x-lanekeeper')], [204, '0.0.0-test']);
  await assertNothingPassed(rig);
});
