/**
 * Whose credential goes where: canaries of every kind through hundreds of mixed exchanges, and then a
 * search of everything that came out: each byte that each upstream received, every file under the
 * home, all output, the control socket's answers and the metrics; plain and encoded.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { callControl } from '../src/admin/client.ts';
import {
  CANARY_PROMPTS,
  type Canaries,
  canaryHeaders,
  canaryMessages,
  mintCanaries,
} from '../src/cli/verify/canaries.ts';
import type { AnomalyRecord } from '../src/ledger/record.ts';
import { type ReceivedRequest, startTwin } from '../src/twin/index.ts';
import { runCommand } from './support/command.ts';
import { type ProxyProcess, startProxyProcess } from './support/proxy-process.ts';
import { rawConnect } from './support/raw-client.ts';
import { exchangeOnce, type RequestParts, type Seen, type Shape } from './support/raw-exchange.ts';
import { startRig } from './support/rig.ts';

const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';

/** What of the client must never be seen by another provider. */
const CLIENT_ONLY = [
  'apiKey',
  'oauth',
  'cookie',
  'organisation',
  'account',
  'device',
  'session',
  'attribution',
  'sonnetPrompt',
] as const satisfies readonly (keyof Canaries)[];

/** A text in the ways it could be written down. */
function spellings(canary: string): Buffer[] {
  const bytes = Buffer.from(canary);
  const json = JSON.stringify(canary).slice(1, -1);
  const ascii = json.replace(
    /[^\x20-\x7e]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const texts = [
    canary,
    json,
    ascii,
    JSON.stringify(json).slice(1, -1),
    encodeURIComponent(canary),
    encodeURI(canary),
    bytes.toString('hex'),
  ];
  // Whatever stands before it, the middle of it is spelt in one of three ways.
  for (const coding of ['base64', 'base64url'] as const) {
    for (const offset of [0, 1, 2]) {
      const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString(coding);
      texts.push(text.slice(offset === 0 ? 0 : 4, -4));
    }
  }
  return [...new Set(texts)].map((text) => Buffer.from(text));
}

function findIn(haystack: Buffer | string, canary: string): boolean {
  const bytes = Buffer.from(haystack);
  return spellings(canary).some((spelling) => bytes.includes(spelling));
}

test('the search finds a canary however it is spelt', () => {
  const canary = mintCanaries().sonnetPrompt;
  for (const [name, hidden] of [
    ['plain', `x${canary}y`],
    ['JSON', JSON.stringify({ a: `x${canary}y` })],
    ['JSON in JSON', JSON.stringify(JSON.stringify([canary]))],
    ['base64', Buffer.from(`ab${canary}cd`).toString('base64')],
    ['base64 elsewhere', Buffer.from(`abc${canary}cd`).toString('base64')],
    ['URL', `https://x/?q=${encodeURIComponent(canary)}`],
    ['hex', Buffer.from(canary).toString('hex')],
  ] as const) {
    assert(findIn(hidden, canary), name);
  }
  assert(!findIn('nothing here', canary));
});

/** The request, and on the way to it the token of the proxy. */
function request(c: Canaries, asked: Parameters<typeof canaryMessages>[1]): RequestParts {
  const { path: target, headers, body } = canaryMessages(c, asked);
  const basic = Buffer.from(`x:${c.proxyToken}`).toString('base64');
  return {
    path: target,
    fields: headers,
    connectFields: [`Proxy-Authorization: Basic ${basic}`],
    body,
  };
}

/** Over two hundred exchanges of all kinds. Returns how many. */
async function traffic(proxy: ProxyProcess, ca: string, c: Canaries): Promise<number> {
  let count = 0;
  const send = async (shape: Shape, parts: RequestParts): Promise<Seen> => {
    count += 1;
    return exchangeOnce(proxy, ca, shape, parts);
  };
  for (const shape of ['connect', 'gateway', 'h2'] as const) {
    for (const auth of ['key', 'oauth'] as const) {
      for (const [index, prompt] of CANARY_PROMPTS.entries()) {
        const asked = { auth, prompt, stream: index % 2 === 0 };
        await Promise.all([
          send(shape, request(c, { ...asked, model: HAIKU, agent: true })),
          send(shape, request(c, { ...asked, model: HAIKU, agent: false })),
          send(shape, request(c, { ...asked, model: SONNET, agent: true })),
        ]);
      }
      const haiku = request(c, { model: HAIKU, auth, prompt: 'count', agent: true, stream: false });
      const plain = { connectFields: haiku.connectFields ?? [], fields: canaryHeaders(c, auth) };
      const broken = haiku.body?.subarray(0, -20) ?? Buffer.alloc(0);
      for (const parts of [
        { ...haiku, path: '/v1/messages/count_tokens' },
        // What can not be read for sure takes the default lane.
        { ...haiku, body: broken },
        { ...plain, method: 'GET', path: '/v1/models' },
        { ...plain, method: 'GET', path: `/v1/none?key=${encodeURIComponent(c.apiKey)}` },
        { ...plain, method: 'HEAD', path: '/api/hello' },
        // An agent that has read a file with its own key: not for another provider.
        request(c, {
          model: HAIKU,
          auth,
          prompt: c[auth === 'key' ? 'apiKey' : 'oauth'],
          agent: true,
          stream: true,
        }),
        // A key where a name belongs.
        request(c, { model: c.apiKey, auth, prompt: 'hello', agent: true, stream: false }),
      ]) {
        await send(shape, parts);
      }
    }
  }
  return count;
}

/** Requests that no exchange comes of: canaries in what is refused. */
async function nonsense(proxy: ProxyProcess, c: Canaries): Promise<void> {
  for (const bytes of [
    `GET / HTTP/1.1\r\nHost: a\r\nHost: ${c.apiKey}\r\n\r\n`,
    `POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://${c.organisation}\r\nx-api-key: ${c.apiKey}\r\nContent-Length: 0\r\n\r\n`,
    `${c.oauth} ${c.zaiKey} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `CONNECT ${c.apiKey} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic ${c.zaiKey}\r\n\r\n`,
    `GET http://127.0.0.1:1/${c.apiKey} HTTP/1.1\r\nHost: 127.0.0.1:1\r\nx-lanekeeper-token: ${c.proxyToken}\r\nCookie: ${c.cookie}\r\n\r\n`,
  ]) {
    const connection = await rawConnect({ to: { host: '127.0.0.1', port: proxy.port } });
    await connection.send(bytes);
    await connection.reader.through('\r\n\r\n');
    connection.destroy();
  }
}

/** A request as its upstream got it, but for the values of its own credential fields. */
function seenBy(requests: readonly ReceivedRequest[], ownFields: readonly string[]): Buffer {
  return Buffer.concat(
    requests.flatMap(({ method, path: target, rawHeaders, body }) => [
      Buffer.from(`${method} ${target}\n`),
      ...rawHeaders.map(([name, value]) =>
        Buffer.from(`${name}: ${ownFields.includes(name) ? '' : value}\n`),
      ),
      body,
    ]),
  );
}

function filesBelow(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile());
}

