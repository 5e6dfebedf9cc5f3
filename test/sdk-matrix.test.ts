/**
 * The official SDK through the whole: by CONNECT and by gateway, over HTTP/1.1 and HTTP/2, down both
 * lanes. The twin answers the same bytes alike, so every answer is held against the one that a client
 * without a proxy gets, and every exchange against its one ledger record.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type Anthropic from '@anthropic-ai/sdk';
import type { UsageRecord } from '../src/ledger/record.ts';
import type { TwinEndpoint } from '../src/twin/index.ts';
import { type Rig, type RigOptions, startRig } from './support/rig.ts';
import { sdkClient } from './support/sdk.ts';
import { ask, SDK_CASES } from './support/sdk-cases.ts';

type Protocol = 'h1' | 'h2';
type Mode = 'connect' | 'gateway';

interface Lane {
  readonly name: 'anthropic' | 'zai';
  readonly tag: 'anth' | 'zai';
  readonly decision: UsageRecord['decision'];
  /** What the client asks for, and what the upstream is asked for. */
  readonly model: string;
  readonly modelSent: string;
  readonly headerMode: UsageRecord['header_mode'];
  readonly endpoint: (rig: Rig) => TwinEndpoint;
}

const ANTHROPIC: Lane = {
  name: 'anthropic',
  tag: 'anth',
  decision: 'default',
  model: 'claude-sonnet-5-5',
  modelSent: 'claude-sonnet-5-5',
  headerMode: null,
  endpoint: ({ twin }) => twin.anthropic,
};
const ZAI: Lane = {
  name: 'zai',
  tag: 'zai',
  decision: 'forced_model',
  model: 'claude-haiku-5-5',
  modelSent: 'glm-4.5-air',
  headerMode: 'x-api-key',
  endpoint: ({ twin }) => twin.zai,
};
const FORCED = { FORCE_HAIKU_TO_ZAI: '1' };

interface Bench {
  readonly rig: Rig;
  readonly proxied: Anthropic;
  /** How many records the ledger holds so far. */
  count: number;
}

