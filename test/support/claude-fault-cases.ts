/**
 * The faults of the twin that Claude Code is put before: what it shows and asks for without a proxy,
 * what the ledger says of it through ours, and where the two may differ, with the reason.
 */
import type { Fault, FaultMatch, Twin } from '../../src/twin/index.ts';
import type { Persona } from './claude-faults.ts';

export interface FaultCase {
  readonly name: string;
  readonly fault: Fault;
  readonly match?: FaultMatch;
  readonly lane?: Persona;
  /** The proxy speaks HTTP/2 with the upstream; Claude Code itself never does. */
  readonly h2?: true;
  readonly prompts?: readonly string[];
  readonly between?: (twin: Twin) => Promise<void>;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Exit status, and the beginning of what it shows, without the proxy. */
  readonly shows: readonly [exit: 0 | 1, text: RegExp];
  /** Its `api_retry` events. */
  readonly retries?: number;
  /** The POSTs that the twin saw, without the proxy. */
  readonly posts: readonly string[];
  /** Through the proxy: operation, status, `err_type`, `sse`, attempts, and whether it was whole. */
  readonly records: readonly (string | RegExp)[];
  /** What is another thing through the proxy, and why. */
  readonly differs?: {
    readonly why: string;
    readonly shows?: readonly [exit: 0 | 1, text: RegExp];
    readonly retries?: 0;
    readonly posts?: readonly string[];
  };
}

const ONCE = { times: 1 };
const ANSWER = /^1 2 3 4 5/;
const GOOD = 'stream 200 null complete x1';
const RETRIES_2 = { CLAUDE_CODE_MAX_RETRIES: '2' };
/** With a token it makes no control calls: its first request comes by a connection that is new. */
const NO_CALLS = { ...RETRIES_2, ANTHROPIC_API_KEY: '', ANTHROPIC_AUTH_TOKEN: 'fake-token' };
const SAYS_MORE =
  'a bare reset reads as a fault of the proxy; the 502 names the upstream and the code, and is retried alike';
const RESET_502 =
  /^API Error: 502 Lanekeeper: the upstream reset the connection .*\[upstream_reset]/;
const DROPPED = /^API Error: Connection dropped \(ECONNRESET\)\. Check the (proxy|gateway)/;
const LOST = /^API Error: Connection to the API was lost \(ECONNRESET\)/;
/** It leaves in the middle of it. */
const LONG = ['[twin: events 400] [twin: gap 5]'];
const LEFT = 'stream 200 null client_gone x1 broken';
/** It may leave at the event, before the proper end that follows. */
const AT_ERROR = /^stream 200 5xx upstream_error x1( broken)?$/;
const CUT = 'stream 200 net cut x1 broken';

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

/** An error status that every request gets. */
function refusal(
  status: number,
  errType: string,
  shows: RegExp,
  how: { posts?: readonly string[]; retries?: number; fault?: Partial<Fault> } = {},
): FaultCase {
  const posts = how.posts ?? [`stream ${status}`];
  return {
    name: `status ${status}`,
    fault: { kind: 'status', status, ...how.fault } as Fault,
    shows: [1, shows],
    retries: how.retries ?? 0,
    posts,
    records: posts.map((post) => `${post} ${errType} null x1`),
  };
}

function retried(status: number, errType: string, shows: RegExp, posts = 2): FaultCase {
  return refusal(status, errType, shows, { posts: times(posts, `stream ${status}`), retries: 1 });
}

