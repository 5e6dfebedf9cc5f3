/** Known credentials are taken out of records, whatever their shape, and a record without one is the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../core/secret.ts';
import { anomalyRecord, usageRecord } from './fixtures.test.ts';
import { createHiding } from './hide.ts';

const KEY = 'of no shape 0123456789';

function hidingOf(...values: readonly string[]) {
  const hiding = createHiding();
  hiding.know(values.map((value) => Secret.of(value)));
  return hiding;
}

test('a key in any text of a record is taken out', () => {
  for (const name of ['model', 'model_sent', 'model_served', 'path', 'request_id'] as const) {
    const record = usageRecord({ [name]: `a ${KEY} b` });
    assert.equal(hidingOf(KEY).usage(record)[name], 'a [redacted] b', name);
  }
  const detail = hidingOf(KEY).anomaly(
    anomalyRecord({ detail: `the upstream said ${KEY}` }),
  ).detail;
  assert.equal(detail, 'the upstream said [redacted]');
});

test('a record without one is the same object', () => {
  const usage = usageRecord({});
  const anomaly = anomalyRecord({});
  assert.equal(hidingOf(KEY).usage(usage), usage);
  assert.equal(hidingOf(KEY).anomaly(anomaly), anomaly);
});

test('a former key stays hidden when it was changed', () => {
  const hiding = hidingOf(KEY);
  hiding.know([Secret.of('another one 0123456789')]);
  assert.equal(hiding.text(`${KEY} another one 0123456789`), '[redacted] [redacted]');
});
