import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { TEE_BODY_BYTES_MAX } from '../core/limits.ts';
import { linesOf, temporaryDirectory } from './fixtures.test.ts';
import { createTee, type SampledBody, type SampleRecord, sampleRecord } from './tee.ts';

function bodyOf(bytes: Buffer | string, changes: Partial<SampledBody> = {}): SampledBody {
  return {
    rid: 'r1',
    lane: 'zai',
    direction: 'request',
    contentType: 'application/json',
    bytes: Buffer.from(bytes),
    truncated: false,
    ...changes,
  };
}

test('nothing is sampled, and no file made, until it is switched on', async (t) => {
  const dir = temporaryDirectory(t);
  const tee = createTee({ dir, enabled: true });
  tee.sample(bodyOf('{"a":1}'));
  assert.equal(tee.active, false);
  await tee.close();
  assert.equal(existsSync(join(dir, 'body-samples.jsonl')), false);
});

test('where the environment does not allow it, switching on does nothing', async (t) => {
  const dir = temporaryDirectory(t);
  const tee = createTee({ dir, enabled: false });
  assert.equal(tee.on(), false);
  tee.sample(bodyOf('{"a":1}'));
  await tee.close();
  assert.equal(existsSync(join(dir, 'body-samples.jsonl')), false);
});

test('while on, samples are kept in a private file; after off, none', async (t) => {
  const dir = temporaryDirectory(t);
  const tee = createTee({ dir, enabled: true });
  assert.equal(tee.on(), true);
  tee.sample(bodyOf('{"model":"m","x-api-key":"CANARY-0"}'));
  tee.off();
  tee.sample(bodyOf('{"a":2}'));
  await tee.close();
  const path = join(dir, 'body-samples.jsonl');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const records = linesOf(path).map((line) => JSON.parse(line) as SampleRecord);
  assert.equal(records.length, 1);
  assert.equal(records[0]?.body, '{"model":"m","x-api-key":"[redacted]"}');
  assert.equal(tee.stats().written, 1);
});

test('the bodies of an exchange are collected piece by piece within the bound', async (t) => {
  const dir = temporaryDirectory(t);
  const tee = createTee({ dir });
  tee.set(true);
  const samples = tee.open('r7');
  samples.request.type('application/json');
  samples.request.push(Buffer.from('{"a":'));
  samples.request.push(Buffer.from('1}'));
  samples.answer.type('text/event-stream');
  for (let i = 0; i < 40; i += 1) samples.answer.push(Buffer.from('data: x \n'.repeat(100)));
  tee.write(samples, 'zai');
  await tee.close();
  const lines = linesOf(join(dir, 'body-samples.jsonl'));
  const [request, answer] = lines.map((line) => JSON.parse(line) as SampleRecord);
  assert.deepEqual([request?.rid, request?.body, request?.truncated], ['r7', '{"a":1}', false]);
  assert.deepEqual([answer?.direction, answer?.truncated], ['response', true]);
  assert.equal(answer?.bytes, TEE_BODY_BYTES_MAX);
});

test('a secret that the end of the sample cuts in two does not survive', () => {
  const secrets = [
    'sk-ant-api03-CANARY00000000000000',
    'x-api-key: CANARY000000000000',
    '0123456789abcdef0123456789abcdef.CANARY0000000000',
    'Cookie: sid=CANARY0000000000',
    'CANARY0000000@example.com',
  ];
  for (const secret of secrets) {
    const from = secret.indexOf('CANARY') + 6;
    for (let length = from; length < secret.length; length += 1) {
      const sample = bodyOf(`{"text":"see ${secret.slice(0, length)}`, { truncated: true });
      assert.doesNotMatch(String(sampleRecord(sample, 1).body), /CANARY/);
    }
  }
});

test('a body longer than the bound is cut there, also within a character', () => {
  const long = sampleRecord(bodyOf('é '.repeat(TEE_BODY_BYTES_MAX)), 1);
  assert.equal(long.truncated, true);
  assert.equal(long.bytes, TEE_BODY_BYTES_MAX);
  const cut = Buffer.from('caf é').subarray(0, -1);
  assert.equal(sampleRecord(bodyOf(cut, { truncated: true }), 1).body, 'caf ');
});

test('a body that is no text is recorded without its bytes', () => {
  const record = sampleRecord(bodyOf(gzipSync('{"x-api-key":"CANARY-1"}')), 1);
  assert.equal(record.body, null);
  assert.ok(record.bytes > 0);
});

test('what the caller hides is in no sample', async (t) => {
  const dir = temporaryDirectory(t);
  const tee = createTee({ dir, hide: (text) => text.replaceAll('of no shape', '[redacted]') });
  tee.set(true);
  tee.sample(bodyOf('{"text":"a key of no shape"}'));
  tee.sample(bodyOf('data: a key of no shape'));
  await tee.close();
  const records = linesOf(join(dir, 'body-samples.jsonl')).map(
    (line) => JSON.parse(line) as SampleRecord,
  );
  assert.deepEqual(
    records.map(({ body }) => body),
    ['{"text":"a key [redacted]"}', 'data: a key [redacted]'],
  );
});

test('a stream is redacted as text', () => {
  const text = 'event: x\ndata: {"text":"use sk-ant-api03-CANARY now"}\n\n';
  const record = sampleRecord(bodyOf(text, { contentType: 'text/event-stream' }), 1);
  assert.equal(record.body, 'event: x\ndata: {"text":"use [redacted] now"}\n\n');
});

test('closing at once keeps what was sampled', async (t) => {
  const dir = temporaryDirectory(t);
  const tee = createTee({ dir, enabled: true });
  tee.on();
  tee.sample(bodyOf('hello', { contentType: null }));
  tee.closeSync();
  assert.match(readFileSync(join(dir, 'body-samples.jsonl'), 'utf8'), /"body":"hello"/);
  await tee.flush();
});
