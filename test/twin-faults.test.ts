/**
 * Each fault of the twin as the official SDK meets it, without a proxy and through it: the same class
 * of error, status, text and partial events, and one ledger record that tells it. Where the proxy says
 * more than a bare connection could, or mends what nothing was lost by, the table says so.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type Anthropic from '@anthropic-ai/sdk';
import type { UsageRecord } from '../src/ledger/record.ts';
import type { Fault, FaultMatch } from '../src/twin/index.ts';
import { rawConnect } from './support/raw-client.ts';
import { type Rig, startRig } from './support/rig.ts';
import { sdkClient } from './support/sdk.ts';
import { ask } from './support/sdk-cases.ts';

/** What the SDK made of one call. */
interface Seen {
  /** Types of the events that came, in order. */
  readonly events: readonly string[];
  /** The text that came. */
  readonly text: string;
  /** Class, status and text of the error; null for none. */
  readonly error: readonly [name: string, status: number | undefined, message: string] | null;
}

type Call = (client: Anthropic, model: string) => Promise<Seen>;

interface Case {
  readonly fault: Fault;
  readonly name?: string;
  readonly match?: FaultMatch;
  /** Default: one stream of five events. */
  readonly calls?: readonly Call[];
  /** What is seen through the proxy where it differs: a pattern of the error, or no error at all. */
  readonly differs?: readonly (RegExp | null)[];
  readonly records: readonly Partial<UsageRecord>[];
  readonly lane?: 'zai';
}

const EVENTS = '[twin: events 5]';
/** What still comes tells the proxy that its client has left, even by FIN alone. */
const MANY = '[twin: events 50] [twin: gap 2]';
const PLAIN = { retry: false, attempts: 1 } as const;
const COMPLETE = { ...PLAIN, status: 200, err_type: null, sse: 'complete', intact: true } as const;
const CUT = { ...PLAIN, status: 200, err_type: 'net', sse: 'cut', intact: false } as const;
const LOCAL = { ...PLAIN, status: 502, err_type: 'net', sse: null, intact: false } as const;
const GONE = { ...PLAIN, status: 200, err_type: null, sse: 'client_gone', intact: false } as const;

const streamed =
  (prompt = EVENTS, leaveAfter = Number.POSITIVE_INFINITY): Call =>
  async (client, model) => {
    const events: string[] = [];
    let text = '';
    try {
      const stream = client.messages.stream(ask(model, prompt));
      stream.on('streamEvent', (event) => {
        events.push(event.type);
        if (events.length === leaveAfter) stream.abort();
      });
      stream.on('text', (piece) => {
        text += piece;
      });
      await stream.finalMessage();
      return { events, text, error: null };
    } catch (error) {
      return { events, text, error: errorOf(error) };
    }
  };

const whole: Call = async (client, model) => {
  try {
    const message = await client.messages.create(ask(model, EVENTS));
    return { events: [], text: JSON.stringify(message), error: null };
  } catch (error) {
    return { events: [], text: '', error: errorOf(error) };
  }
};

/** Reads the payload to its end, whatever it says. */
const payload: Call = async (client, model) => {
  const response = await client.messages
    .create({ ...ask(model, EVENTS), stream: true })
    .asResponse();
  return { events: [], text: await response.text(), error: null };
};

const impatient: Call = async (client, model) => {
  try {
    await client.messages.create(ask(model, EVENTS), { timeout: 200 });
    return { events: [], text: '', error: null };
  } catch (error) {
    return { events: [], text: '', error: errorOf(error) };
  }
};

const afterPause =
  (call: Call): Call =>
  async (client, model) => {
    await new Promise((resolve) => setTimeout(resolve, 120));
    return call(client, model);
  };

function errorOf(error: unknown): Seen['error'] {
  assert(error instanceof Error);
  const status = 'status' in error && typeof error.status === 'number' ? error.status : undefined;
  return [error.constructor.name, status, error.message];
}

