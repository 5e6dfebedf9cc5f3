/**
 * curl through the whole: a second implementation of everything a client does on the wire.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { headerOf } from '../src/twin/index.ts';
import { curl, skipCurl, skipCurlH2, splitAnswer, startCurl } from './support/curl.ts';
import { closedPort } from './support/origin.ts';
import { type Rig, startRig } from './support/rig.ts';
import { FAKE_API_KEY } from './support/sdk.ts';

const ORIGIN = 'https://api.anthropic.com';
const UPLOAD_BYTES = 20 * 1024 * 1024;
const KEY = ['-H', `x-api-key: ${FAKE_API_KEY}`];
const JSON_BODY = ['-H', 'content-type: application/json', '--data-binary', '@-'];

/** The ways in: what leads curl there, and the origin of its URLs. */
const WAYS = [
  { name: 'intercepted, HTTP/1.1', skip: skipCurl, flag: '--http1.1', via: 'connect' },
  { name: 'intercepted, HTTP/2', skip: skipCurlH2, flag: '--http2', via: 'connect' },
  { name: 'gateway, HTTP/1.1', skip: skipCurl, flag: '--http1.1', via: 'gateway' },
  { name: 'gateway, h2c', skip: skipCurlH2, flag: '--http2-prior-knowledge', via: 'gateway' },
  { name: 'gateway, h2c offered', skip: skipCurlH2, flag: '--http2', via: 'gateway' },
] as const;

type Way = (typeof WAYS)[number];

function ask(text: string, more: object = {}): string {
  return JSON.stringify({
    model: 'claude-sonnet-5-5',
    max_tokens: 64,
    messages: [{ role: 'user', content: text }],
    ...more,
  });
}

/** The arguments that lead curl in, its URL first. */
function lead({ flag, via }: Way, { proxy }: Rig, target: string): string[] {
  if (via === 'gateway') return [`${proxy.url}${target}`, flag];
  return [`${ORIGIN}${target}`, flag, ...through(proxy.url, proxy.bundlePath)];
}

function through(proxyUrl: string, bundlePath: string): string[] {
  return ['--proxy', proxyUrl, '--cacert', bundlePath, '--suppress-connect-headers'];
}

/** The same request, past the proxy. */
async function direct({ twin, home }: Rig, flag: string, target: string): Promise<string[]> {
  const ca = path.join(home, 'twin-ca.pem');
  await writeFile(ca, twin.anthropic.ca);
  const h = flag === '--http1.1' ? '--http1.1' : '--http2';
  return [`${twin.anthropic.origin}${target}`, h, '--cacert', ca];
}

/** A head without what belongs to one connection or to a protocol version. */
function endToEnd(head: string | undefined): string[] {
  const [line = '', ...fields] = (head ?? '').split('\r\n');
  const kept = fields.map(
    (field) =>
      `${field.slice(0, field.indexOf(':')).toLowerCase()}${field.slice(field.indexOf(':'))}`,
  );
  return [
    line.split(' ')[1] ?? '',
    ...kept.filter((field) => !/^(connection|transfer-encoding|keep-alive):/.test(field)),
  ];
}

function errorOf(body: Buffer): { type: string; message: string } {
  return (JSON.parse(body.toString()) as { error: { type: string; message: string } }).error;
}

