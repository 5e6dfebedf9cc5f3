/**
 * A hostile upstream over HTTP/2: every client gets a typed error before the head, or an answer that is
 * visibly cut; the next request is served, with nothing of another one in it.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import { type TestContext, test } from 'node:test';
import type { Timeouts } from '../../../src/config/types.ts';
import { rawConnect } from '../../support/raw-client.ts';
import { leadLane } from '../../support/recording-upstream.ts';
import { type Rig, startRig } from '../../support/rig.ts';
import { settings } from './frames.ts';
import { type Asked, openRawServer, type RawServer } from './raw-server.ts';
import { UPSTREAM_CASES, type UpstreamCase } from './upstream-cases.ts';

const LIMIT = { timeout: 240_000 };

interface Answer {
  /** Status and, of the proxy's own, the code; or `whole`, or `cut`. */
  readonly how: string;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** Asks through the proxy, with a credential that gives it a connection of its own. */
function ask(rig: Rig, path: string, key: string, uploads = 0): Promise<Answer> {
  const options = {
    host: '127.0.0.1',
    port: rig.proxy.port,
    path,
    method: uploads === 0 ? 'GET' : 'POST',
    agent: false,
    headers: { 'x-api-key': key, ...(uploads === 0 ? {} : { 'content-length': uploads }) },
  } as const;
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      let body = '';
      const { headers, statusCode } = response;
      const code = headers['x-lanekeeper-error'];
      response.on('data', (piece: Buffer) => {
        body += piece.toString('latin1');
      });
      response.on('error', () => {});
      response.once('close', () => {
        const end = response.complete ? 'whole' : 'cut';
        resolve({ how: `${statusCode} ${code ?? end}`, body, headers });
      });
    });
    request.once('error', reject);
    request.end(Buffer.alloc(uploads));
  });
}

/** The same by HTTP/2, where a cut is RST_STREAM. */
function ask2(rig: Rig, path: string, key: string, uploads = 0): Promise<Answer> {
  // By default it takes 128 fields of an answer.
  const session = http2.connect(rig.proxy.url, { maxHeaderListPairs: 512 });
  session.on('error', () => {});
  const stream = session.request(
    {
      ':path': path,
      ':method': uploads === 0 ? 'GET' : 'POST',
      'x-api-key': key,
      ...(uploads === 0 ? {} : { 'content-length': uploads }),
    },
    { endStream: uploads === 0 },
  );
  let headers: http2.IncomingHttpHeaders = {};
  let body = '';
  stream.on('response', (given) => {
    headers = given;
  });
  stream.on('data', (piece: Buffer) => {
    body += piece.toString('latin1');
  });
  stream.on('error', () => {});
  if (uploads > 0) stream.end(Buffer.alloc(uploads));
  return new Promise((resolve) => {
    stream.once('close', () => {
      session.destroy();
      const end = stream.rstCode === http2.constants.NGHTTP2_NO_ERROR ? 'whole' : 'cut';
      const how = `${headers[':status']} ${headers['x-lanekeeper-error'] ?? end}`;
      resolve({ how, body, headers });
    });
  });
}

type Asking = typeof ask;

/** The well-behaved part of the upstream: says the path that it was asked for. */
function echo(asked: Asked): void {
  const length: [string, string] = ['content-length', String(asked.path.length)];
  asked.send(asked.head([[':status', '200'], length]), asked.body(asked.path, true));
}

interface Scene {
  readonly rig: Rig;
  readonly upstream: RawServer;
}

async function openScene(t: TestContext, timeouts: Partial<Timeouts> = {}): Promise<Scene> {
  const upstream = await openRawServer(t);
  const rig = await startRig(t, {
    config: (config) =>
      leadLane(
        {
          ...config,
          routes: [],
          http2: 'always',
          timeouts: { ...config.timeouts, ...timeouts },
        },
        'anthropic',
        upstream,
      ),
  });
  return { rig, upstream };
}

/** Plays a case, and then an honest request of the same identity. */
async function play({ rig, upstream }: Scene, one: UpstreamCase, asking: Asking): Promise<void> {
  upstream.opening = one.opening ?? [settings()];
  upstream.script = (asked) => (asked.path === `/v1/${one.id}` ? one.script(asked) : echo(asked));
  const key = `key-of-${one.id}`;
  const { how, body, headers } = await asking(rig, `/v1/${one.id}`, key, one.uploads);
  assert(one.allows.includes(how), `${one.id}: ${how} ${JSON.stringify(body)}`);
  if (how === '200 whole') assert(['ok', 'part', ''].includes(body), `${one.id}: ${body}`);
  if (how === '200 cut') assert(['', 'part', 'ok', 'o', 'wh'].includes(body), `${one.id}: ${body}`);
  assert.equal(headers['x-injected'], undefined, one.id);
  upstream.opening = [settings()];
  upstream.script = echo;
  const path = `/v1/after-${one.id}`;
  // SETTINGS that shut a connection hold for the session, which is then not this request's fault.
  const next = await asking(rig, path, one.isSlow ? `${key}-after` : key);
  assert.deepEqual([next.how, next.body], ['200 whole', path], `after ${one.id}`);
}

/** All that began has ended, with one record each, and no answer was taken for more than it was. */
async function assertAccounts({ rig }: Scene, exchanges: number): Promise<void> {
  const records = await rig.records(exchanges);
  assert.equal(records.length, exchanges);
  assert.equal(new Set(records.map(({ rid }) => rid)).size, exchanges);
  assert.equal(rig.proxy.control.status().exchanges.open, 0);
}

test('a field of one value that a client repeats passes on as it came', LIMIT, async (t) => {
  const { rig, upstream } = await openScene(t);
  let seen: readonly (readonly [string, string])[] = [];
  upstream.script = (asked) => {
    seen = asked.lines.filter(([name]) => name === 'content-type' || name === 'etag');
    echo(asked);
  };
  const raw = await rawConnect({ to: { host: '127.0.0.1', port: rig.proxy.port } });
  t.after(() => raw.destroy());
  const lines = ['Host: 127.0.0.1', 'Content-Type: a', 'ETag: x', 'Content-Type: b'];
  await raw.send(`GET /v1/models HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  assert.equal((await raw.readAnswer()).status, 200);
  assert.deepEqual(seen, [
    ['content-type', 'a'],
    ['content-type', 'b'],
    ['etag', 'x'],
  ]);
});

const quick = UPSTREAM_CASES.filter(({ isSlow }) => isSlow !== true);
const slow = UPSTREAM_CASES.filter(({ isSlow }) => isSlow === true);

for (const [client, asking] of [
  ['HTTP/1.1', ask],
  ['HTTP/2', ask2],
] as const) {
  test(`${quick.length} ways of an HTTP/2 upstream to be wrong, ${client}`, LIMIT, async (t) => {
    const scene = await openScene(t);
    for (const one of quick) await play(scene, one, asking);
    await assertAccounts(scene, 2 * quick.length);
  });
}

test(`${slow.length} ways of an HTTP/2 upstream to be slow`, LIMIT, async (t) => {
  const scene = await openScene(t, { connectMs: 700, tlsMs: 700, headMs: 700, idleMs: 700 });
  for (const one of slow) await play(scene, one, ask);
  await assertAccounts(scene, 2 * slow.length);
});
