/**
 * What the edge does with the fields of an answer: towards HTTP/1.1 everything end to end stays as it
 * was and is read back with the same framing, towards HTTP/2 the list is legal and nothing is lost.
 *
 * Input: `STATUS REASON`, then field lines.
 */
import assert from 'node:assert/strict';
import { endToEnd } from '../../../src/core/fields.ts';
import type { Fields, RequestHead, ResponseHead } from '../../../src/core/message.ts';
import { encodeAnswer, planAnswer } from '../../../src/edge/answer-plan.ts';
import { fieldsToHttp2, responseToHttp2 } from '../../../src/edge/h2-head.ts';
import { fieldsFromH2 } from '../../../src/lanes/h2-fields.ts';
import { throughHttp2 } from '../oracles/node-http2.ts';
import { type Random, seedsOf, type Target } from '../target.ts';
import { endToEndPlainly, FIELD_WORDS, legalHttp2Fields, responseHeadOf, wireOf } from './heads.ts';

/** A session of HTTP/2 costs much more than the lists: once in so many cases. */
const LIVE_ONCE_IN = 4;
const PLAIN = { ':status': 200 };

const REQUEST: RequestHead = {
  method: 'POST',
  target: '/v1/messages',
  version: '1.1',
  fields: [['Host', 'a.test']],
  framing: { kind: 'none' },
  keepAlive: true,
  upgrade: null,
  expectContinue: false,
};

export const answerFieldsTarget: Target = {
  name: 'answer-fields',
  oracle:
    'RFC 9110 section 7.6.1 and RFC 9113 section 8.2 written down once more; what is written is read back',
  covers: ['src/edge/answer-plan.ts', 'src/edge/h2-head.ts', 'src/core/fields.ts'],
  seeds: seedsOf(
    '200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked\nConnection: keep-alive\nrequest-id: r1',
    '429 \nContent-Length: 5\nretry-after: 3\nSet-Cookie: a=1\nSet-Cookie: b=2\nx-a: 1\nX-A: 2\nConnection: x-a',
    '200 OK\nServer: x\nX-Empty:\nX-Empty:\nx-empty: a\nKeep-Alive: 5\nTrailer: x-sum',
    '204 No Content\ndate: now',
    '103 Early Hints\nlink: </a>\nlink: </b>',
    '304 \nContent-Length: 10\nETag: "a"',
  ),
  dictionary: [...FIELD_WORDS, '200 OK\n', '204 ', '304 ', '529 ', '100 ', 'Date: x\n'],
  bytesMax: 1024,
  async check(input, random) {
    const head = responseHeadOf(wireOf(input, 'HTTP/1.1 ', ''));
    if (head === null || head.status === 101) return;
    if (head.status < 200) {
      const interim = { ...fieldsToHttp2(endToEnd(head.fields)), ':status': head.status };
      legalHttp2Fields(interim);
      if (random.once(LIVE_ONCE_IN)) await throughHttp2({ interims: [interim], head: PLAIN });
      return;
    }
    checkTowardsHttp1(head, random);
    checkTowardsHttp2(head);
    checkFromHttp2(head);
    if (random.once(LIVE_ONCE_IN)) await checkLive(head);
  },
};

function checkTowardsHttp1(head: ResponseHead, random: Random): void {
  const closes = random.once(2);
  const plan = planAnswer(REQUEST, head);
  const read = responseHeadOf(encodeAnswer(REQUEST, head, plan, closes || plan.endsByClose));
  assert(read !== null, 'what is written is no answer');
  const isFraming = (name: string): boolean => /^(?:content-length|transfer-encoding)$/i.test(name);
  const plain = (fields: Fields): Fields => fields.filter(([name]) => !isFraming(name));
  const expected = endToEndPlainly(head.fields);
  if (closes || plan.endsByClose) expected.push(['Connection', 'close']);
  assert.deepEqual(plain(read.fields), plain(expected), 'changes fields that are not its own');
  assert.deepEqual(read.framing, head.framing, 'is framed otherwise');
  assert.deepEqual([read.status, read.reason], [head.status, head.reason], 'another status');
}

function checkTowardsHttp2(head: ResponseHead): void {
  const sent = legalHttp2Fields(responseToHttp2(head));
  assert.equal(sent.find(([name]) => name === ':status')?.[1], String(head.status), 'the status');
  const expected = endToEndPlainly(head.fields).filter(
    ([name]) => !/^(?:transfer-encoding|http2-settings)$/i.test(name),
  );
  for (const [given, value] of expected) {
    const name = given.toLowerCase();
    const values = sent.filter(([at]) => at === name).map(([, sends]) => sends);
    assert(values.length === 1 || name === 'set-cookie', 'a field that is sent twice, or not');
    assert(
      values.some((sends) => sends.includes(value)),
      'a value that is lost towards HTTP/2',
    );
  }
  const names = new Set(expected.map(([name]) => name.toLowerCase()));
  for (const [name] of sent) assert(name === ':status' || names.has(name), 'a field made up');
  const lengths = sent.filter(([name]) => name === 'content-length');
  for (const [, length] of lengths) assert.match(length, /^[0-9]+$/, 'a length that is no number');
}

/** node:http2 takes the head, and what it makes of it arrives. */
async function checkLive(head: ResponseHead): Promise<void> {
  const headers = responseToHttp2(head);
  // There is no body here that it could be the length of.
  delete headers['content-length'];
  const arrived = await throughHttp2({ interims: [], head: headers });
  assert(arrived !== null, 'a head that HTTP/2 does not carry');
  const found = new Set(arrived.map(([name]) => name));
  for (const name of Object.keys(headers)) {
    const isLost = !name.startsWith(':') && !found.has(name);
    assert(!isLost, 'a field that does not arrive by HTTP/2');
  }
}

/** The same fields by HTTP/2 from the upstream: as they came, without the pseudo-fields. */
function checkFromHttp2(head: ResponseHead): void {
  const raw = [':status', String(head.status)];
  for (const [name, value] of head.fields) raw.push(name.toLowerCase(), value);
  const fields = fieldsFromH2(raw);
  assert.deepEqual(
    fields,
    head.fields.map(([name, value]) => [name.toLowerCase(), value]),
    'fields lost from HTTP/2',
  );
  const read: ResponseHead = { ...head, version: '2', reason: '', fields };
  const plan = planAnswer(REQUEST, { ...read, framing: { kind: 'stream' } });
  assert(plan.mode !== 'wire', 'what has no framing is passed on as framed');
}
