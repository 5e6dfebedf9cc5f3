import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fields, Framing, RequestHead, ResponseHead } from '../core/message.ts';
import { encodeAnswer, planAnswer } from './answer-plan.ts';

function request(method: string, version: '1.0' | '1.1'): RequestHead {
  return {
    method,
    target: '/',
    version,
    fields: [],
    framing: { kind: 'none' },
    keepAlive: true,
    upgrade: null,
    expectContinue: false,
  };
}

function answer(status: number, fields: Fields, framing: Framing): ResponseHead {
  return { status, reason: '', version: '2', fields, framing, keepAlive: true };
}

const CHUNKED: Fields = [['transfer-encoding', 'chunked']];
const SIZED: Fields = [['content-length', '3']];
const LENGTH: Framing = { kind: 'length', length: 3 };

test('every framing has its plan, by the version of the client', () => {
  const rows: ReadonlyArray<
    readonly ['1.0' | '1.1', Fields, Framing, string, boolean, readonly string[]]
  > = [
    ['1.1', SIZED, LENGTH, 'payload', false, ['content-length']],
    ['1.0', SIZED, LENGTH, 'payload', false, ['content-length']],
    ['1.1', [], LENGTH, 'payload', false, ['Content-Length']],
    ['1.1', [], { kind: 'none' }, 'none', false, ['Content-Length']],
    ['1.1', CHUNKED, { kind: 'chunked' }, 'wire', false, ['transfer-encoding']],
    ['1.0', CHUNKED, { kind: 'chunked' }, 'payload', true, []],
    ['1.1', [], { kind: 'stream' }, 'chunk', false, ['Transfer-Encoding']],
    ['1.1', SIZED, { kind: 'stream' }, 'chunk', false, ['Transfer-Encoding']],
    ['1.0', [], { kind: 'stream' }, 'payload', true, []],
    ['1.1', [], { kind: 'close' }, 'wire', true, []],
    ['1.0', [], { kind: 'close' }, 'wire', true, []],
  ];
  for (const [version, fields, framing, mode, endsByClose, names] of rows) {
    const plan = planAnswer(request('GET', version), answer(200, fields, framing));
    const shown = [plan.mode, plan.endsByClose, plan.fields.map(([name]) => name)];
    assert.deepEqual(shown, [mode, endsByClose, names], `${version} ${framing.kind}`);
  }
});

test('answers without a body keep their length and lose a coding that may not stand there', () => {
  const both: Fields = [['Content-Length', '9']];
  const head = planAnswer(request('HEAD', '1.1'), answer(200, both, { kind: 'length', length: 9 }));
  assert.deepEqual([head.mode, head.fields], ['none', both]);
  const chunkedHead = planAnswer(request('HEAD', '1.1'), answer(200, CHUNKED, { kind: 'chunked' }));
  assert.deepEqual(chunkedHead.fields, CHUNKED);
  const noContent = planAnswer(request('GET', '1.1'), answer(204, CHUNKED, { kind: 'chunked' }));
  assert.deepEqual([noContent.mode, noContent.fields], ['none', []]);
  const old = planAnswer(request('HEAD', '1.0'), answer(200, CHUNKED, { kind: 'chunked' }));
  assert.deepEqual(old.fields, []);
});

test('an answer from HTTP/2 gets the reason of its status; one from HTTP/1 keeps its own', () => {
  const ask = request('GET', '1.1');
  const first = answer(404, [], { kind: 'none' });
  const encode = (head: ResponseHead) =>
    encodeAnswer(ask, head, planAnswer(ask, head), false).toString('latin1').split('\r\n')[0];
  assert.equal(encode(first), 'HTTP/1.1 404 Not Found');
  assert.equal(encode({ ...first, version: '1.1' }), 'HTTP/1.1 404 ');
});
