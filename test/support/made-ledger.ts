/**
 * Ledgers made for tests and measurements: records such as a day of work leaves behind, drawn from a
 * seed, so that the same seed makes the same file. Errors, cut streams, retries and missing counts
 * are among them.
 */
import type { UsageRecord } from '../../src/ledger/record.ts';
import { digest, HEX, type Random, randomOf } from '../../src/twin/seed.ts';

export interface MadeOptions {
  readonly seed: number;
  readonly count: number;
  /** Unix seconds of the first record. Default: in November 2026. */
  readonly from?: number;
  /** Mean time between two records, seconds. Default 3. */
  readonly everySeconds?: number;
}

const FROM = 1_794_000_000;
const MODELS = [
  'claude-haiku-5-5',
  'claude-haiku-5-5',
  'claude-haiku-4-5-20251001',
  'claude-sonnet-5-5',
  'claude-sonnet-5-5',
  'claude-opus-5-5',
];

/** The records, one after the other; nothing is kept. */
export function* madeRecords(options: MadeOptions): Generator<UsageRecord> {
  const { seed, count, from = FROM, everySeconds = 3 } = options;
  const random = randomOf(digest('ledger', seed));
  let milliseconds = 0;
  for (let index = 0; index < count; index += 1) {
    milliseconds += random.below(2_000 * everySeconds);
    yield madeRecord(random, index, (from * 1000 + milliseconds) / 1000);
  }
}

function madeRecord(random: Random, index: number, ts: number): UsageRecord {
  const model = pick(random, MODELS);
  const agent = random.below(3) === 0 ? 'subagent' : 'main';
  const zai = model.includes('haiku') && random.below(8) > 0;
  const failed = random.below(50) === 0;
  const stream = random.below(10) > 0;
  const latency = 200_000 + Math.floor(random.below(1_000_000) ** 2 / 40_000);
  const sse = !stream || failed ? null : random.below(200) === 0 ? 'cut' : 'complete';
  return {
    ts,
    rid: `made-${index}`,
    ...routed(model, agent, zai),
    ...(failed ? { model_served: null } : {}),
    op: stream ? 'stream' : 'nonstream',
    ...outcome(random, failed),
    h2: random.below(20) === 0,
    latency_ms: latency / 1000,
    ttfb_ms: failed && random.below(2) === 0 ? null : Math.floor(latency / 4) / 1000,
    ...tokens(random, failed),
    retry: failed && random.below(2) === 0,
    attempts: failed ? 1 + random.below(2) : 1,
    backoff_ms: failed ? random.below(600) : 0,
    bytes_up: 20_000 + random.below(200_000),
    bytes_down: failed ? 120 : 400 + random.below(40_000),
    sse,
    sse_events: sse === null ? 0 : 10 + random.below(200),
    intact: !failed && sse !== 'cut',
    agent,
    session: digest('session', Math.floor(index / 500))
      .toString('hex')
      .slice(0, 16),
    path: random.below(30) === 0 ? '/v1/messages/count_tokens' : '/v1/messages',
    request_id: `req_${random.text(HEX, 24)}`,
  };
}

type Routed = Pick<
  UsageRecord,
  'lane' | 'upstream' | 'decision' | 'model' | 'model_sent' | 'model_served' | 'header_mode'
>;

function routed(model: string, agent: 'main' | 'subagent', zai: boolean): Routed {
  if (!zai) {
    const lane = { lane: 'anthropic', upstream: 'anth', decision: 'default' } as const;
    return { ...lane, model, model_sent: model, model_served: model, header_mode: null };
  }
  return {
    lane: 'zai',
    upstream: 'zai',
    decision: agent === 'subagent' ? 'subagent' : 'forced_model',
    model,
    model_sent: 'glm-4.5-air',
    model_served: 'glm-4.5-air',
    header_mode: 'x-api-key',
  };
}

function outcome(random: Random, failed: boolean): Pick<UsageRecord, 'status' | 'err_type'> {
  if (!failed) return { status: 200, err_type: null };
  const outcomes: readonly Pick<UsageRecord, 'status' | 'err_type'>[] = [
    { status: 429, err_type: '429' },
    { status: 529, err_type: '5xx' },
    { status: 502, err_type: 'net' },
    { status: null, err_type: 'timeout' },
  ];
  return pick(random, outcomes);
}

type Tokens = Pick<
  UsageRecord,
  'input_tokens' | 'output_tokens' | 'cache_read_tokens' | 'cache_write_tokens'
>;

function tokens(random: Random, failed: boolean): Tokens {
  if (failed || random.below(100) === 0) {
    return {
      input_tokens: null,
      output_tokens: null,
      cache_read_tokens: null,
      cache_write_tokens: null,
    };
  }
  return {
    input_tokens: random.below(4_000),
    output_tokens: random.below(1_500),
    cache_read_tokens: random.below(150_000),
    cache_write_tokens: random.below(4) === 0 ? random.below(20_000) : 0,
  };
}

function pick<T>(random: Random, from: readonly T[]): T {
  const value = from[random.below(from.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}