async function bench(
  t: TestContext,
  mode: Mode,
  protocol: Protocol,
  options: RigOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Bench> {
  const { headers = {}, env = FORCED } = options;
  const rig = await startRig(t, { ...options, env });
  const proxyUrl = rig.proxy.url;
  const route =
    mode === 'connect' ? ({ mode, proxyUrl, ca: rig.ca } as const) : ({ mode, proxyUrl } as const);
  const { client, close } = sdkClient({ route, protocol, headers });
  t.after(close);
  return { rig, proxied: client, count: 0 };
}

/** The lane's upstream without a proxy between. */
function directClient(t: TestContext, rig: Rig, lane: Lane, protocol: Protocol): Anthropic {
  const { origin, basePath, ca, key } = lane.endpoint(rig);
  const { client, close } = sdkClient({
    route: { mode: 'direct', baseUrl: `${origin}${basePath}`, ca },
    protocol,
    ...(key === null ? {} : { apiKey: key }),
  });
  t.after(close);
  return client;
}

/** The records of the exchanges since the last call: exactly that many. */
async function newRecords(bench: Bench, expected: number): Promise<UsageRecord[]> {
  const all = await bench.rig.records(bench.count + expected);
  const fresh = all.slice(bench.count);
  assert.equal(fresh.length, expected, 'one record for each exchange');
  bench.count = all.length;
  return fresh;
}

function assertRecord(record: UsageRecord, expected: Partial<UsageRecord>): void {
  const names = Object.keys(expected) as (keyof UsageRecord)[];
  const actual = Object.fromEntries(names.map((name) => [name, record[name]]));
  assert.deepEqual(actual, expected);
}

for (const mode of ['connect', 'gateway'] as const) {
  for (const protocol of ['h1', 'h2'] as const) {
    test(`the SDK by ${mode} over ${protocol}`, async (t) => {
      const b = await bench(t, mode, protocol);
      for (const lane of [ANTHROPIC, ZAI]) {
        const direct = directClient(t, b.rig, lane, protocol);
        for (const { name, run } of SDK_CASES) {
          await t.test(`${lane.name}: ${name}`, async () => {
            const expected = await run(direct, lane.modelSent, lane.name);
            const got = await run(b.proxied, lane.model, lane.name);
            assert.deepEqual(got.seen, expected.seen);
            const records = await newRecords(b, got.records.length);
            for (const [index, record] of records.entries()) {
              assertRecord(record, {
                lane: lane.name,
                upstream: lane.tag,
                decision: lane.decision,
                model: lane.model,
                model_sent: lane.modelSent,
                h2: protocol === 'h2',
                intact: true,
                err_type: null,
                attempts: 1,
                header_mode: lane.headerMode,
                retry: false,
                ...got.records[index],
              });
            }
          });
        }
        await t.test(`${lane.name}: an abort reaches the upstream`, () => abort(b, lane));
      }
      assert.deepEqual(b.rig.warnings, []);
    });
  }
}

async function abort(b: Bench, lane: Lane): Promise<void> {
  const stream = await b.proxied.messages.create({
    ...ask(lane.model, '[twin: events 100] [twin: pause 60000 after=9]'),
    stream: true,
  });
  for await (const event of stream) {
    if (event.type === 'content_block_delta') stream.controller.abort();
  }
  const request = await lane.endpoint(b.rig).waitFor((received) => received.aborted);
  assert.equal(request.answer.ended, false);
  const [record] = await newRecords(b, 1);
  assert(record);
  assertRecord(record, {
    lane: lane.name,
    decision: lane.decision,
    op: 'stream',
    status: 200,
    sse: 'client_gone',
    intact: false,
  });
}

for (const [variable, protocol, h2] of [
  ['MITM_FORCE_H1', 'h2', false],
  ['MITM_HTTP2', 'h1', true],
] as const) {
  for (const mode of ['connect', 'gateway'] as const) {
    test(`${variable}=1 with an ${protocol} client by ${mode}: upstreams see ${h2 ? 'h2' : 'h1'}`, async (t) => {
      const b = await bench(t, mode, protocol, { env: { ...FORCED, [variable]: '1' } });
      for (const lane of [ANTHROPIC, ZAI]) {
        const prompt = '[twin: text 40 words]';
        const direct = directClient(t, b.rig, lane, protocol);
        const expected = await direct.messages.create(ask(lane.modelSent, prompt));
        const { content } = await direct.messages
          .stream(ask(lane.modelSent, prompt))
          .finalMessage();
        const streamed = await b.proxied.messages.stream(ask(lane.model, prompt)).finalMessage();
        assert.deepEqual(await b.proxied.messages.create(ask(lane.model, prompt)), expected);
        assert.deepEqual(streamed.content, content);
        for (const record of await newRecords(b, 2)) {
          assertRecord(record, { lane: lane.name, h2, intact: true, status: 200 });
        }
        const seen = lane.endpoint(b.rig).requests().slice(-2);
        assert(seen.every((request) => request.protocol === (h2 ? 'h2' : 'h1')));
      }
    });
  }
}

for (const protocol of ['h1', 'h2'] as const) {
  test(`${protocol}: only the Haiku of a subagent takes zai, and nothing does while paused`, async (t) => {
    const headers = {
      'x-claude-code-agent-id': 'agent-1',
      'x-claude-code-session-id': 'session-1',
    };
    const b = await bench(t, 'connect', protocol, { env: {}, headers });
    const say = (model: string) => b.proxied.messages.create(ask(model, 'hello'));
    await say(ZAI.model);
    await say(ANTHROPIC.model);
    await b.proxied.messages.create(ask(ZAI.model, 'hello'), {
      headers: { 'x-claude-code-agent-id': null },
    });
    b.rig.proxy.control.pause();
    await say(ZAI.model);
    b.rig.proxy.control.resume();
    await say(ZAI.model);
    const ways = (await newRecords(b, 5)).map((r) => [r.lane, r.decision, r.agent, r.intact]);
    assert.deepEqual(ways, [
      ['zai', 'subagent', 'subagent', true],
      ['anthropic', 'default', 'subagent', true],
      ['anthropic', 'default', 'main', true],
      ['anthropic', 'paused', 'subagent', true],
      ['zai', 'subagent', 'subagent', true],
    ]);
    assert.equal(b.rig.twin.zai.requests().length, 2);
    assert.equal(b.rig.twin.anthropic.requests().length, 3);
  });

  test(`${protocol}: an abort before the head reaches the upstream too`, async (t) => {
    const b = await bench(t, 'gateway', protocol);
    const controller = new AbortController();
    const { anthropic } = b.rig.twin;
    const answer = b.proxied.messages.create(ask(ANTHROPIC.model, '[twin: pause 60000]'), {
      signal: controller.signal,
    });
    answer.catch(() => {});
    await anthropic.waitFor((request) => request.whole);
    controller.abort();
    await assert.rejects(answer);
    await anthropic.waitFor((request) => request.aborted);
    const [record] = await newRecords(b, 1);
    assert(record);
    assertRecord(record, { status: null, intact: false, bytes_down: 0, op: 'nonstream' });
  });

  test(`${protocol}: the header mode that zai accepts is found once and kept`, async (t) => {
    const b = await bench(t, 'connect', protocol, { twin: { zaiAccepts: 'authorization' } });
    for (const attempts of [2, 1, 1]) {
      await b.proxied.messages.create(ask(ZAI.model, 'hello'));
      const [record] = await newRecords(b, 1);
      assert(record);
      assertRecord(record, { attempts, header_mode: 'authorization', status: 200, intact: true });
    }
  });

  test(`${protocol}: counting that zai does not do falls to the default lane`, async (t) => {
    const b = await bench(t, 'connect', protocol, { twin: { zaiCountTokens: false } });
    const request = { model: ZAI.model, messages: ask('', 'count me').messages };
    const direct = directClient(t, b.rig, ANTHROPIC, protocol);
    assert.deepEqual(
      await b.proxied.messages.countTokens(request),
      await direct.messages.countTokens(request),
    );
    const [record] = await newRecords(b, 1);
    assert(record);
    assertRecord(record, {
      lane: 'anthropic',
      decision: 'fallback',
      attempts: 2,
      model_sent: ZAI.model,
    });
  });

  test(`${protocol}: with backoff a 529 is tried once more, and the stream is whole`, async (t) => {
    const b = await bench(t, 'gateway', protocol, { env: { ...FORCED, MITM_ENABLE_BACKOFF: '1' } });
    for (const lane of [ANTHROPIC, ZAI]) {
      const prompt = '[twin: status 529 retry-after=0 times=1] [twin: say at last]';
      const message = await b.proxied.messages.stream(ask(lane.model, prompt)).finalMessage();
      assert.deepEqual(message.content, [{ type: 'text', text: 'at last' }]);
      const [record] = await newRecords(b, 1);
      assert(record);
      assertRecord(record, {
        lane: lane.name,
        attempts: 2,
        retry: true,
        status: 200,
        intact: true,
      });
    }
  });
}
