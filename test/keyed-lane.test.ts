/**
 * What arrives on the keyed lane (contract, rules of a lane, 2 and 3): a header set built from nothing,
 * a body that differs by three cuts, and not one byte that says who the client is. Generated requests
 * with canaries wherever a client carries its identity, against an upstream that records bytes.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Config } from '../src/config/types.ts';
import { TWIN_ZAI_KEY } from '../src/twin/index.ts';
import { anyAnswer } from './support/http-arbitraries.ts';
import {
  ALLOWED_FIELDS,
  anyIdentifiedRequest,
  CANARY,
  type IdentifiedRequest,
} from './support/identified-requests.ts';
import fc from './support/properties.ts';
import { type RawConnection, rawConnect } from './support/raw-client.ts';
import {
  type Line,
  leadLane,
  parseHead,
  type RecordedRequest,
  type RecordingUpstream,
  recordingUpstream,
  replyOf,
  valuesOf,
} from './support/recording-upstream.ts';
import { type Rig, startRig } from './support/rig.ts';

const GENERATED = 100;
const HOST = 'api.anthropic.com';
const EXCHANGE_MS_MAX = 5_000;
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';

type HeaderMode = 'x-api-key' | 'authorization';

interface Bench {
  readonly rig: Rig;
  readonly zai: RecordingUpstream;
  readonly anthropic: RecordingUpstream;
  readonly host: string;
  connection(): Promise<RawConnection>;
}

interface BenchOptions {
  readonly by?: 'connect' | 'gateway';
  readonly mode?: HeaderMode;
  readonly config?: (config: Config) => Config;
}

async function bench(t: TestContext, options: BenchOptions = {}): Promise<Bench> {
  const { by = 'gateway', mode = 'x-api-key', config = (same: Config) => same } = options;
  const zai = await recordingUpstream(t);
  const anthropic = await recordingUpstream(t);
  const rig = await startRig(t, {
    env: { FORCE_HAIKU_TO_ZAI: '1', ZAI_HEADER_MODE: mode },
    config: (given) => config(leadLane(leadLane(given, 'zai', zai), 'anthropic', anthropic)),
  });
  zai.reply = () => replyOf(ANSWER);
  anthropic.reply = () => replyOf(ANSWER);
  const to = { host: '127.0.0.1', port: rig.proxy.port };
  const tunnel = { connect: { target: `${HOST}:443` }, tls: { ca: rig.ca, servername: HOST } };
  let open: RawConnection | null = null;
  t.after(() => open?.destroy());
  return {
    rig,
    zai,
    anthropic,
    host: by === 'connect' ? HOST : `127.0.0.1:${to.port}`,
    async connection() {
      if (open === null || open.socket.destroyed || open.socket.readableEnded) {
        open?.destroy();
        open = await rawConnect(by === 'connect' ? { to, ...tunnel } : { to });
      }
      return open;
    },
  };
}

function requestBytes(
  request: Pick<IdentifiedRequest, 'target' | 'fields' | 'wire'>,
  host: string,
): Buffer {
  const lines = [['Host', host] as const, ...request.fields];
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([
    Buffer.from(`POST ${request.target} HTTP/1.1\r\n${head}\r\n`, 'latin1'),
    request.wire,
  ]);
}

function credential(mode: HeaderMode): Line {
  return mode === 'x-api-key' ? [mode, TWIN_ZAI_KEY] : [mode, `Bearer ${TWIN_ZAI_KEY}`];
}

function sorted(fields: readonly Line[]): string[] {
  return fields.map(([name, value]) => `${name.toLowerCase()}: ${value}`).toSorted();
}

function assertArrived(
  got: RecordedRequest | undefined,
  sent: IdentifiedRequest,
  mode: HeaderMode,
  authority: string,
): void {
  assert(got, 'the request reached zai');
  assert.equal(got.start, `POST /api/anthropic${sent.target} HTTP/1.1`);
  const allowed = ALLOWED_FIELDS.flatMap((name) =>
    valuesOf(sent.fields, name).map((value): Line => [name, value]),
  );
  assert.deepEqual(
    sorted(got.fields),
    sorted([
      ...allowed,
      ['host', authority],
      ['content-length', String(sent.expected.length)],
      credential(mode),
    ]),
  );
  assert.equal(got.wire.toString('utf8'), sent.expected.toString('utf8'));
  const everything = Buffer.concat([
    Buffer.from(JSON.stringify([got.start, got.fields])),
    got.wire,
  ]);
  assert(!everything.includes(CANARY), 'nothing of the client is in it');
}

for (const mode of ['x-api-key', 'authorization'] as const) {
  for (const by of ['connect', 'gateway'] as const) {
    test(`${by}, ${mode}: ${GENERATED} generated requests arrive without their client`, async (t) => {
      const { rig, zai, anthropic, host, connection } = await bench(t, { by, mode });
      const authority = `127.0.0.1:${zai.port}`;
      // A 401 and an uncounted count_tokens have a course of their own.
      const answers = anyAnswer('POST').filter(({ status }) => status !== 401 && status !== 404);
      let exchanges = 0;
      await fc.assert(
        fc.asyncProperty(anyIdentifiedRequest, answers, async (request, answer) => {
          exchanges += 1;
          zai.requests.length = 0;
          const lines = answer.fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
          const status = `HTTP/1.1 ${answer.status} ${answer.reason}`;
          const head = Buffer.from(`${status}\r\n${lines}\r\n`, 'latin1');
          zai.reply = () => ({ pieces: [head, answer.body.wire], closes: answer.closes });
          const client = await connection();
          const timer = setTimeout(() => client.destroy(), EXCHANGE_MS_MAX);
          await client.send(requestBytes(request, host));
          const got = await client.readAnswer('POST').finally(() => clearTimeout(timer));
          assertArrived(zai.requests[0], request, mode, authority);
          assert.equal(zai.requests.length, 1);
          assert.equal(parseHead(got.head).start, status);
          assert(got.wire.equals(answer.body.wire), 'the answer is the same, framing included');
          if (answer.body.framing === 'close') await client.reader.ending;
        }),
        { numRuns: GENERATED },
      );
      const records = await rig.records(exchanges);
      assert.equal(records.length, exchanges);
      for (const record of records) {
        assert(record.intact);
        assert.deepEqual(
          [record.lane, record.decision, record.header_mode, record.model_sent],
          ['zai', 'forced_model', mode, 'glm-4.5-air'],
        );
      }
      const ledger = JSON.stringify([records, await rig.anomalies(), rig.warnings]);
      assert(!ledger.includes(CANARY) && !ledger.includes(TWIN_ZAI_KEY));
      assert.equal(anthropic.requests.length, 0);
    });
  }
}

test('what the configuration keeps arrives: the body is the client’s own, byte for byte', async (t) => {
  const { zai, host, connection } = await bench(t, {
    config: (config) => {
      const lanes = new Map(config.lanes);
      const lane = lanes.get('zai');
      assert(lane);
      const body = { userId: 'keep', attribution: 'keep' } as const;
      lanes.set('zai', { ...lane, models: [], body });
      return { ...config, lanes };
    },
  });
  await fc.assert(
    fc.asyncProperty(anyIdentifiedRequest, async (request) => {
      zai.requests.length = 0;
      const client = await connection();
      await client.send(requestBytes(request, host));
      await client.readAnswer('POST');
      assert(zai.requests[0]?.wire.equals(request.payload));
    }),
    { numRuns: 20 },
  );
});

test('a 401 shows the key the other way once, and both tries hide the client alike', async (t) => {
  const { rig, zai, host, connection } = await bench(t);
  zai.reply = ({ fields }) =>
    valuesOf(fields, 'x-api-key').length > 0
      ? replyOf('HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n')
      : replyOf(ANSWER);
  const [request] = fc.sample(anyIdentifiedRequest, 1);
  assert(request);
  const client = await connection();
  for (let i = 0; i < 2; i += 1) {
    await client.send(requestBytes(request, host));
    assert.equal((await client.readAnswer('POST')).status, 200);
  }
  const authority = `127.0.0.1:${zai.port}`;
  const modes = ['x-api-key', 'authorization', 'authorization'] as const;
  for (const [index, mode] of modes.entries()) {
    assertArrived(zai.requests[index], request, mode, authority);
  }
  const records = await rig.records(2);
  assert.deepEqual(
    records.map(({ attempts, header_mode, intact }) => [attempts, header_mode, intact]),
    [
      [2, 'authorization', true],
      [1, 'authorization', true],
    ],
  );
});

test('counting that falls back to the default lane arrives there whole, with the client’s own credentials', async (t) => {
  const { rig, zai, anthropic, host, connection } = await bench(t);
  zai.reply = () => replyOf('HTTP/1.1 404 none\r\nContent-Length: 0\r\n\r\n');
  const [sample] = fc.sample(anyIdentifiedRequest, 1);
  assert(sample);
  const request = { ...sample, target: '/v1/messages/count_tokens?beta=true' };
  const client = await connection();
  await client.send(requestBytes(request, host));
  assert.equal((await client.readAnswer('POST')).status, 200);
  assertArrived(zai.requests[0], request, 'x-api-key', `127.0.0.1:${zai.port}`);
  const [there] = anthropic.requests;
  assert(there);
  assert(there.payload.equals(request.payload));
  assert(!JSON.stringify(there.fields).includes(TWIN_ZAI_KEY));
  const sent = request.fields.filter(([name]) => !/^(proxy-authorization|connection)$/i.test(name));
  assert.deepEqual(there.fields.slice(1), sent);
  const [record] = await rig.records(1);
  assert.equal(record?.decision, 'fallback');
});

test('a client’s credential in its own prompt keeps the request off the keyed lane', async (t) => {
  const { rig, zai, anthropic, host, connection } = await bench(t);
  const secret = `sk-ant-api03-${CANARY}-0123456789`;
  const text = `my .env says ANTHROPIC_API_KEY=${secret}`;
  const messages = [{ role: 'user', content: text }];
  const body = Buffer.from(JSON.stringify({ model: 'claude-haiku-5-5', messages, max_tokens: 9 }));
  const fields: Line[] = [
    ['x-api-key', secret],
    ['content-length', String(body.length)],
  ];
  const client = await connection();
  await client.send(requestBytes({ target: '/v1/messages', fields, wire: body }, host));
  assert.equal((await client.readAnswer('POST')).status, 200);
  assert.equal(zai.requests.length, 0);
  assert(anthropic.requests[0]?.wire.equals(body));
  const [record] = await rig.records(1);
  assert.deepEqual([record?.lane, record?.decision], ['anthropic', 'default']);
  const [anomaly] = await rig.anomalies();
  assert.deepEqual([anomaly?.kind, anomaly?.code], ['lane_isolation', 'body']);
});

test('the keyed lane’s key in a request for another lane is refused before anything leaves', async (t) => {
  const { rig, zai, anthropic, host, connection } = await bench(t);
  const body = Buffer.from('{"model":"claude-sonnet-5-5","messages":[]}');
  const places: Line[][] = [
    [['x-api-key', TWIN_ZAI_KEY]],
    [['Authorization', `Bearer ${TWIN_ZAI_KEY}`]],
    [['x-anything', `a${TWIN_ZAI_KEY}b`]],
  ];
  for (const place of places) {
    const client = await connection();
    const fields: Line[] = [...place, ['Content-Length', String(body.length)]];
    await client.send(requestBytes({ target: '/v1/messages', fields, wire: body }, host));
    const answer = await client.readAnswer('POST');
    assert.equal(answer.status, 500);
    assert.equal(valuesOf(answer.fields, 'x-lanekeeper-error')[0], 'lane_isolation');
    assert(!answer.body.includes(TWIN_ZAI_KEY));
  }
  assert.deepEqual([zai.requests.length, anthropic.requests.length], [0, 0]);
  const records = await rig.records(places.length);
  assert(records.every((record) => record.status === 500 && !record.intact));
  const kinds = (await rig.anomalies()).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['lane_isolation', 'lane_isolation', 'lane_isolation']);
});
