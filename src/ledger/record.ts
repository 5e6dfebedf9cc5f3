/**
 * What the ledger holds: one `UsageRecord` per exchange (`logs/usage.jsonl`), one `AnomalyRecord` per
 * abnormal event (`logs/anomalies.jsonl`). Field names and meanings are fixed (docs/contract.md).
 *
 * Neither holds a header value, a credential or prompt text, by construction: every field is a
 * number, a token of a closed set, a hash, or one of the names listed here.
 */
import type { Decision } from '../core/route.ts';

export type ErrorType = '401' | '429' | '5xx' | '4xx' | 'net' | 'timeout';
export type StreamHealth = 'complete' | 'upstream_error' | 'cut' | 'stalled' | 'client_gone';

export interface UsageRecord {
  /** Unix seconds with three decimals: when the exchange began. */
  readonly ts: number;
  readonly rid: string;
  readonly lane: string;
  readonly upstream: string;
  readonly decision: Decision;
  readonly model: string | null;
  readonly model_sent: string | null;
  readonly model_served: string | null;
  readonly op: 'stream' | 'nonstream';
  /** The status the client got; null where it got none. */
  readonly status: number | null;
  readonly err_type: ErrorType | null;
  /** The upstream spoke HTTP/2. */
  readonly h2: boolean;
  readonly header_mode: 'x-api-key' | 'authorization' | null;
  /** To the last byte, ms. */
  readonly latency_ms: number;
  /** To the head of the answer, ms; null where none came. */
  readonly ttfb_ms: number | null;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cache_read_tokens: number | null;
  readonly cache_write_tokens: number | null;
  readonly retry: boolean;
  readonly attempts: number;
  readonly backoff_ms: number;
  /** Body bytes sent to the upstream by the last attempt. */
  readonly bytes_up: number;
  /** Body bytes delivered to the client. */
  readonly bytes_down: number;
  readonly sse: StreamHealth | null;
  readonly sse_events: number;
  /** The payload bytes delivered equal those received: count and CRC-32, and a proper end. */
  readonly intact: boolean;
  readonly agent: 'main' | 'subagent' | null;
  /** First 16 hex digits of SHA-256 over the client's session id. */
  readonly session: string | null;
  /** Without the query. */
  readonly path: string;
  /** The upstream's own id of the request. */
  readonly request_id: string | null;
}

export type AnomalyKind =
  /** An attempt failed: connection, TLS, reset, timeout, protocol. */
  | 'upstream_failure'
  /** The proxy tried again (401 header mode, backoff, fresh socket). */
  | 'retry'
  /** count_tokens fell to the default lane. */
  | 'fallback'
  /** A stream ended other than complete. */
  | 'stream_incomplete'
  /** Delivered bytes differ from received ones. */
  | 'not_intact'
  /** A request was refused because it would have carried another lane's credential. */
  | 'lane_isolation'
  /** The tap gave up on an answer; its tokens are unknown. */
  | 'tap_dropped'
  /** A request could not be held for replay; it streamed. */
  | 'not_held'
  /** An exception inside the program. */
  | 'internal';

export interface AnomalyRecord {
  readonly ts: number;
  readonly rid: string | null;
  readonly kind: AnomalyKind;
  readonly lane: string | null;
  /** A stable code within the kind, such as a failure code or a status. */
  readonly code: string;
  /** For people; never a header value, credential or body text. */
  readonly detail: string;
  readonly status: number | null;
  readonly attempt: number;
  readonly backoff_ms: number;
}

/** Where records go. Never throws, never blocks: what can not be kept is counted. */
export interface Ledger {
  record(record: UsageRecord): void;
  anomaly(record: AnomalyRecord): void;
}