for (const way of WAYS) {
  test(`${way.name}: answers are those of a direct request, fields and bytes`, {
    skip: way.skip,
  }, async (t) => {
    const rig = await startRig(t);
    for (const body of [ask('whole'), ask('[twin: text 200 words]', { stream: true })]) {
      const target = '/v1/messages?beta=true';
      const rest = ['-i', ...KEY, ...JSON_BODY];
      const there = await curl([...(await direct(rig, way.flag, target)), ...rest], body);
      const here = await curl([...lead(way, rig, target), ...rest], body);
      assert.equal(here.code, 0, here.stderr);
      const [a, b] = [splitAnswer(there.stdout), splitAnswer(here.stdout)];
      assert.equal(b.heads.length, 1);
      assert.deepEqual(endToEnd(b.heads[0]), endToEnd(a.heads[0]));
      assert(b.body.equals(a.body) && b.body.length > 0);
    }
    const records = await rig.records(2);
    assert(
      records.every(({ intact, status, lane }) => intact && status === 200 && lane === 'anthropic'),
    );
  });

  test(`${way.name}: an upload of 20 MB arrives byte for byte, held and streamed`, {
    skip: way.skip,
  }, async (t) => {
    const rig = await startRig(t);
    for (const target of ['/v1/messages', '/v1/files']) {
      rig.twin.anthropic.clear();
      const body = ask('x'.repeat(UPLOAD_BYTES));
      const run = await curl([...lead(way, rig, target), ...KEY, ...JSON_BODY], body);
      assert.equal(run.code, 0, run.stderr);
      const [arrived] = rig.twin.anthropic.requests();
      assert.equal(arrived?.body.length, body.length);
      assert.equal(sha256(arrived.body), sha256(body));
    }
  });

  test(`${way.name}: events come while the stream goes on, and curl gone the upstream is let go`, {
    skip: way.skip,
  }, async (t) => {
    const rig = await startRig(t);
    const child = startCurl([...lead(way, rig, '/v1/messages'), '-N', ...KEY, ...JSON_BODY]);
    t.after(() => child.kill('SIGKILL'));
    // Event 6 comes late enough that a FIN behind it is no half-close of a client that waits.
    const pauses = '[twin: pause 500 after=5][twin: pause 600000 after=8]';
    child.stdin?.end(ask(`${pauses}[twin: events 100]`, { stream: true }));
    await printed(child.stdout, '"3 "');
    child.kill('SIGKILL');
    const { answer } = await rig.twin.anthropic.waitFor(({ aborted }) => aborted);
    assert(!answer.ended);
    const [record] = await rig.records(1);
    assert.equal(record?.sse, 'client_gone');
  });

  test(`${way.name}: HEAD is answered with a head alone, the connection stays in use`, {
    skip: way.skip,
  }, async (t) => {
    const rig = await startRig(t);
    const there = await curl([...(await direct(rig, way.flag, '/api/hello')), '-I']);
    const [url = '', ...rest] = lead(way, rig, '/api/hello');
    // curl 7.88 can not use a connection of h2c twice (curl/curl#10634).
    const urls = way.flag === '--http2-prior-knowledge' ? [url] : [url, url];
    const here = await curl(['-I', '-w', '%{num_connects} ', ...urls, ...rest]);
    assert.equal(here.code, 0, here.stderr);
    const connects = here.stdout.toString().match(/^\d+ /gm);
    assert.deepEqual(connects, ['1 ', '0 '].slice(0, urls.length));
    const [first] = here.stdout.toString('latin1').split('\r\n\r\n');
    assert.deepEqual(endToEnd(first), endToEnd(splitAnswer(there.stdout).heads[0]));
    const records = await rig.records(urls.length);
    assert(records.every(({ status, bytes_down }) => status === 200 && bytes_down === 0));
  });

  test(`${way.name}: an error of ours is JSON and names itself`, { skip: way.skip }, async (t) => {
    const port = await closedPort();
    const rig = await startRig(t, {
      config: (config) => ({
        ...config,
        lanes: new Map(
          [...config.lanes].map(([name, lane]) => [
            name,
            { ...lane, upstream: { ...lane.upstream, port } },
          ]),
        ),
      }),
    });
    const run = await curl(
      [...lead(way, rig, '/v1/messages'), '-i', ...KEY, ...JSON_BODY],
      ask('hi'),
    );
    assert.equal(run.code, 0, run.stderr);
    const { heads, body } = splitAnswer(run.stdout);
    assert.match(heads[0] ?? '', /^HTTP\/[\d.]+ 502/);
    assert.match(heads[0] ?? '', /^x-lanekeeper-error: upstream_refused$/m);
    assert.equal(errorOf(body).type, 'api_error');
    assert.match(errorOf(body).message, /^Lanekeeper: .*\[upstream_refused\]$/);
    const [record] = await rig.records(1);
    assert.deepEqual([record?.status, record?.err_type], [502, 'net']);
  });
}

