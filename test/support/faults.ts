/**
 * What the tests of faults share: a begun and a whole stream, an exchange observed from both its ends
 * (what the client saw, what the ledger says), and what it must come to.
 */
import assert from 'node:assert/strict';
import type { Config, LaneConfig } from '../../src/config/types.ts';
import type { AnomalyRecord, UsageRecord } from '../../src/ledger/record.ts';
import type { FaultUpstream, Visit } from './fault-upstream.ts';
import type { RequestParts, Seen } from './raw-exchange.ts';
import type { Rig } from './rig.ts';

const EVENTS = [
  'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"claude-sonnet-5-5","usage":{"input_tokens":7,"output_tokens":1}}}\n\n',
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"half"}}\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
] as const;
export const BEGUN = EVENTS[0] + EVENTS[1];
export const WHOLE = BEGUN + EVENTS[2];
export const SSE = 'Content-Type: text/event-stream\r\n';
export const CHUNKED_HEAD = `HTTP/1.1 200 OK\r\n${SSE}Transfer-Encoding: chunked\r\n\r\n`;
export const LAST_CHUNK = '0\r\n\r\n';

export function chunk(payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
}

/** A streaming Messages request down the lane that its model is routed to. */
export function messages(model: string, key: string): RequestParts {
  return {
    // A key of its own: no two cases share a connection to the upstream.
    fields: { 'x-api-key': key, 'content-type': 'application/json' },
    body: Buffer.from(
      JSON.stringify({
        model,
        max_tokens: 9,
        stream: true,
        messages: [{ role: 'user', content: 'hi' }],
      }),
    ),
  };
}

/** What a case must come to: everything that is named is compared. */
export interface Outcome {
  /** The code of the local answer; null where the answer is the upstream's. */
  readonly local: string | null;
  readonly whole: boolean;
  readonly body?: string | Buffer;
  /** The failure in the anomalies; null for none. */
  readonly failure: string | null;
  readonly record: Partial<UsageRecord>;
}

export interface Fault {
  readonly name: string;
  readonly request?: RequestParts;
  readonly act: (visit: Visit) => Promise<void> | void;
  readonly outcome: Outcome;
  /** How the connection of an HTTP/1.1 client ends; default FIN. */
  readonly ending?: string;
}

/** An answer of our own, before any byte of the upstream's. */
export function refused(code: string, record: Partial<UsageRecord> = {}): Outcome {
  return {
    local: `upstream_${code}`,
    whole: true,
    failure: code,
    record: { status: 502, err_type: 'net', sse: null, intact: false, attempts: 1, ...record },
  };
}

/** A stream that broke off: an incomplete message for the client, and said so in the ledger. */
export function cut(failure: string, body: string, record: Partial<UsageRecord> = {}): Outcome {
  const told = { err_type: 'net', sse: 'cut', intact: false, attempts: 1 } as const;
  return { local: null, whole: false, body, failure, record: { status: 200, ...told, ...record } };
}

/** An answer that ended as HTTP, whatever its content. */
export function passed(body: string | Buffer, record: Partial<UsageRecord> = {}): Outcome {
  const told = { status: 200, err_type: null, sse: null, intact: true, attempts: 1 } as const;
  return { local: null, whole: true, body, failure: null, record: { ...told, ...record } };
}

export function laneWith(
  config: Config,
  upstream: LaneConfig['upstream'],
  name = 'anthropic',
): LaneConfig {
  const lane = config.lanes.get('anthropic');
  assert(lane !== undefined);
  return { ...lane, name, tag: name === 'anthropic' ? lane.tag : name, upstream };
}

export function withUpstream(upstream: FaultUpstream, more: Partial<Config> = {}) {
  return (config: Config): Config => ({
    ...config,
    ...more,
    lanes: new Map(config.lanes).set('anthropic', laneWith(config, upstream.config())),
  });
}

/** Runs one exchange and returns what the client saw and what was recorded of it, exactly once. */
export async function observe(
  rig: Rig,
  run: () => Promise<Seen>,
): Promise<{ seen: Seen; record: UsageRecord; anomalies: AnomalyRecord[] }> {
  const before = rig.proxy.control.status().exchanges.total;
  const seen = await run();
  const records = await rig.records(before + 1);
  assert.equal(records.length, before + 1, 'one record an exchange');
  const record = records.at(-1);
  assert(record !== undefined);
  const anomalies = (await rig.anomalies()).filter(({ rid }) => rid === record.rid);
  return { seen, record, anomalies };
}

export function assertOutcome(
  { local, whole, body, failure, record: expected }: Outcome,
  { seen, record, anomalies }: Awaited<ReturnType<typeof observe>>,
): void {
  assert.equal(seen.whole, whole, `whole: ${seen.ending}`);
  assert.equal(seen.fields.get('x-lanekeeper-error') ?? null, local);
  assert.equal(seen.status, record.status);
  if (body !== undefined)
    assert.equal(seen.body.toString('latin1'), Buffer.from(body).toString('latin1'));
  if (local !== null) assertLocalShape(seen, record, local);
  assert.equal(record.bytes_down, seen.body.length, 'bytes_down is what the client got');
  const actual = Object.fromEntries(
    Object.keys(expected).map((name) => [name, record[name as keyof UsageRecord]]),
  );
  assert.deepEqual(actual, expected);
  const failures = anomalies.filter(({ kind }) => kind === 'upstream_failure');
  assert.deepEqual(
    [...new Set(failures.map(({ code }) => code))],
    failure === null ? [] : [failure],
  );
  const failed = whole && local === null ? record.attempts - 1 : record.attempts;
  assert.equal(failures.length, failure === null ? 0 : failed);
}

/** The Messages API's error shape, and the id to find it by. */
export function assertLocalShape(seen: Seen, record: UsageRecord, code: string): void {
  const answer = JSON.parse(seen.body.toString()) as {
    type: string;
    error: { type: string; message: string };
    request_id: string;
  };
  assert.equal(answer.type, 'error');
  assert.equal(answer.request_id, record.rid);
  assert.match(answer.error.message, new RegExp(`^Lanekeeper: .*\\[${code}\\]$`, 's'));
}