const STATUSES = [
  [400, '4xx'],
  [401, '401'],
  [403, '4xx'],
  [404, '4xx'],
  [408, '4xx'],
  [413, '4xx'],
  [429, '429'],
  [500, '5xx'],
  [503, '5xx'],
  [504, '5xx'],
  [529, '5xx'],
] as const;

const CASES: readonly Case[] = [
  ...STATUSES.map(
    ([status, errType]): Case => ({
      name: `status ${status}`,
      fault: { kind: 'status', status, retry_after: 1 },
      calls: [streamed(), whole],
      records: [
        { ...PLAIN, status, err_type: errType, sse: null, intact: true, op: 'stream' },
        { ...PLAIN, status, err_type: errType, sse: null, intact: true, op: 'nonstream' },
      ],
    }),
  ),
  {
    name: 'status 429 with 1308 (zai)',
    fault: { kind: 'status', status: 429, code: '1308' },
    lane: 'zai',
    records: [{ ...PLAIN, status: 429, err_type: '429', sse: null, intact: true }],
  },
  {
    name: 'concurrency (zai)',
    fault: { kind: 'concurrency', max: 0 },
    lane: 'zai',
    records: [{ ...PLAIN, status: 429, err_type: '429', sse: null, intact: true }],
  },
  {
    name: 'auth_mode (zai): the other header is tried',
    fault: { kind: 'auth_mode', refuses: 'x-api-key' },
    lane: 'zai',
    records: [{ ...COMPLETE, retry: true, attempts: 2, header_mode: 'authorization' }],
  },
  {
    fault: { kind: 'html' },
    calls: [streamed(), whole],
    records: [
      { ...PLAIN, status: 200, err_type: null, sse: null, intact: true },
      { ...PLAIN, status: 200, err_type: null, sse: null, intact: true },
    ],
  },
  {
    fault: { kind: 'reset_before_head' },
    differs: [/^InternalServerError 502 .*upstream_reset/],
    records: [LOCAL],
  },
  {
    name: 'refuse: the reset, then nobody listens',
    fault: { kind: 'refuse', ms: 250 },
    match: { times: 1 },
    calls: [streamed(), streamed()],
    differs: [
      /^InternalServerError 502 .*upstream_reset/,
      /^InternalServerError 502 .*upstream_ref/,
    ],
    records: [LOCAL, LOCAL],
  },
  { fault: { kind: 'reset_mid_stream', after_events: 4 }, records: [CUT] },
  { name: 'end_mid_stream close', fault: { kind: 'end_mid_stream', how: 'close' }, records: [CUT] },
  {
    name: 'end_mid_stream truncate',
    fault: { kind: 'end_mid_stream', how: 'truncate' },
    records: [{ ...CUT, err_type: null, intact: true }],
  },
  {
    name: 'end_mid_stream truncate, not streamed',
    fault: { kind: 'end_mid_stream', how: 'truncate' },
    calls: [whole],
    records: [{ ...PLAIN, status: 200, err_type: null, sse: null, intact: true }],
  },
  {
    name: 'stall_before_head: the client gives up',
    fault: { kind: 'stall_before_head' },
    calls: [impatient],
    records: [{ ...PLAIN, status: null, err_type: null, sse: null, intact: false }],
  },
  {
    name: 'stall_before_head 50 ms',
    fault: { kind: 'stall_before_head', ms: 50 },
    records: [COMPLETE],
  },
  {
    name: 'stall_mid_stream: the client gives up',
    fault: { kind: 'stall_mid_stream', after_events: 4 },
    // The SDK keeps the ping to itself.
    calls: [streamed(MANY, 3)],
    records: [GONE],
  },
  {
    name: 'stall_mid_stream 50 ms',
    fault: { kind: 'stall_mid_stream', ms: 50 },
    records: [COMPLETE],
  },
  { fault: { kind: 'drip', bytes: 64, every_ms: 1 }, records: [COMPLETE] },
  { fault: { kind: 'split', sizes: [1, 2, 3, 200] }, records: [COMPLETE] },
  { fault: { kind: 'latency', ms: 20, jitter_ms: 20 }, records: [COMPLETE] },
  { fault: { kind: 'slow_tls', ms: 60 }, records: [COMPLETE] },
  {
    name: 'bad_json: the client leaves at it',
    fault: { kind: 'bad_json', after_events: 4 },
    calls: [streamed(`${MANY}[twin: pause 60000 after=5]`)],
    records: [GONE],
  },
  {
    name: 'bad_json, read to the end',
    fault: { kind: 'bad_json', after_events: 4 },
    calls: [payload],
    records: [COMPLETE],
  },
  {
    name: 'error_event: the SDK’s error',
    fault: { kind: 'error_event', after_events: 4 },
    records: [{ ...PLAIN, status: 200, err_type: '5xx', sse: 'upstream_error' }],
  },
  {
    name: 'error_event, read to the end',
    fault: { kind: 'error_event', after_events: 4, type: 'rate_limit_error' },
    calls: [payload],
    records: [{ ...PLAIN, status: 200, err_type: '429', sse: 'upstream_error', intact: true }],
  },
  {
    fault: { kind: 'truncated_gzip', after_events: 4 },
    records: [{ ...PLAIN, status: 200, intact: true }],
  },
  {
    name: 'idle_close fin, then another request',
    fault: { kind: 'idle_close', ms: 40 },
    calls: [streamed(), afterPause(streamed())],
    records: [COMPLETE, COMPLETE],
  },
  {
    name: 'idle_close reset, then another request',
    fault: { kind: 'idle_close', ms: 40, how: 'reset' },
    calls: [streamed(), afterPause(streamed())],
    records: [COMPLETE, COMPLETE],
  },
];

