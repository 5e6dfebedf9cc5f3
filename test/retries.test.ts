/**
 * When the proxy tries again, and when it does not: the other header mode after a 401, one wait after
 * a refusal that passes, the default lane for tokens that a provider does not count, and sockets that
 * died while they were idle. Nothing is ever sent twice where it could happen twice.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { POOL_IDLE_MS_MIN, POOL_RACE_MS_MAX } from '../src/core/limits.ts';
import { Secret } from '../src/core/secret.ts';
import type { AnomalyRecord, UsageRecord } from '../src/ledger/record.ts';
import { headerOf, type ReceivedRequest } from '../src/twin/index.ts';
import { startFaultUpstream, type VisitScript } from './support/fault-upstream.ts';
import { withUpstream } from './support/faults.ts';
import { connectTo, exchangeOnce, type RequestParts, type Seen } from './support/raw-exchange.ts';
import { type Rig, startRig } from './support/rig.ts';

const CLIENT_KEY = 'sk-ant-api03-fake-client-of-retries';
const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';
const FORCED = { FORCE_HAIKU_TO_ZAI: '1' };

interface Ask {
  readonly model?: string;
  readonly prompt?: string;
  readonly path?: string;
  /** Tells exchanges that run at once apart in the ledger. */
  readonly session?: string;
  readonly shape?: 'connect' | 'gateway' | 'h2';
}

function requestOf({ model = HAIKU, prompt = 'hello', path, session = 'one' }: Ask): RequestParts {
  const body = {
    model,
    max_tokens: 50,
    messages: [{ role: 'user', content: prompt }],
    metadata: { user_id: 'user_0123_account__session_4567' },
  };
  return {
    path: path ?? '/v1/messages',
    fields: {
      'x-api-key': CLIENT_KEY,
      'content-type': 'application/json',
      'x-claude-code-session-id': session,
    },
    body: Buffer.from(JSON.stringify(body)),
  };
}

function ask(rig: Rig, asked: Ask = {}): Promise<Seen> {
  return exchangeOnce(rig.proxy, rig.ca, asked.shape ?? 'connect', requestOf(asked));
}

/** The one record of that session, once so many exchanges are recorded, and its anomalies. */
async function recordOf(
  rig: Rig,
  session: string,
  count: number,
): Promise<{ record: UsageRecord; anomalies: AnomalyRecord[] }> {
  const digest = createHash('sha256').update(session).digest('hex').slice(0, 16);
  const found = (await rig.records(count)).filter((record) => record.session === digest);
  assert.equal(found.length, 1);
  const [record] = found;
  assert(record !== undefined);
  return { record, anomalies: (await rig.anomalies()).filter(({ rid }) => rid === record.rid) };
}

function pick(record: UsageRecord, expected: Partial<UsageRecord>): Partial<UsageRecord> {
  const names = Object.keys(expected) as (keyof UsageRecord)[];
  return Object.fromEntries(names.map((name) => [name, record[name]]));
}

/** Nothing of the client's own credentials or ids came here. */
function assertClean(requests: readonly ReceivedRequest[]): void {
  for (const request of requests) {
    const all = `${JSON.stringify(request.rawHeaders)}${request.path}${request.body.toString()}`;
    assert(!all.includes(CLIENT_KEY) && !all.includes('user_0123'), 'the client shows at zai');
  }
}

