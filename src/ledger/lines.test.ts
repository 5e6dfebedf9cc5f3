/** A line is what JSON makes of the record, its fields in their order, strangers' texts cleaned. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../test/support/properties.ts';
import { usageLine } from './lines.ts';
import type { UsageRecord } from './record.ts';
import { redactText } from './redact.ts';

/** In the order of the contract. */
const RECORD: UsageRecord = {
  ts: 1_764_230_000.123,
  rid: 'r1',
  lane: 'anthropic',
  upstream: 'api.anthropic.com',
  decision: 'default',
  model: 'claude-sonnet-4-5',
  model_sent: 'claude-sonnet-4-5',
  model_served: null,
  op: 'stream',
  status: 200,
  err_type: null,
  h2: false,
  header_mode: 'x-api-key',
  latency_ms: 12.5,
  ttfb_ms: null,
  input_tokens: 1,
  output_tokens: 2,
  cache_read_tokens: null,
  cache_write_tokens: 0,
  retry: false,
  attempts: 1,
  backoff_ms: 0,
  bytes_up: 100,
  bytes_down: 200,
  sse: 'complete',
  sse_events: 7,
  intact: true,
  agent: 'main',
  session: '0123456789abcdef',
  path: '/v1/messages',
  request_id: 'req_1',
};

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('"', '\\', '\u2028\u202e', '\ud800', 'a\x7f\x9b', 'é中😀', 'm'.repeat(200)),
);
const nullable = fc.option(text);
const amount = fc.option(fc.oneof(fc.nat(), fc.double()));
const anyRecord: fc.Arbitrary<UsageRecord> = fc
  .record({
    ts: fc.double({ min: 0, max: 4e9, noNaN: true }),
    rid: text,
    lane: text,
    upstream: text,
    model: nullable,
    model_sent: nullable,
    model_served: nullable,
    status: fc.option(fc.nat()),
    latency_ms: fc.double(),
    ttfb_ms: amount,
    input_tokens: amount,
    bytes_up: fc.nat(),
    retry: fc.boolean(),
    intact: fc.boolean(),
    session: nullable,
    path: text,
    request_id: nullable,
  })
  .map((changes) => ({ ...RECORD, ...changes }));

const cleaned = (value: string | null): string | null =>
  value === null ? null : redactText(value.toWellFormed());

describe('the line of a usage record', () => {
  it('is one line that says what the record says, in the order of the fields', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const line = usageLine(record);
        const expected = {
          ...record,
          ts: Math.round(record.ts * 1000) / 1000,
          model: cleaned(record.model),
          model_sent: cleaned(record.model_sent),
          model_served: cleaned(record.model_served),
          path: cleaned(record.path),
          request_id: cleaned(record.request_id),
        };
        // What JSON makes of it: no number that is none, no negative zero.
        assert.deepEqual(JSON.parse(line), JSON.parse(JSON.stringify(expected)));
        assert.deepEqual(Object.keys(JSON.parse(line)), Object.keys(RECORD));
        assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
      }),
      { numRuns: 2000 },
    );
  });

  it('is what JSON would have written, to the byte', () => {
    assert.equal(usageLine(RECORD), JSON.stringify(RECORD));
    assert.equal(usageLine(RECORD), JSON.stringify(RECORD), 'from memory too');
  });

  it('has no fields but those of the contract', () => {
    const more = { ...RECORD, prompt: 'a secret of somebody' };
    assert.equal(usageLine(more), JSON.stringify(RECORD));
  });
});