const STATUSES: readonly FaultCase[] = [
  refusal(400, '4xx', /^API Error: 400 /),
  retried(401, '401', /^Invalid API key/),
  refusal(403, '4xx', /^Failed to authenticate\. API Error: 403 /),
  refusal(404, '4xx', /^There's an issue with the selected model/, {
    posts: ['stream 404', 'nonstream 404'],
  }),
  retried(408, '4xx', /^API Error: 408 /),
  refusal(413, '4xx', /^Request too large/),
  retried(429, '429', /^API Error: Request rejected \(429\)/),
  retried(500, '5xx', /^API Error: 500 /),
  // One attempt more, at once and without a word.
  retried(503, '5xx', /^API Error: 503 /, 3),
  retried(504, '5xx', /^API Error: 504 /),
  retried(529, '5xx', /^API Error: 529 Overloaded/),
  {
    ...retried(429, '429', /^API Error: Request rejected \(429\)/),
    name: 'status 429, Retry-After 1',
    fault: { kind: 'status', status: 429, retry_after: 1 },
  },
  {
    ...refusal(429, '429', /^API Error: Request rejected \(429\)/),
    name: 'status 429, Retry-After 90: it gives up',
    fault: { kind: 'status', status: 429, retry_after: 90 },
  },
  {
    ...refusal(429, '429', /^You've hit your 5-hour limit/),
    name: 'status 429, the limit of a subscription',
    fault: {
      kind: 'status',
      status: 429,
      headers: { 'anthropic-ratelimit-unified-status': 'rejected' },
    },
    env: { ANTHROPIC_API_KEY: '', CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat01-fake-token' },
  },
  {
    ...refusal(529, '5xx', /^API Error: 529 Overloaded/),
    name: 'status 529, x-should-retry: false',
    fault: { kind: 'status', status: 529, should_retry: false },
  },
  {
    name: 'status 529 once',
    fault: { kind: 'status', status: 529 },
    match: ONCE,
    shows: [0, ANSWER],
    retries: 1,
    posts: ['stream 529', 'stream 200'],
    records: ['stream 529 5xx null x1', GOOD],
  },
  {
    name: 'html',
    fault: { kind: 'html' },
    shows: [1, /^API Error: API returned an empty or malformed response \(HTTP 200\)/],
    posts: ['stream 200', 'nonstream 200'],
    records: ['stream 200 null null x1', 'nonstream 200 null null x1'],
  },
];

const RESET_BEFORE: FaultCase = {
  name: 'reset_before_head',
  fault: { kind: 'reset_before_head' },
  shows: [1, DROPPED],
  retries: 1,
  posts: times(2, 'stream 0'),
  records: times(2, 'stream 502 net null x1 broken'),
  differs: { why: SAYS_MORE, shows: [1, RESET_502] },
};

const RESET_MIDWAY: FaultCase = {
  name: 'reset_mid_stream',
  fault: { kind: 'reset_mid_stream', lull_ms: 300 },
  shows: [1, LOST],
  retries: 1,
  posts: [...times(2, 'stream 200'), 'nonstream 200'],
  records: [CUT, CUT, 'nonstream 200 net null x1 broken'],
};

const BREAKS: readonly FaultCase[] = [
  {
    name: 'reset_before_head',
    fault: { kind: 'reset_before_head' },
    env: NO_CALLS,
    shows: [1, DROPPED],
    retries: 2,
    posts: times(3, 'stream 0'),
    records: times(3, 'stream 502 net null x1 broken'),
    differs: { why: SAYS_MORE, shows: [1, RESET_502] },
  },
  {
    name: 'reset_before_head once',
    fault: { kind: 'reset_before_head' },
    match: ONCE,
    env: NO_CALLS,
    shows: [0, ANSWER],
    retries: 1,
    posts: ['stream 0', 'stream 200'],
    records: ['stream 502 net null x1 broken', GOOD],
    differs: { why: SAYS_MORE },
  },
  {
    name: 'reset_before_head, with a fallback model',
    fault: { kind: 'reset_before_head' },
    match: { model: '*sonnet*' },
    env: NO_CALLS,
    args: ['--fallback-model', 'opus'],
    shows: [1, DROPPED],
    retries: 2,
    posts: times(3, 'stream 0'),
    records: ['stream 502 net null x1 broken', GOOD],
    differs: {
      why: 'it takes a 502, but not a reset, as a reason to use the fallback model: the task goes on, though a blip is enough',
      shows: [0, ANSWER],
      retries: 0,
      posts: ['stream 0', 'stream 200'],
    },
  },
  {
    name: 'refuse: a reset, then nobody listens for a moment',
    fault: { kind: 'refuse', ms: 300 },
    match: ONCE,
    env: NO_CALLS,
    shows: [0, ANSWER],
    retries: 1,
    posts: ['stream 0', 'stream 200'],
    records: ['stream 502 net null x1 broken', GOOD],
    differs: { why: SAYS_MORE },
  },
  RESET_MIDWAY,
  {
    name: 'reset_mid_stream once',
    fault: { kind: 'reset_mid_stream', lull_ms: 300 },
    match: ONCE,
    shows: [0, ANSWER],
    retries: 1,
    posts: times(2, 'stream 200'),
    records: [CUT, GOOD],
  },
  {
    name: 'end_mid_stream close',
    fault: { kind: 'end_mid_stream', how: 'close', lull_ms: 300 },
    shows: [1, LOST],
    retries: 1,
    posts: [...times(2, 'stream 200'), 'nonstream 200'],
    records: [CUT, CUT, 'nonstream 200 net null x1 broken'],
  },
  {
    name: 'end_mid_stream truncate',
    fault: { kind: 'end_mid_stream', how: 'truncate' },
    shows: [1, /^API Error: JSON Parse error/],
    retries: 1,
    posts: [...times(2, 'stream 200'), 'nonstream 200'],
    records: [...times(2, 'stream 200 null cut x1'), 'nonstream 200 null null x1'],
  },
  {
    name: 'truncated_gzip',
    fault: { kind: 'truncated_gzip' },
    shows: [1, /^API Error: ZlibError/],
    retries: 1,
    posts: [...times(2, 'stream 200'), 'nonstream 200'],
    records: [...times(2, 'stream 200 null cut x1'), 'nonstream 200 null null x1'],
  },
  {
    name: 'bad_json',
    fault: { kind: 'bad_json' },
    prompts: LONG,
    shows: [1, /^API Error: JSON Parse error/],
    posts: ['stream 200', 'nonstream 200'],
    records: [LEFT, 'nonstream 200 null null x1'],
  },
  {
    name: 'bad_json once',
    fault: { kind: 'bad_json' },
    prompts: LONG,
    match: ONCE,
    shows: [0, ANSWER],
    posts: ['stream 200', 'nonstream 200'],
    records: [LEFT, 'nonstream 200 null null x1'],
  },
  {
    name: 'error_event: the last resort, which does not stream, gets through',
    fault: { kind: 'error_event' },
    shows: [0, ANSWER],
    posts: ['stream 200', 'stream 200', 'nonstream 200'],
    records: [...times(2, AT_ERROR), 'nonstream 200 null null x1'],
  },
  {
    name: 'error_event once',
    fault: { kind: 'error_event' },
    match: ONCE,
    shows: [0, ANSWER],
    posts: times(2, 'stream 200'),
    records: [AT_ERROR, GOOD],
  },
];

/** Resolves once the twin has let go of every connection. */
async function allGone({ anthropic }: Twin): Promise<void> {
  while (anthropic.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

function harmless(fault: Fault, more: Partial<FaultCase> = {}): FaultCase {
  return {
    name: fault.kind,
    fault,
    shows: [0, ANSWER],
    posts: ['stream 200'],
    records: [GOOD],
    ...more,
  };
}

const PACES: readonly FaultCase[] = [
  {
    name: 'stall_before_head: it gives up',
    fault: { kind: 'stall_before_head' },
    env: { API_TIMEOUT_MS: '1500' },
    shows: [1, /^Request timed out\./],
    retries: 1,
    posts: times(2, 'stream 0'),
    records: times(2, 'stream null null null x1 broken'),
  },
  harmless({ kind: 'stall_before_head', ms: 300 }),
  harmless({ kind: 'stall_mid_stream', ms: 300 }),
  harmless({ kind: 'drip', bytes: 64, every_ms: 1 }),
  harmless({ kind: 'split', sizes: [1, 2, 3, 200] }),
  harmless({ kind: 'latency', ms: 50, jitter_ms: 20 }),
  harmless({ kind: 'slow_tls', ms: 100 }),
  ...(['fin', 'reset'] as const).map((how) =>
    harmless(
      { kind: 'idle_close', ms: 100, how },
      {
        name: `idle_close ${how}, then another prompt`,
        prompts: ['[twin: events 5]', '[twin: events 5] again'],
        between: allGone,
        posts: times(2, 'stream 200'),
        records: times(2, GOOD),
      },
    ),
  ),
];

const AT_ZAI: readonly FaultCase[] = [
  {
    ...retried(429, '429', /^API Error: Request rejected \(429\) · Rate limit reached/),
    name: 'concurrency (1302)',
    fault: { kind: 'concurrency', max: 0 },
  },
  {
    ...retried(429, '429', /^API Error: Request rejected \(429\) · Usage limit reached/),
    name: 'status 429 with 1308',
    fault: { kind: 'status', status: 429, code: '1308' },
  },
  {
    ...retried(401, '401', /^Failed to authenticate\. API Error: 401 /),
    records: times(2, 'stream 401 401 null x2'),
    differs: { why: 'the key is tried in both headers', posts: times(4, 'stream 401') },
  },
  {
    name: 'auth_mode',
    fault: { kind: 'auth_mode', refuses: 'x-api-key' },
    shows: [1, /^Failed to authenticate\. API Error: 401 /],
    retries: 1,
    posts: times(2, 'stream 401'),
    records: ['stream 200 null complete x2'],
    differs: {
      why: 'the header that the key is accepted in is found and kept',
      shows: [0, ANSWER],
      retries: 0,
      posts: ['stream 401', 'stream 200'],
    },
  },
  retried(500, '5xx', /^API Error: 500 /),
  RESET_BEFORE,
  RESET_MIDWAY,
];

const NOT_PROCESSED: Partial<FaultCase> = {
  match: ONCE,
  records: ['stream 200 null complete x2'],
  differs: {
    why: 'the upstream says that it did not process the request: nothing can happen twice',
    posts: ['stream 0', 'stream 200'],
  },
};

/** Directly none of it can happen, or happens to HTTP/1.1. */
const OVER_HTTP2: readonly FaultCase[] = [
  harmless({ kind: 'refused_stream' }, NOT_PROCESSED),
  harmless({ kind: 'goaway' }, NOT_PROCESSED),
  harmless({ kind: 'goaway', processed: true }, { name: 'goaway that covers the request' }),
  RESET_BEFORE,
  RESET_MIDWAY,
];

/** All cases, in the order of the document. */
export const FAULT_CASES: readonly FaultCase[] = [
  ...STATUSES,
  ...BREAKS,
  ...PACES,
  ...AT_ZAI.map((one): FaultCase => ({ ...one, name: `${one.name} (zai)`, lane: 'zai' })),
  ...OVER_HTTP2.map((one): FaultCase => ({ ...one, name: `${one.name} (HTTP/2)`, h2: true })),
];