describe('the other header mode after a 401', () => {
  for (const [configured, accepted] of [
    ['x-api-key', 'authorization'],
    ['authorization', 'x-api-key'],
  ] as const) {
    test(`${configured} is refused: ${accepted} is tried once, and kept`, async (t) => {
      const rig = await startRig(t, {
        env: { ...FORCED, ZAI_HEADER_MODE: configured },
        twin: { zaiAccepts: accepted },
      });
      const first = await ask(rig, { session: 'first' });
      assert.deepEqual([first.status, first.whole], [200, true]);
      const { record, anomalies } = await recordOf(rig, 'first', 1);
      const told = { status: 200, err_type: null, attempts: 2, retry: true, intact: true } as const;
      const expected = { ...told, header_mode: accepted, lane: 'zai', backoff_ms: 0 };
      assert.deepEqual(pick(record, expected), expected);
      assert.deepEqual(
        anomalies.map(({ kind, code, status, lane }) => [kind, code, status, lane]),
        [['retry', 'header_mode', 401, 'zai']],
      );
      assert.equal((await ask(rig, { session: 'second' })).status, 200);
      const second = (await recordOf(rig, 'second', 2)).record;
      assert.deepEqual([second.attempts, second.retry, second.header_mode], [1, false, accepted]);
      const lane = rig.proxy.control.status().lanes.find(({ name }) => name === 'zai');
      assert.equal(lane?.header_mode, accepted);
      const { zai } = rig.twin;
      assert.deepEqual(
        zai
          .requests()
          .map(({ answer, rawHeaders }) => [
            answer.status,
            headerOf(rawHeaders, 'x-api-key') === undefined ? 'authorization' : 'x-api-key',
          ]),
        [
          [401, configured],
          [200, accepted],
          [200, accepted],
        ],
      );
      assertClean(zai.requests());
      assert.equal(rig.twin.anthropic.requests().length, 0);
    });
  }

  test('a key that no mode makes right is a 401 for the client, byte for byte, and no mode is kept', async (t) => {
    const rig = await startRig(t, {
      env: FORCED,
      config: (config) => {
        const zai = config.lanes.get('zai');
        assert(zai?.credentials.kind === 'key');
        const credentials = { ...zai.credentials, secret: Secret.of('a-key-that-is-not-right') };
        return { ...config, lanes: new Map(config.lanes).set('zai', { ...zai, credentials }) };
      },
    });
    for (const [index, session] of ['first', 'second'].entries()) {
      const seen = await ask(rig, { session });
      assert.equal(seen.status, 401);
      assert.equal(seen.fields.get('x-lanekeeper-error'), undefined);
      assert.match(seen.body.toString(), /Authentication/);
      const { record } = await recordOf(rig, session, index + 1);
      assert.deepEqual([record.attempts, record.err_type, record.intact], [2, '401', true]);
    }
    const lane = rig.proxy.control.status().lanes.find(({ name }) => name === 'zai');
    assert.equal(lane?.header_mode, 'x-api-key');
    assert.equal(rig.twin.zai.requests().length, 4);
  });

  test('a 401 of the default lane is the client’s own affair', async (t) => {
    const rig = await startRig(t, { env: FORCED });
    const request = requestOf({ model: SONNET });
    const { 'x-api-key': _, ...fields } = request.fields ?? {};
    const seen = await exchangeOnce(rig.proxy, rig.ca, 'connect', { ...request, fields });
    assert.equal(seen.status, 401);
    const [record] = await rig.records(1);
    assert.deepEqual([record?.attempts, record?.retry, record?.err_type], [1, false, '401']);
    assert.equal(rig.twin.anthropic.requests().length, 1);
  });
});

/** A refusal, whether it is waited for, and for how long (ms). */
const REFUSALS: readonly {
  readonly name: string;
  readonly directive: string;
  readonly model?: string;
  readonly waited: readonly [min: number, max: number] | null;
  readonly status: number;
  readonly refusedWith: number;
}[] = [
  {
    name: '429',
    directive: 'status 429 times=1',
    waited: [200, 600],
    status: 200,
    refusedWith: 429,
  },
  {
    name: '503',
    directive: 'status 503 times=1',
    model: SONNET,
    waited: [1_000, 3_000],
    status: 200,
    refusedWith: 503,
  },
  {
    name: '529',
    directive: 'status 529 times=1',
    waited: [1_000, 3_000],
    status: 200,
    refusedWith: 529,
  },
  {
    name: 'Retry-After',
    directive: 'status 529 times=1 retry-after=1',
    waited: [1_000, 1_000],
    status: 200,
    refusedWith: 529,
  },
  {
    name: 'Retry-After 0',
    directive: 'status 503 times=1 retry-after=0',
    waited: [0, 0],
    status: 200,
    refusedWith: 503,
  },
  {
    name: 'refused twice',
    directive: 'status 429 retry-after=0',
    waited: [0, 0],
    status: 429,
    refusedWith: 429,
  },
  {
    name: 'a longer Retry-After than is waited for',
    directive: 'status 429 times=1 retry-after=61',
    waited: null,
    status: 429,
    refusedWith: 429,
  },
  {
    name: 'the upstream says that it makes no sense',
    directive: 'status 529 times=1 should-retry=false',
    waited: null,
    status: 529,
    refusedWith: 529,
  },
  {
    name: 'a status that does not pass',
    directive: 'status 500 times=1',
    waited: null,
    status: 500,
    refusedWith: 500,
  },
];

