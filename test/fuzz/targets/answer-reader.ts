/**
 * Encoded answers: whole, cut short or damaged, in pieces. What is whole is read as if it had come
 * plain; of what is cut no more is learnt than was there; facts come exactly once, whatever the bytes.
 *
 * Input: the plain answer. How it is coded, cut and damaged is drawn from it.
 */
import assert from 'node:assert/strict';
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { ResponseHead } from '../../../src/core/message.ts';
import type { Clock } from '../../../src/core/ports.ts';
import type { AnswerFacts } from '../../../src/core/tap/facts.ts';
import { createSseTap } from '../../../src/core/tap/sse-tap.ts';
import { createAnswerReader } from '../../../src/relay/answer-reader.ts';
import { spoilsJsonParse } from '../oracles/v8-fault.ts';
import { pieces, type Random, seedsOf, type Target } from '../target.ts';

const FAST_BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const ENCODERS: readonly (readonly [coding: string, encode: (bytes: Buffer) => Buffer])[] = [
  ['gzip', (bytes) => gzipSync(bytes)],
  ['deflate', (bytes) => deflateSync(bytes)],
  ['br', (bytes) => brotliCompressSync(bytes, FAST_BROTLI)],
  ['zstd', (bytes) => zstdCompressSync(bytes)],
  [' GZIP ', (bytes) => gzipSync(bytes)],
  ['identity', (bytes) => bytes],
];

/** Nothing here is to depend on how busy the machine is: what takes this long is a hang. */
const WAIT_MS = 60_000;
const CLOCK: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(_ms, run) {
    const timer = setTimeout(run, WAIT_MS);
    return () => clearTimeout(timer);
  },
};

const EVENTS =
  'event: message_start\ndata: {"message":{"model":"m","usage":{"input_tokens":1}}}\n\n' +
  'event: message_delta\ndata: {"usage":{"output_tokens":2}}\n\nevent: message_stop\ndata: {}\n\n';

export const answerReaderTarget: Target = {
  name: 'answer-reader',
  oracle: 'the plain tap on the plain bytes; of a cut answer no more than that; facts exactly once',
  covers: ['src/relay/answer-reader.ts'],
  seeds: seedsOf(EVENTS, EVENTS.repeat(20), '', ': x\n'.repeat(300) + EVENTS),
  dictionary: ['event: message_stop\ndata: {}\n\n', 'event: error\ndata: {}\n\n', '\n\n', EVENTS],
  bytesMax: 4096,
  async check(input, random) {
    if (spoilsJsonParse(input)) return;
    const [coding, encode] = random.pick(ENCODERS);
    const encoded = encode(input);
    const plain = plainFacts(input);
    assert.deepEqual(
      await read(coding, encoded, random),
      plain,
      'a whole answer is read otherwise',
    );
    const cut = await read(coding, encoded.subarray(0, random.int(encoded.length + 1)), random);
    assert(cut.events <= plain.events, 'a cut answer has more events than the whole');
    assert(plain.sawStop || !cut.sawStop, 'a cut answer has an end that the whole has not');
    const damaged = Buffer.from(encoded);
    if (damaged.length > 0) damaged[random.int(damaged.length)] = random.int(256);
    await read(coding, damaged, random);
    const unknown = await read(random.pick(['x', 'gzip, br', 'compress']), encoded, random);
    assert(unknown.lost && unknown.events === 0, 'a coding that is not known is read');
  },
};

function plainFacts(input: Buffer): AnswerFacts {
  const tap = createSseTap();
  tap.push(input);
  return tap.finish();
}

async function read(coding: string, bytes: Buffer, random: Random): Promise<AnswerFacts> {
  const head: ResponseHead = {
    status: 200,
    reason: 'OK',
    version: '1.1',
    fields: [
      ['Content-Type', 'text/event-stream'],
      ['Content-Encoding', coding],
    ],
    framing: { kind: 'close' },
    keepAlive: false,
  };
  const reader = createAnswerReader(head, CLOCK, null);
  for (const piece of pieces(bytes, random, 400)) {
    if (random.once(2)) reader.push(piece, null);
    else reader.push(Buffer.concat([Buffer.from('1\r\n'), piece]), pieces(piece, random, 200));
    if (random.once(4)) await new Promise((resolve) => setImmediate(resolve));
  }
  let calls = 0;
  const facts = await new Promise<AnswerFacts>((resolve) => {
    reader.finish((found) => {
      calls += 1;
      resolve(found);
    });
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 1, 'facts come once');
  return facts;
}