for (const via of ['connect', 'gateway'] as const) {
  const way = { name: via, skip: skipCurl, flag: '--http1.1', via } as unknown as Way;

  test(`Expect: 100-continue is answered before the body comes (${via})`, {
    skip: skipCurl,
  }, async (t) => {
    const rig = await startRig(t);
    for (const target of ['/v1/messages', '/v1/files']) {
      const args = [
        ...lead(way, rig, target),
        '-i',
        '-H',
        'Expect: 100-continue',
        ...KEY,
        ...JSON_BODY,
      ];
      const run = await curl(['--expect100-timeout', '25', ...args], ask('hi'));
      assert.equal(run.code, 0, run.stderr);
      const { heads } = splitAnswer(run.stdout);
      assert.match(heads[0] ?? '', /^HTTP\/1\.1 100 /);
      assert.match(heads[1] ?? '', target === '/v1/messages' ? / 200 / : / 404 /);
    }
  });

  test(`a body in chunks arrives as it was (${via})`, { skip: skipCurl }, async (t) => {
    const rig = await startRig(t);
    const body = ask('y'.repeat(300_000));
    const args = ['-H', 'Transfer-Encoding: chunked', '-H', 'Expect:', ...KEY, ...JSON_BODY];
    for (const target of ['/v1/messages', '/v1/files']) {
      rig.twin.anthropic.clear();
      const run = await curl([...lead(way, rig, target), ...args], body);
      assert.equal(run.code, 0, run.stderr);
      assert.equal(sha256(rig.twin.anthropic.requests()[0]?.body ?? ''), sha256(body));
    }
  });
}

test('a compressed answer is relayed as it was encoded', { skip: skipCurl }, async (t) => {
  const rig = await startRig(t);
  const way = WAYS[0];
  const words = '[twin: encoding auto][twin: text 500 words]';
  const rest = ['--compressed', '-i', ...KEY, ...JSON_BODY];
  const there = await curl([...(await direct(rig, way.flag, '/v1/messages')), ...rest], ask(words));
  const here = await curl([...lead(way, rig, '/v1/messages'), ...rest], ask(words));
  const [a, b] = [splitAnswer(there.stdout), splitAnswer(here.stdout)];
  assert.match(b.heads[0] ?? '', /^content-encoding: /im);
  assert.deepEqual(endToEnd(b.heads[0]), endToEnd(a.heads[0]));
  assert(b.body.equals(a.body) && b.body.length > 0);
  const [record] = await rig.records(1);
  assert(record?.output_tokens !== null, 'the tokens were read from a decoded copy');
});

test('without the bundle curl does not trust us', { skip: skipCurl }, async (t) => {
  const { proxy } = await startRig(t);
  const run = await curl([`${ORIGIN}/api/hello`, '--proxy', proxy.url]);
  assert.equal(run.code, 60, run.stderr);
});

test('a refused CONNECT tells curl why', { skip: skipCurl }, async (t) => {
  const { proxy } = await startRig(t);
  const port = await closedPort();
  const run = await curl([`https://127.0.0.1:${port}/`, '--proxy', proxy.url, '-i']);
  assert.equal(run.code, 56, run.stderr);
  assert.match(
    run.stdout.toString(),
    /^HTTP\/1\.1 502 [\s\S]*x-lanekeeper-error: upstream_refused\r\n/,
  );
});

test('with a token curl is let in by its proxy user, and told what is missing without', {
  skip: skipCurl,
}, async (t) => {
  const token = 'fake-token-canary-0123456789';
  const rig = await startRig(t, { env: { LANEKEEPER_TOKEN: token } });
  const { port, bundlePath } = rig.proxy;
  const open = through(`http://lanekeeper:${token}@127.0.0.1:${port}`, bundlePath);
  const shut = through(`http://lanekeeper:wrong@127.0.0.1:${port}`, bundlePath);
  const run = await curl([`${ORIGIN}/v1/messages`, ...open, ...KEY, ...JSON_BODY], ask('hi'));
  assert.match(run.stdout.toString(), /ok from anthropic/);
  const [arrived] = rig.twin.anthropic.requests();
  assert.equal(headerOf(arrived?.rawHeaders ?? [], 'proxy-authorization'), undefined);
  const refused = await curl([`${ORIGIN}/v1/messages`, ...shut, '-i', ...JSON_BODY], ask('hi'));
  assert.equal(refused.code, 56);
  assert.match(refused.stderr, /407/);
});

function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Resolves once the text was printed; rejects where the stream ends first. */
function printed(stream: NodeJS.ReadableStream | null, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let all = '';
    stream?.on('data', (piece: Buffer) => {
      all += piece.toString('latin1');
      if (all.includes(text)) resolve();
    });
    stream?.once('end', () => reject(new Error(`it ended: ${all}`)));
  });
}