describe('one wait after a refusal that passes', () => {
  test('as MITM_ENABLE_BACKOFF asks: once, as long as told, and said in the anomalies', async (t) => {
    const rig = await startRig(t, { env: { ...FORCED, MITM_ENABLE_BACKOFF: '1' } });
    const answers = await Promise.all(
      REFUSALS.map(({ name, directive, model = HAIKU }) =>
        ask(rig, { session: name, model, prompt: `${name} [twin: ${directive}]` }),
      ),
    );
    for (const [index, { name, waited, status, refusedWith }] of REFUSALS.entries()) {
      assert.equal(answers[index]?.status, status, name);
      assert.equal(answers[index]?.whole, true, name);
      const { record, anomalies } = await recordOf(rig, name, REFUSALS.length);
      const tries = waited === null ? 1 : 2;
      assert.deepEqual([record.attempts, record.retry], [tries, tries === 2], name);
      assert.equal(record.status, status, name);
      const [min, max] = waited ?? [0, 0];
      assert(record.backoff_ms >= min && record.backoff_ms <= max, `${name}: ${record.backoff_ms}`);
      assert(record.latency_ms >= record.backoff_ms, name);
      const told = anomalies.map(({ kind, code, status, backoff_ms }) => [
        kind,
        code,
        status,
        backoff_ms,
      ]);
      assert.deepEqual(
        told,
        waited === null ? [] : [['retry', 'backoff', refusedWith, record.backoff_ms]],
        name,
      );
    }
    assertClean(rig.twin.zai.requests());
  });

  test('without the switch a refusal goes to the client at once', async (t) => {
    const rig = await startRig(t, { env: FORCED });
    const seen = await ask(rig, { prompt: '[twin: status 429 times=1 retry-after=0]' });
    assert.equal(seen.status, 429);
    assert.equal(seen.fields.get('retry-after'), '0');
    const [record] = await rig.records(1);
    assert.deepEqual([record?.attempts, record?.backoff_ms, record?.err_type], [1, 0, '429']);
    assert.deepEqual(await rig.anomalies(), []);
  });

  test('a client that leaves during the wait ends it: nothing is sent any more', async (t) => {
    const rig = await startRig(t, { env: { ...FORCED, MITM_ENABLE_BACKOFF: '1' } });
    const connection = await connectTo(rig.proxy, rig.ca, 'gateway');
    const {
      path = '',
      fields = {},
      body = Buffer.alloc(0),
    } = requestOf({
      prompt: '[twin: status 429 times=1 retry-after=50]',
    });
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    await connection.send(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    while ((await rig.anomalies()).length === 0) await new Promise(setImmediate);
    connection.tcp.resetAndDestroy();
    const [record] = await rig.records(1);
    assert.deepEqual(
      [record?.status, record?.attempts, record?.backoff_ms, record?.intact],
      [null, 1, 50_000, false],
    );
    assert.equal(rig.twin.zai.requests().length, 1);
  });
});

describe('tokens that the provider does not count', () => {
  for (const shape of ['connect', 'gateway', 'h2'] as const) {
    test(`are counted by the default lane, with the client’s own credential (${shape})`, async (t) => {
      const rig = await startRig(t, { env: FORCED, twin: { zaiCountTokens: false } });
      const asked = { path: '/v1/messages/count_tokens', shape } as const;
      const seen = await ask(rig, asked);
      assert.equal(seen.status, 200);
      assert.equal(typeof JSON.parse(seen.body.toString()).input_tokens, 'number');
      const { record, anomalies } = await recordOf(rig, 'one', 1);
      const expected = {
        lane: 'anthropic',
        upstream: 'anth',
        decision: 'fallback',
        model: HAIKU,
        model_sent: HAIKU,
        attempts: 2,
        retry: true,
        status: 200,
        err_type: null,
        header_mode: null,
        intact: true,
      } as const;
      assert.deepEqual(pick(record, expected), expected);
      assert.deepEqual(
        anomalies.map(({ kind, code, status, lane }) => [kind, code, status, lane]),
        [['fallback', 'count_tokens', 404, 'zai']],
      );
      const [there] = rig.twin.anthropic.requests();
      assert(there !== undefined);
      assert.equal(headerOf(there.rawHeaders, 'x-api-key'), CLIENT_KEY);
      assert.deepEqual(there.body, requestOf(asked).body, 'as the client sent it');
      assert.equal(rig.twin.zai.requests().length, 1);
      assertClean(rig.twin.zai.requests());
    });
  }

  test('a 404 of anything else is the client’s', async (t) => {
    const rig = await startRig(t, { env: FORCED });
    const seen = await ask(rig, { prompt: '[twin: status 404]' });
    assert.equal(seen.status, 404);
    const [record] = await rig.records(1);
    assert.deepEqual(
      [record?.attempts, record?.lane, record?.decision],
      [1, 'zai', 'forced_model'],
    );
    assert.equal(rig.twin.anthropic.requests().length, 0);
  });
});

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';

/** As long as the shortest idle timer that is believed in. */
const rested = (): Promise<void> => wait(POOL_IDLE_MS_MIN + 50);

describe('a connection that served before and is dead now', () => {
  /** What the first connection does after its first answer; all later ones answer. */
  async function reuse(t: Parameters<typeof startRig>[0], after: VisitScript) {
    const upstream = await startFaultUpstream(t);
    upstream.script = async (visit) => {
      await visit.request();
      await visit.send(OK);
      if (visit.index === 0) await after(visit);
      else await visit.request().then(() => visit.send(OK));
    };
    const rig = await startRig(t, { config: withUpstream(upstream) });
    const first = await ask(rig, { model: SONNET, session: 'first' });
    assert.equal(first.status, 200);
    return { rig, upstream };
  }

  for (const [name, after] of [
    ['reset', (visit) => visit.request().then(() => visit.reset())],
    ['closed', (visit) => visit.request().then(() => visit.end())],
  ] as const satisfies readonly (readonly [string, VisitScript])[]) {
    test(`${name} just after it had rested: the request is sent once more, and the client sees no error`, async (t) => {
      const { rig, upstream } = await reuse(t, after);
      await rested();
      const seen = await ask(rig, { model: SONNET, session: 'second' });
      assert.deepEqual([seen.status, seen.body.toString()], [200, '{}']);
      const { record, anomalies } = await recordOf(rig, 'second', 2);
      const { attempts, retry, status, err_type, intact } = record;
      assert.deepEqual([attempts, retry, status, err_type, intact], [2, true, 200, null, true]);
      assert.deepEqual(
        anomalies.map(({ kind, code }) => [kind, code]),
        [
          ['upstream_failure', name],
          ['retry', name],
        ],
      );
      assert.equal(upstream.visits.length, 2);
    });
  }

  test('reset though it was busy just before: the request may have been served, and is not sent again', async (t) => {
    const { rig, upstream } = await reuse(t, (visit) => visit.request().then(() => visit.reset()));
    const seen = await ask(rig, { model: SONNET, session: 'second' });
    assert.deepEqual([seen.status, seen.fields.get('x-lanekeeper-error')], [502, 'upstream_reset']);
    const { record } = await recordOf(rig, 'second', 2);
    assert.deepEqual([record.attempts, record.retry, record.err_type], [1, false, 'net']);
    assert.equal(upstream.visits.length, 1);
  });

  test('reset long after the request: somebody may have been at it, and it is not sent again', async (t) => {
    const { rig, upstream } = await reuse(t, async (visit) => {
      await visit.request();
      await wait(POOL_RACE_MS_MAX + 50);
      visit.reset();
    });
    await rested();
    assert.equal((await ask(rig, { model: SONNET, session: 'second' })).status, 502);
    const { record } = await recordOf(rig, 'second', 2);
    assert.equal(record.attempts, 1);
    assert.equal(upstream.visits.length, 1);
  });

  test('closed while idle: the next request takes a new one, at the first attempt', async (t) => {
    const { rig, upstream } = await reuse(t, (visit) => visit.end());
    await (await upstream.visit(0)).gone;
    const seen = await ask(rig, { model: SONNET, session: 'second' });
    assert.equal(seen.status, 200);
    const { record } = await recordOf(rig, 'second', 2);
    assert.deepEqual([record.status, record.err_type, record.intact], [200, null, true]);
    assert.equal(upstream.visits.length, 2);
  });

  test('broken after a byte of the answer: it is not sent again', async (t) => {
    const { rig, upstream } = await reuse(t, async (visit) => {
      await visit.request();
      await visit.send('HTTP/1.1 200 O');
      visit.end();
    });
    const seen = await ask(rig, { model: SONNET, session: 'second' });
    assert.deepEqual(
      [seen.status, seen.fields.get('x-lanekeeper-error')],
      [502, 'upstream_closed'],
    );
    const { record } = await recordOf(rig, 'second', 2);
    assert.deepEqual([record.attempts, record.err_type], [1, 'net']);
    assert.equal(upstream.visits.length, 1);
  });
});