describe('canaries of every kind', () => {
  for (const mode of ['x-api-key', 'authorization'] as const) {
    test(`stay where they belong (keys presented by ${mode})`, async (t) => {
      const c = mintCanaries();
      const accepts = mode === 'x-api-key' ? 'authorization' : 'both';
      // With the one mode the very first request is refused and sent again in the other.
      const twin = await startTwin({
        zaiKey: c.zaiKey,
        zaiCountTokens: false,
        zaiAccepts: accepts,
      });
      t.after(() => twin.close());
      const proxy = await startProxyProcess(t, {
        twin,
        env: {
          ZAI_API_KEY: c.zaiKey,
          ZAI_HEADER_MODE: mode,
          LANEKEEPER_TOKEN: c.proxyToken,
          MITM_ENABLE_BACKOFF: '1',
          ENABLE_BODY_TEE: '1',
        },
      });
      const ca = readFileSync(proxy.bundlePath, 'utf8');
      const count = await traffic(proxy, ca, c);
      await nonsense(proxy, c);
      assert(count >= 150, `${count} exchanges`);
      const records = await proxy.records(count);
      assert.equal(records.length, count);
      for (const lane of ['zai', 'anthropic']) {
        assert(records.filter((record) => record.lane === lane).length > 30, lane);
      }
      for (const decision of ['subagent', 'default', 'fallback', 'passthrough']) {
        assert(
          records.some((record) => record.decision === decision),
          decision,
        );
      }
      assert(records.some(({ retry }) => retry));

      assertAtZai(twin.zai.requests(), c);
      assertAtAnthropic(twin.anthropic.requests(), c);
      const answers = await answersOf(proxy);
      const { output } = await proxy.stop();
      assertUntold(c, answers, 'an answer');
      assertUntold(c, [output], 'the output');
      const files = filesBelow(proxy.home);
      assert(files.some((file) => file.endsWith('anomalies.jsonl')));
      assert(!files.some((file) => file.endsWith('body-samples.jsonl')), 'the tee was off');
      for (const file of files) assertUntold(c, [readFileSync(file)], file);
    });
  }
});

