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

/**
 * The line of a usage record, without its newline.
 *
 * Written field by field: `JSON.stringify` of an object and a look at the whole line cost three times as much,
 * and there is one for each exchange.
 */
export function usageLine(record: UsageRecord): string {
  return (
    `{"ts":${number(milliseconds(record.ts))},"rid":${text(record.rid)}` +
    `,"lane":${name(record.lane)},"upstream":${name(record.upstream)}` +
    `,"decision":${name(record.decision)},"model":${strange(record.model)}` +
    `,"model_sent":${strange(record.model_sent)},"model_served":${strange(record.model_served)}` +
    `,"op":${name(record.op)},"status":${number(record.status)},"err_type":${name(record.err_type)}` +
    `,"h2":${record.h2},"header_mode":${name(record.header_mode)}` +
    `,"latency_ms":${number(record.latency_ms)},"ttfb_ms":${number(record.ttfb_ms)}` +
    `,"input_tokens":${number(record.input_tokens)},"output_tokens":${number(record.output_tokens)}` +
    `,"cache_read_tokens":${number(record.cache_read_tokens)}` +
    `,"cache_write_tokens":${number(record.cache_write_tokens)}` +
    `,"retry":${record.retry},"attempts":${number(record.attempts)}` +
    `,"backoff_ms":${number(record.backoff_ms)},"bytes_up":${number(record.bytes_up)}` +
    `,"bytes_down":${number(record.bytes_down)},"sse":${name(record.sse)}` +
    `,"sse_events":${number(record.sse_events)},"intact":${record.intact}` +
    `,"agent":${name(record.agent)},"session":${name(record.session)}` +
    `,"path":${strange(record.path)},"request_id":${text(clean(record.request_id))}}`
  );
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

/** Not every number is one in JSON. */
function number(value: number | null): string {
  return Number.isFinite(value) ? String(value) : 'null';
}

function text(value: string | null): string {
  return value === null ? 'null' : steeringEscaped(JSON.stringify(value));
}

/** A text of our own of which few come again and again. */
const name = remembering(text);
/** A name from outside of which few come again and again: models, paths. */
const strange = remembering((value) => text(clean(value)));

/** The same function, which need not be asked twice for a short text. */
function remembering(spell: (value: string) => string): (value: string | null) => string {
  const known = new Map<string, string>();
  return (value) => {
    if (value === null) return 'null';
    const spelt = known.get(value);
    if (spelt !== undefined) return spelt;
    if (known.size === LEDGER_NAMES_MAX) known.clear();
    const fresh = spell(value);
    if (value.length <= LEDGER_NAME_CHARS_MAX) known.set(value, fresh);
    return fresh;
  };
}

/** A lone surrogate, which JSON can not carry to every reader, becomes U+FFFD. */
function clean(text: string | null): string | null {
  return text === null ? null : redactText(text.toWellFormed());
}
