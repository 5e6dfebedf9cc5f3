import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { TWIN_BROKEN_BYTES_MAX } from '../core/limits.ts';
import { type Entry, receivedLog } from './received.ts';

const ARRIVAL = {
  protocol: 'h1',
  method: 'POST',
  path: '/v1/messages',
  rawHeaders: [],
  connection: 1,
} as const;

/** A log with one request, whose answer a fault befell before its first byte. */
function spoilt(): { entry: Entry; answer: () => ReturnType<typeof only>['answer'] } {
  const log = receivedLog(10);
  const entry = log.open(ARRIVAL);
  const only = () => {
    const [request] = log.requests();
    assert(request !== undefined);
    return request;
  };
  entry.received(Buffer.from('{}'));
  entry.fault('reset_mid_stream');
  entry.head(200, []);
  return { entry, answer: () => only().answer };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('of an answer that is broken off every prefix can be asked for, whatever its pieces were', () => {
  const { entry, answer } = spoilt();
  entry.sent(Buffer.from('abc'));
  entry.sent(Buffer.from('def'));
  entry.broken('reset');
  for (let bytes = 0; bytes <= 6; bytes += 1) {
    assert.equal(answer().prefixSha256(bytes), sha256('abcdef'.slice(0, bytes)));
  }
  assert.equal(answer().prefixSha256(7), null);
  assert.equal(answer().prefixSha256(6), answer().sha256);
});

test('an answer that ended is kept no longer, nor one past the bound', () => {
  const ended = spoilt();
  ended.entry.sent(Buffer.from('abc'));
  ended.entry.ended();
  assert.equal(ended.answer().prefixSha256(2), null);
  const long = spoilt();
  long.entry.sent(Buffer.alloc(TWIN_BROKEN_BYTES_MAX));
  assert.notEqual(long.answer().prefixSha256(2), null);
  long.entry.sent(Buffer.alloc(1));
  assert.equal(long.answer().prefixSha256(2), null);
});

test('the newest requests are kept, and what comes later to one that is gone counts no more', () => {
  const log = receivedLog(2);
  const entries = [1, 2, 3].map(() => log.open(ARRIVAL));
  entries[0]?.received(Buffer.from('first'));
  entries[2]?.received(Buffer.from('third'));
  assert.deepEqual(
    log.requests().map(({ id, body }) => [id, body.toString()]),
    [
      [2, ''],
      [3, 'third'],
    ],
  );
  log.clear();
  entries[1]?.received(Buffer.from('second'));
  assert.deepEqual(log.requests(), []);
});
