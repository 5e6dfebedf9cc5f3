/**
 * The HTTP/1.1 codec under coverage guidance: any split reads the same, nothing throws, and a message
 * that was read is never longer than what came. Against node:http it is held by the differential fuzz
 * beside it (`src/core/http1/differential.test.ts`), which needs real sockets.
 *
 * Input: bytes of a client, and the same as those of an upstream.
 */
import assert from 'node:assert/strict';
import { generateRequests, generateResponse } from '../../../src/core/http1/testing/generate.ts';
import { traceRequests, traceResponse } from '../../../src/core/http1/testing/trace.ts';
import { createRandom, pieces, type Target } from '../target.ts';

const SEEDS = 24;

export const http1Target: Target = {
  name: 'http1',
  oracle: 'any split reads the same; nothing throws; no more is read than came',
  covers: [
    'src/core/http1/request-parser.ts',
    'src/core/http1/response-parser.ts',
    'src/core/http1/section.ts',
    'src/core/http1/head.ts',
    'src/core/http1/start-line.ts',
    'src/core/http1/field-lines.ts',
    'src/core/http1/names.ts',
    'src/core/http1/facts.ts',
    'src/core/http1/framing.ts',
    'src/core/http1/body.ts',
    'src/core/http1/chunked.ts',
    'src/core/http1/trailers.ts',
  ],
  seeds: Array.from({ length: SEEDS }, (_, seed) =>
    seed % 2 === 0
      ? generateRequests(createRandom(seed))
      : generateResponse(createRandom(seed)).bytes,
  ),
  dictionary: [
    ...['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\n', '\r\n', '\r\n\r\n', '\n', ': '],
    ...['Content-Length: ', 'Transfer-Encoding: chunked\r\n', 'Connection: close\r\n', '0\r\n\r\n'],
    ...['Upgrade: x\r\n', 'Expect: 100-continue\r\n', 'HTTP/1.0', '5;a="b"\r\n', '\t', '\0'],
  ],
  bytesMax: 2048,
  check(input, random) {
    const text = input.toString('latin1');
    const asked = traceRequests([input]);
    const isInside = random.once(2);
    assert.deepEqual(traceRequests(pieces(input, random), isInside), asked, 'a split request');
    const method = random.pick(['GET', 'HEAD', 'CONNECT', 'POST']);
    const answered = traceResponse(method, [input]);
    assert.deepEqual(traceResponse(method, pieces(input, random)), answered, 'a split answer');
    for (const { messages } of [asked, answered]) {
      let wire = 0;
      for (const message of messages) {
        wire += message.wire.length;
        // Names are kept from message to message: each must be the one that stands there.
        for (const [name, value] of message.head.fields) {
          assert(text.includes(`${name}:`) && text.includes(value), 'a field that did not come');
        }
      }
      assert(wire <= input.length, 'more is read than came');
    }
  },
};
