import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';

import { decoded, streamEnd } from './stream-end.ts';

const PING = 'event: ping\ndata: {"type":"ping"}\n\n';

for (const [what, text, expected] of [
  ['its stop', 'event: message_stop\ndata: {"type":"message_stop"}\n\n', [true, null]],
  [
    'a stop with more in it',
    'event: message_stop\ndata: {"type": "message_stop","x":1}\n\n',
    [true, null],
  ],
  ['nothing', '', [false, null]],
  ['another event', PING, [false, null]],
  [
    'an error',
    `${PING}event: error\ndata: {"type":"error","error":{"type":"api_error","message":"m"}}\n\n`,
    [false, 'api_error'],
  ],
  ['an error that can not be read', 'event: error\ndata: oh\n\n', [false, 'unknown']],
  ['an error that something follows', `event: error\ndata: {}\n\n${PING}`, [false, null]],
] as const) {
  test(`a stream ends with ${what}`, () => {
    const { stopped, error } = streamEnd(Buffer.from(text));
    assert.deepEqual([stopped, error], expected);
  });
}

test('a payload under a content coding is read as far as it goes', () => {
  const plain = Buffer.from(PING.repeat(100));
  assert.deepEqual(decoded(zlib.gzipSync(plain), 'gzip'), plain);
  assert.deepEqual(decoded(zlib.brotliCompressSync(plain), 'br'), plain);
  assert.deepEqual(decoded(zlib.zstdCompressSync(plain), 'zstd'), plain);
  assert.deepEqual(decoded(zlib.deflateSync(plain), 'deflate'), plain);
  const cut = decoded(zlib.gzipSync(plain).subarray(0, -12), 'gzip');
  assert(cut !== null && plain.subarray(0, cut.length).equals(cut));
  assert.equal(decoded(plain, 'gzip'), null);
  assert.equal(decoded(plain, 'rot13'), null);
});
