/**
 * Records as lines: one JSON object each, its fields in the order that `record.ts` gives them and no
 * others, whatever the object brings along.
 *
 * The few texts that come from outside (model names, paths, ids) pass the redaction, in case a
 * credential stands where a name belongs; and what would steer a terminal is escaped, since people
 * look at a ledger with `tail` and `cat`.
 */
import { LEDGER_NAME_CHARS_MAX, LEDGER_NAMES_MAX } from '../core/limits.ts';
import { steeringEscaped } from '../core/steering.ts';
import type { AnomalyRecord, UsageRecord } from './record.ts';
import { redactText } from './redact.ts';

/** The line of a usage record, without its newline. */
export function usageLine(record: UsageRecord): string {
  const ordered: UsageRecord = {
    ts: milliseconds(record.ts),
    rid: record.rid,
    lane: record.lane,
    upstream: record.upstream,
    decision: record.decision,
    model: cleanName(record.model),
    model_sent: cleanName(record.model_sent),
    model_served: cleanName(record.model_served),
    op: record.op,
    status: record.status,
    err_type: record.err_type,
    h2: record.h2,
    header_mode: record.header_mode,
    latency_ms: record.latency_ms,
    ttfb_ms: record.ttfb_ms,
    input_tokens: record.input_tokens,
    output_tokens: record.output_tokens,
    cache_read_tokens: record.cache_read_tokens,
    cache_write_tokens: record.cache_write_tokens,
    retry: record.retry,
    attempts: record.attempts,
    backoff_ms: record.backoff_ms,
    bytes_up: record.bytes_up,
    bytes_down: record.bytes_down,
    sse: record.sse,
    sse_events: record.sse_events,
    intact: record.intact,
    agent: record.agent,
    session: record.session,
    path: cleanName(record.path) ?? '',
    request_id: clean(record.request_id),
  };
  return steeringEscaped(JSON.stringify(ordered));
}

/** The line of an anomaly, without its newline. */
export function anomalyLine(record: AnomalyRecord): string {
  const ordered: AnomalyRecord = {
    ts: milliseconds(record.ts),
    rid: record.rid,
    kind: record.kind,
    lane: record.lane,
    code: record.code,
    detail: redactText(record.detail),
    status: record.status,
    attempt: record.attempt,
    backoff_ms: record.backoff_ms,
  };
  return steeringEscaped(JSON.stringify(ordered));
}

/** Seconds with three decimals. */
function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

const cleaned = new Map<string, string>();

/** The same for texts of which few come again and again: names of models, paths. */
function cleanName(text: string | null): string | null {
  if (text === null) return null;
  const known = cleaned.get(text);
  if (known !== undefined) return known;
  const clear = redactText(text.toWellFormed());
  if (cleaned.size === LEDGER_NAMES_MAX) cleaned.clear();
  if (text.length <= LEDGER_NAME_CHARS_MAX) cleaned.set(text, clear);
  return clear;
}

/** A lone surrogate, which JSON can not carry to every reader, becomes U+FFFD. */
function clean(text: string | null): string | null {
  return text === null ? null : redactText(text.toWellFormed());
}