/** HTTP/2 to the upstream: directly, and from the proxy for a client of HTTP/1.1. */
const H2_CASES: readonly Case[] = [
  {
    name: 'refused_stream: tried again, since nothing was processed',
    fault: { kind: 'refused_stream' },
    match: { times: 1 },
    differs: [null],
    records: [{ ...COMPLETE, h2: true, retry: true, attempts: 2 }],
  },
  {
    name: 'goaway: tried again, since nothing was processed',
    fault: { kind: 'goaway' },
    match: { times: 1 },
    differs: [null],
    records: [{ ...COMPLETE, h2: true, retry: true, attempts: 2 }],
  },
  {
    name: 'goaway that covers the request',
    fault: { kind: 'goaway', processed: true },
    calls: [streamed(), streamed()],
    records: [
      { ...COMPLETE, h2: true },
      { ...COMPLETE, h2: true },
    ],
  },
  {
    name: 'reset_before_head over HTTP/2',
    fault: { kind: 'reset_before_head' },
    differs: [/^InternalServerError 502 .*upstream_/],
    records: [{ ...LOCAL, h2: true }],
  },
  {
    name: 'reset_mid_stream over HTTP/2',
    fault: { kind: 'reset_mid_stream' },
    // The same events; the words for what broke them off are those of the other protocol.
    differs: [/./],
    records: [{ ...CUT, h2: true }],
  },
];

const table: string[] = [];
after(() => {
  console.log(['fault | direct | through the proxy | ledger', ...table].join('\n'));
});

let keys = 0;

/** The calls of a case, one after the other, by a client of its own. */
async function observe(
  rig: Rig,
  one: Case,
  how: 'direct' | 'proxied',
  protocol: 'h1' | 'h2',
): Promise<Seen[]> {
  const endpoint = one.lane === 'zai' ? rig.twin.zai : rig.twin.anthropic;
  await rig.twin.setFaults({ rules: [{ match: one.match ?? {}, fault: one.fault }] });
  keys += 1;
  const baseUrl = `${endpoint.origin}${endpoint.basePath}`;
  const { client, close } = sdkClient({
    route:
      how === 'direct'
        ? { mode: 'direct', baseUrl, ca: endpoint.ca }
        : { mode: 'connect', proxyUrl: rig.proxy.url, ca: rig.ca },
    protocol: how === 'direct' ? protocol : 'h1',
    // A key of its own: no two cases share a connection of the proxy to the upstream.
    apiKey: how === 'direct' && endpoint.key !== null ? endpoint.key : `sk-ant-api03-fake-${keys}`,
  });
  // The keyed lane asks for another model than its client; the answer is drawn from the request.
  const zaiModel = how === 'direct' ? 'glm-4.5-air' : 'claude-haiku-5-5';
  const model = one.lane === 'zai' ? zaiModel : 'claude-sonnet-5-5';
  const seen: Seen[] = [];
  for (const call of one.calls ?? [streamed()]) {
    seen.push(await call(client, model));
  }
  await close();
  await rig.twin.setFaults(null);
  return seen;
}

