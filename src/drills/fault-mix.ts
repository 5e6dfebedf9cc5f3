/**
 * The built-in fault plan of a drill: every kind of fault that a request can meet, each with the same
 * part of the whole share, and connections that open slowly or are closed when idle. Waits are short,
 * so that a soak goes on. `refuse` is left out: it befalls requests that the twin never sees, of which
 * nobody could tell what should have become.
 */
import type { Fault, FaultMatch, FaultPlan, FaultRule } from '../twin/plan-schema.ts';

/** What the mix is made for. */
export interface MixOptions {
  /** Share of the requests that meet a fault, above 0 and up to 1. */
  readonly share: number;
  readonly seed: number;
  /** The upstream side speaks HTTP/2, which has faults of its own. */
  readonly http2: boolean;
}

type Ingredient = readonly [fault: Fault, match?: FaultMatch];

const STALL_MS = 300;
/** A key is presented in one header or the other: of the two, one can befall any request. */
const INGREDIENTS: readonly Ingredient[] = [
  [{ kind: 'status', status: 500 }],
  [{ kind: 'status', status: 429, retry_after: 0 }],
  [{ kind: 'status', status: 529, retry_after: 0 }],
  [{ kind: 'auth_mode', refuses: 'x-api-key' }, { header: 'x-api-key' }],
  [{ kind: 'auth_mode', refuses: 'authorization' }, { header: 'authorization' }],
  [{ kind: 'concurrency', max: 0 }],
  [{ kind: 'html' }],
  [{ kind: 'reset_before_head' }],
  [{ kind: 'reset_mid_stream', after_events: 4 }],
  [{ kind: 'end_mid_stream', how: 'close', after_events: 6 }],
  [{ kind: 'end_mid_stream', how: 'truncate', after_events: 2 }],
  [{ kind: 'stall_before_head', ms: STALL_MS }],
  [{ kind: 'stall_mid_stream', ms: STALL_MS }],
  [{ kind: 'drip', bytes: 701, every_ms: 2 }],
  [{ kind: 'bad_json' }],
  [{ kind: 'error_event' }, { stream: true }],
  [{ kind: 'truncated_gzip', after_events: 5 }],
  [{ kind: 'latency', ms: 50, jitter_ms: 200 }],
  [{ kind: 'split', sizes: [1, 17, 300] }],
];
const OF_HTTP2: readonly Ingredient[] = [
  [{ kind: 'goaway' }],
  [{ kind: 'goaway', processed: true }],
  [{ kind: 'refused_stream' }],
];
/** Connections are fewer than requests by far: each kind befalls this many times the share of them. */
const CONNECTION_FACTOR = 5;
const OF_CONNECTIONS: readonly Fault[] = [
  { kind: 'slow_tls', ms: 200 },
  { kind: 'idle_close', ms: 500, how: 'fin' },
  { kind: 'idle_close', ms: 700, how: 'reset' },
];

/** Makes the plan. The same seed and the same sequence of requests meet the same faults. */
export function faultMix({ share, seed, http2 }: MixOptions): FaultPlan {
  const ingredients = http2 ? [...INGREDIENTS, ...OF_HTTP2] : INGREDIENTS;
  const part = share / ingredients.length;
  const rules = ingredients.map(
    // A rule is asked only of what none before it took: its rate grows, for equal parts of the whole.
    ([fault, match], index): FaultRule => ({
      match: { path: '/v1/messages', ...match, rate: Math.min(1, part / (1 - part * index)) },
      fault,
    }),
  );
  const rate = Math.min(1, share * CONNECTION_FACTOR);
  return {
    seed,
    rules: [...rules, ...OF_CONNECTIONS.map((fault) => ({ match: { rate }, fault }))],
  };
}
