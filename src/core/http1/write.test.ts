import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fields } from '../message.ts';
import { encodeChunk, encodeLastChunk, encodeRequestHead, encodeResponseHead } from './write.ts';

const BREAKING = ['a\r\nb', 'a\rb', 'a\nb', 'a\0b', 'a\x7fb', 'a\u010ab', 'a\u{1f600}b'];

test('heads are written as given, one byte a character', () => {
  const head = encodeRequestHead('GET', '/a?b', [
    ['Host', 'a.test'],
    ['x-E', '\xe9'],
    ['x-e', ''],
  ]);
  assert.deepEqual(
    head,
    Buffer.from('GET /a?b HTTP/1.1\r\nHost: a.test\r\nx-E: \xe9\r\nx-e: \r\n\r\n', 'latin1'),
  );
  assert.equal(String(encodeResponseHead(204, '', [])), 'HTTP/1.1 204 \r\n\r\n');
});

test('no part of a head can end its line (RFC 9110, 5.5)', () => {
  for (const text of BREAKING) {
    const values: Fields = [['x', text]];
    const names: Fields = [[text, 'x']];
    assert.throws(() => encodeRequestHead(text, '/', []));
    assert.throws(() => encodeRequestHead('GET', `/${text}`, []));
    assert.throws(() => encodeResponseHead(200, text, []));
    for (const fields of [values, names]) {
      assert.throws(() => encodeRequestHead('GET', '/', fields));
      assert.throws(() => encodeResponseHead(200, 'OK', fields));
      assert.throws(() => encodeLastChunk(fields));
    }
  }
});

test('what is no token, target or status is not written', () => {
  assert.throws(() => encodeRequestHead('', '/', []));
  assert.throws(() => encodeRequestHead('G T', '/', []));
  assert.throws(() => encodeRequestHead('GET', '', []));
  assert.throws(() => encodeRequestHead('GET', '/ HTTP/1.1', []));
  assert.throws(() => encodeRequestHead('GET', '/', [['', 'x']]));
  assert.throws(() => encodeRequestHead('GET', '/', [['x:', 'x']]));
  for (const status of [99, 1000, 200.5, Number.NaN]) {
    assert.throws(() => encodeResponseHead(status, 'OK', []));
  }
});

test('a refusal to write does not show the value', () => {
  assert.throws(
    () => encodeRequestHead('GET', '/', [['authorization', 'canary\n']]),
    (error: Error) => !error.message.includes('canary'),
  );
});

test('a chunk wraps its data without copying it', () => {
  const data = [Buffer.from('0123456789'), Buffer.alloc(0), Buffer.from('abcdef')];
  const written = encodeChunk(data);
  assert.equal(String(Buffer.concat(written)), '10\r\n0123456789abcdef\r\n');
  assert.equal(written[1], data[0]);
});

test('no data is no chunk, so that a body can not end by accident (RFC 9112, 7.1)', () => {
  assert.deepEqual(encodeChunk([]), []);
  assert.deepEqual(encodeChunk([Buffer.alloc(0)]), []);
});

test('the last chunk carries the trailers', () => {
  assert.equal(String(encodeLastChunk([])), '0\r\n\r\n');
  assert.equal(String(encodeLastChunk([['x-sum', '1']])), '0\r\nx-sum: 1\r\n\r\n');
});