/** The other provider: its own key in its own field, and of the client only what it must answer. */
function assertAtZai(requests: readonly ReceivedRequest[], c: Canaries): void {
  const all = seenBy(requests, ['x-api-key', 'authorization']);
  assert(findIn(all, c.haikuPrompt), 'the search finds what was sent');
  for (const name of [...CLIENT_ONLY, 'proxyToken', 'zaiKey'] as const) {
    assert(!findIn(all, c[name]), `${name} at zai`);
  }
  for (const { rawHeaders } of requests) {
    const own = rawHeaders.filter(([name]) => name === 'x-api-key' || name === 'authorization');
    assert.equal(own.length, 1);
    assert([c.zaiKey, `Bearer ${c.zaiKey}`].includes(own[0]?.[1] ?? ''));
  }
}

/** The client's own provider: everything of the client, nothing of anybody else. */
function assertAtAnthropic(requests: readonly ReceivedRequest[], c: Canaries): void {
  const all = seenBy(requests, []);
  for (const name of CLIENT_ONLY) assert(findIn(all, c[name]), `${name} arrives`);
  for (const name of ['zaiKey', 'proxyToken'] as const) {
    assert(!findIn(all, c[name]), `${name} at anthropic`);
  }
}

/** What is told of it all: by the control socket and by commands. */
async function answersOf({ home }: ProxyProcess): Promise<string[]> {
  const answers = [
    await callControl(home, 'GET', '/status'),
    await callControl(home, 'GET', '/metrics'),
    await callControl(home, 'POST', '/reload'),
    await callControl(home, 'POST', '/pause'),
    (await runCommand(['status'], { home })).stdout,
    (await runCommand(['ca', 'show'], { home })).stdout,
  ];
  return answers.map((answer) => (typeof answer === 'string' ? answer : JSON.stringify(answer)));
}

function assertUntold(c: Canaries, texts: readonly (string | Buffer)[], where: string): void {
  for (const [name, canary] of Object.entries(c)) {
    for (const text of texts) assert(!findIn(text, canary), `${name} in ${where}`);
  }
}

describe('a key of one lane in a request for another', () => {
  const zaiKey = `${'0123456789abcdef'.repeat(2)}.FakeKeyOfTests00`;
  const places: readonly { readonly name: string; readonly request: RequestParts }[] = [
    { name: 'x-api-key', request: { fields: { 'x-api-key': zaiKey } } },
    { name: 'authorization', request: { fields: { authorization: `Bearer ${zaiKey}` } } },
    { name: 'a cookie', request: { fields: { 'x-api-key': 'k', cookie: `a=1; key=${zaiKey}` } } },
    {
      name: 'a field of any name',
      request: { fields: { 'x-api-key': 'k', 'x-note': `see ${zaiKey}` } },
    },
    {
      name: 'the query',
      request: { path: `/v1/messages?key=${zaiKey}`, fields: { 'x-api-key': 'k' } },
    },
  ];
  for (const shape of ['connect', 'gateway', 'h2'] as const) {
    test(`is refused before a byte leaves, wherever it stands (${shape})`, async (t) => {
      const rig = await startRig(t, { twin: { zaiKey } });
      for (const [index, { name, request: parts }] of places.entries()) {
        const body = JSON.stringify({ model: SONNET, max_tokens: 9, messages: [] });
        const seen = await exchangeOnce(rig.proxy, rig.ca, shape, {
          ...parts,
          body: Buffer.from(body),
        });
        assert.deepEqual(
          [seen.status, seen.fields.get('x-lanekeeper-error')],
          [500, 'lane_isolation'],
          name,
        );
        assert(!findIn(seen.body, zaiKey), name);
        const record = (await rig.records(index + 1)).at(-1);
        assert.deepEqual(
          [record?.status, record?.lane, record?.err_type, record?.bytes_up, record?.intact],
          [500, 'anthropic', '5xx', 0, false],
          name,
        );
      }
      assert.equal(rig.twin.anthropic.requests().length, 0);
      assert.equal(rig.twin.anthropic.connections(), 0);
      const anomalies = await rig.anomalies();
      assert.deepEqual(
        anomalies.map(({ kind, lane }: AnomalyRecord) => [kind, lane]),
        places.map(() => ['lane_isolation', 'anthropic']),
      );
      for (const file of filesBelow(rig.home)) assert(!findIn(readFileSync(file), zaiKey), file);
    });
  }

  test('its own lane takes it: a client that uses the same key betrays nothing', async (t) => {
    const rig = await startRig(t, { twin: { zaiKey }, env: { FORCE_HAIKU_TO_ZAI: '1' } });
    const body = JSON.stringify({
      model: HAIKU,
      max_tokens: 9,
      messages: [{ role: 'user', content: 'x' }],
    });
    const seen = await exchangeOnce(rig.proxy, rig.ca, 'gateway', {
      fields: { 'x-api-key': zaiKey },
      body: Buffer.from(body),
    });
    assert.equal(seen.status, 200);
    const [record] = await rig.records(1);
    assert.equal(record?.lane, 'zai');
  });
});
