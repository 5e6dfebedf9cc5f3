import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldsToHttp2, requestFromHttp2, responseToHttp2, trailersFromHttp2 } from './h2-head.ts';

const PSEUDO = [':method', 'POST', ':scheme', 'https', ':path', '/p', ':authority', 'a.test'];

function read(fields: readonly string[], isEnd = false) {
  return requestFromHttp2([...PSEUDO, ...fields], isEnd);
}

test('framing follows the length, and the end of the stream', () => {
  const framing = (fields: readonly string[], isEnd: boolean) => {
    const head = read(fields, isEnd);
    return 'malformed' in head ? head.malformed : head.framing;
  };
  assert.deepEqual(framing([], true), { kind: 'none' });
  assert.deepEqual(framing([], false), { kind: 'stream' });
  assert.deepEqual(framing(['content-length', '7'], false), { kind: 'length', length: 7 });
  assert.match(String(framing(['content-length', '+7'], false)), /Content-Length/);
});

test('what HTTP/2 has no place for is malformed; te: trailers is not', () => {
  for (const name of [
    'connection',
    'keep-alive',
    'proxy-connection',
    'transfer-encoding',
    'upgrade',
  ]) {
    assert.equal('malformed' in read([name, 'x']), true, name);
  }
  assert.equal('malformed' in read(['te', 'gzip']), true);
  assert.equal('malformed' in read(['te', 'trailers']), false);
});

test('Host must say the same as :authority, and one of them must be there', () => {
  assert.equal('malformed' in read(['host', 'b.test']), true);
  assert.equal('malformed' in read(['host', 'a.test', 'host', 'a.test']), true);
  const same = read(['x', '1', 'host', 'A.test']);
  assert.deepEqual('malformed' in same ? null : same.fields, [
    ['host', 'a.test'],
    ['x', '1'],
  ]);
  assert.equal('malformed' in requestFromHttp2([':method', 'GET', ':path', '/'], true), true);
  const hostOnly = requestFromHttp2([':method', 'GET', ':path', '/', 'x', '1', 'host', 'h'], true);
  assert.deepEqual('malformed' in hostOnly ? null : hostOnly.fields[0], ['host', 'h']);
});

test('an authority that is no host is malformed', () => {
  for (const authority of ['user@a.test', 'a b', '']) {
    const head = requestFromHttp2([':method', 'GET', ':path', '/', ':authority', authority], true);
    assert.equal('malformed' in head, true, authority);
  }
});

test('a path that could not stand in a request line is malformed', () => {
  for (const path of ['/a#b', '/caf\u00e9', '/a b', '/a\tb', '']) {
    const head = requestFromHttp2([':method', 'GET', ':path', path, ':authority', 'a.test'], true);
    assert.equal('malformed' in head, true, path);
  }
});

test('cookie crumbs become one field where the first stood', () => {
  const head = read(['x', '1', 'cookie', 'a=1', 'y', '2', 'cookie', 'b=2', 'cookie', 'c=3']);
  assert.deepEqual('malformed' in head ? null : head.fields.slice(1), [
    ['x', '1'],
    ['cookie', 'a=1; b=2; c=3'],
    ['y', '2'],
  ]);
});

test('expect: 100-continue counts only where a body follows', () => {
  const expects = (isEnd: boolean) => {
    const head = read(['expect', '100-Continue'], isEnd);
    return !('malformed' in head) && head.expectContinue;
  };
  assert.equal(expects(false), true);
  assert.equal(expects(true), false);
});

test('fields for HTTP/2 are lower-case, joined where they repeat, without prototype', () => {
  const headers = fieldsToHttp2([
    ['X-A', '1'],
    ['x-a', '2'],
    ['x-a', ''],
    ['Set-Cookie', 'a'],
    ['__proto__', 'x'],
    ['Via', ''],
    ['via', '1.1 a'],
  ]);
  assert.deepEqual(Object.entries(headers), [
    ['x-a', '1, 2'],
    ['set-cookie', ['a']],
    ['__proto__', 'x'],
    ['via', '1.1 a'],
  ]);
});

test('an answer leaves its hop-by-hop fields and its coding behind', () => {
  const headers = responseToHttp2({
    status: 200,
    reason: 'OK',
    version: '1.1',
    fields: [
      ['Connection', 'close, X-Hop'],
      ['X-Hop', '1'],
      ['Transfer-Encoding', 'chunked'],
      ['X-Kept', '1'],
    ],
    framing: { kind: 'chunked' },
    keepAlive: true,
  });
  assert.deepEqual(Object.entries(headers), [
    ['x-kept', '1'],
    [':status', 200],
  ]);
});

test('trailers lose pseudo-fields and connection-specific ones', () => {
  assert.deepEqual(trailersFromHttp2([':status', '1', 'x', '1', 'connection', 'a']), [['x', '1']]);
});
