/** What is read does not depend on how the bytes arrive, and what is written is read back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../../test/support/properties.ts';
import type { Field } from '../message.ts';
import { createRandom, generateRequests, generateResponse } from './testing/generate.ts';
import { latin1, split, traceRequests, traceResponse } from './testing/trace.ts';
import { encodeChunk, encodeLastChunk, encodeRequestHead, encodeResponseHead } from './write.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const cuts = fc.array(fc.nat(400), { maxLength: 12 });

test('requests are read the same however their bytes are split', () => {
  fc.assert(
    fc.property(seeds, cuts, fc.boolean(), (seed, positions, inside) => {
      const bytes = generateRequests(createRandom(seed));
      const whole = traceRequests([bytes]);
      assert.deepEqual(traceRequests(split(bytes, positions), inside), whole);
    }),
    { numRuns: 2000 },
  );
});

test('answers are read the same however their bytes are split', () => {
  fc.assert(
    fc.property(seeds, cuts, (seed, positions) => {
      const { method, bytes } = generateResponse(createRandom(seed));
      const whole = traceResponse(method, [bytes]);
      assert.deepEqual(traceResponse(method, split(bytes, positions)), whole);
    }),
    { numRuns: 2000 },
  );
});

test('bytes one by one are read as the same messages', () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const bytes = generateRequests(createRandom(seed));
    const pieces = split(bytes, Array.from(bytes.keys()));
    assert.deepEqual(traceRequests(pieces), traceRequests([bytes]), `seed ${seed}`);
  }
});

test('arbitrary bytes are refused or read, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), cuts, (bytes, positions) => {
      traceRequests(split(Buffer.from(bytes), positions));
      traceResponse('GET', split(Buffer.from(bytes), positions));
    }),
    { numRuns: 2000 },
  );
});

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}$/);
const value = fc
  .stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,40}$/)
  .map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ''));
const acted = /^(?:host|expect|upgrade|connection|content-length|transfer-encoding)$/i;
const fieldLists = fc.array(
  fc.tuple(
    token.filter((name) => !acted.test(name)),
    value,
  ),
  { maxLength: 20 },
);
const bodies = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 });

test('a written request is read back as it was', () => {
  fc.assert(
    fc.property(fieldLists, bodies, cuts, (fields, pieces, positions) => {
      const sent: Field[] = [['Host', 'a.test'], ...fields, ['Transfer-Encoding', 'chunked']];
      const bytes = Buffer.concat([
        encodeRequestHead('POST', '/v1/messages?beta=true', sent),
        ...pieces.flatMap((piece) => encodeChunk([Buffer.from(piece)])),
        encodeLastChunk([['x-sum', '1']]),
      ]);
      const { messages, error } = traceRequests(split(bytes, positions));
      assert.equal(error, null);
      assert.equal(messages.length, 1);
      const [message] = messages;
      assert.deepEqual(message?.head.fields, sent);
      assert.equal(message?.data, Buffer.concat(pieces).toString('latin1'));
      assert.deepEqual(message?.trailers, [['x-sum', '1']]);
      assert(message?.ended);
    }),
    { numRuns: 500 },
  );
});

test('a written answer is read back as it was', () => {
  const statuses = fc.constantFrom(200, 201, 400, 404, 429, 500, 529, 599);
  fc.assert(
    fc.property(statuses, value, fieldLists, fc.string(), (status, reason, fields, body) => {
      const content = Buffer.from(body);
      const sent: Field[] = [...fields, ['content-length', String(content.length)]];
      const bytes = Buffer.concat([encodeResponseHead(status, reason, sent), content]);
      const { messages, error } = traceResponse('POST', [bytes]);
      assert.equal(error, null);
      const [message] = messages;
      assert.equal(message?.head.status, status);
      assert.equal(message?.head.reason, reason);
      assert.deepEqual(message?.head.fields, sent);
      assert.equal(message?.data, content.toString('latin1'));
    }),
    { numRuns: 500 },
  );
});

test('a head that never ends costs no more than its bytes', () => {
  // Byte by byte up to the limit: a rescan for each byte would take minutes here.
  const line = latin1(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(70_000)}`);
  const pieces = split(line, Array.from(line.keys()));
  assert.equal(traceRequests(pieces).error, 'head_too_large');
});