function shortOf(seen: Seen): string {
  const { error, events } = seen;
  if (error === null) return events.length > 0 ? `${events.length} events` : 'ok';
  const [name, status, message] = error;
  return `${events.length} events, ${name} ${status ?? '-'} ${message.replaceAll(/\s+/g, ' ')}`;
}

/** Resolves once the upstream listens, as it does not for the time of an outage. */
async function isBack(rig: Rig): Promise<void> {
  try {
    (await rawConnect({ to: rig.twin.anthropic })).destroy();
  } catch {
    await isBack(rig);
  }
}

async function compare(rig: Rig, one: Case, name: string, protocol: 'h1' | 'h2'): Promise<void> {
  const before = rig.proxy.control.status().exchanges.total;
  const direct = await observe(rig, one, 'direct', protocol);
  await isBack(rig);
  const proxied = await observe(rig, one, 'proxied', protocol);
  await isBack(rig);
  const records = (await rig.records(before + one.records.length)).slice(before);
  assert.equal(records.length, one.records.length, 'one record an exchange');
  const isOfConnection = one.fault.kind === 'slow_tls' || one.fault.kind === 'idle_close';
  for (const [index, got] of proxied.entries()) {
    const expected = direct[index];
    assert(expected !== undefined);
    const record = records[index];
    const told = `${record?.status} ${record?.err_type} ${record?.sse} x${record?.attempts}`;
    const cell = (seen: Seen): string => shortOf(seen).slice(0, 90);
    table.push(`${name} | ${cell(expected)} | ${cell(got)} | ${told}`);
    const differs = one.differs?.[index];
    if (differs === undefined) assert.deepEqual(got, expected);
    else {
      assert(expected.error !== null, 'without a proxy it is an error');
      assert.deepEqual(got.events.slice(0, expected.events.length), expected.events);
      if (differs === null) assert.equal(got.error, null);
      else assert.match(got.error?.map(String).join(' ') ?? 'no error', differs);
    }
    const names = Object.keys(one.records[index] ?? {}) as (keyof UsageRecord)[];
    const actual = Object.fromEntries(names.map((field) => [field, record?.[field]]));
    assert.deepEqual(actual, one.records[index]);
  }
  const { anthropic, zai } = rig.twin;
  const kinds = [...anthropic.requests(), ...zai.requests()].map(({ fault }) => fault);
  if (!isOfConnection) assert(kinds.includes(one.fault.kind), 'the twin says what it did');
}

function suite(name: string, cases: readonly Case[], protocol: 'h1' | 'h2'): void {
  describe(name, () => {
    let rig: Rig;
    const hooks: (() => Promise<void> | void)[] = [];
    before(async () => {
      const env = { FORCE_HAIKU_TO_ZAI: '1', ...(protocol === 'h2' ? { MITM_HTTP2: '1' } : {}) };
      rig = await startRig(
        { after: (hook: () => Promise<void> | void) => hooks.push(hook) },
        { env },
      );
    });
    after(async () => {
      for (const hook of hooks) await hook();
    });
    for (const one of cases) {
      const title = one.name ?? one.fault.kind;
      test(title, async () => {
        rig.twin.anthropic.clear();
        rig.twin.zai.clear();
        await compare(rig, one, title, protocol);
      });
    }
  });
}

suite('over HTTP/1.1, the SDK sees the same with and without the proxy', CASES, 'h1');
suite('over HTTP/2 to the upstream', H2_CASES, 'h2');
