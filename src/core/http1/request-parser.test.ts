/** The rules of reading requests that the corpus can not tell, and the calls from within events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIELDS_MAX } from '../limits.ts';
import type { Framing, RequestHead } from '../message.ts';
import { createRequestParser } from './request-parser.ts';
import { latin1, traceRequests } from './testing/trace.ts';
import type { CodecErrorCode, RequestEvents } from './types.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

function headOf(...lines: readonly string[]): RequestHead {
  const { messages, error } = traceRequests([latin1(`${lines.join('\r\n')}\r\n\r\n`)]);
  const head = messages[0]?.head;
  assert(head !== undefined, `refused: ${error}`);
  return head;
}

function post(...lines: readonly string[]): RequestHead {
  return headOf('POST / HTTP/1.1', 'Host: a.test', ...lines);
}

/** A parser and a log of its events; `on` may act from within one. */
function logged(on: Partial<RequestEvents> = {}) {
  const log: string[] = [];
  const bodies: [Buffer, readonly Buffer[] | null][] = [];
  const errors: CodecErrorCode[] = [];
  const parser = createRequestParser({
    onHead: (head) => {
      log.push(`head ${head.target}`);
      on.onHead?.(head);
    },
    onBody: (wire, data) => {
      log.push(`body ${wire.toString('latin1')}`);
      bodies.push([wire, data]);
      on.onBody?.(wire, data);
    },
    onEnd: (trailers) => {
      log.push('end');
      on.onEnd?.(trailers);
    },
    onError: (error) => {
      log.push(`error ${error.code}`);
      errors.push(error.code);
    },
  });
  return { parser, log, bodies, errors };
}

test('a head keeps names, values, order and repetition as they came (RFC 9110, 5.3)', () => {
  const head = headOf('GET /a?b=c HTTP/1.1', 'hOST: a.test', 'X-B:  1 ', 'x-a:', 'X-B:\t2, 3');
  assert.deepEqual(head, {
    method: 'GET',
    target: '/a?b=c',
    version: '1.1',
    fields: [
      ['hOST', 'a.test'],
      ['X-B', '1'],
      ['x-a', ''],
      ['X-B', '2, 3'],
    ],
    framing: { kind: 'none' },
    keepAlive: true,
    upgrade: null,
    expectContinue: false,
  } satisfies RequestHead);
});

test('framing follows the fields (RFC 9112, 6.3)', () => {
  const rows: [string, Framing][] = [
    ['X: b', { kind: 'none' }],
    ['Content-Length: 0', { kind: 'length', length: 0 }],
    ['content-length: 9007199254740991', { kind: 'length', length: Number.MAX_SAFE_INTEGER }],
    ['TRANSFER-ENCODING: Chunked', { kind: 'chunked' }],
  ];
  for (const [line, framing] of rows) assert.deepEqual(post(line).framing, framing, line);
});

test('a connection persists as its version and Connection say (RFC 9112, 9.3)', () => {
  const rows: [string, string, boolean][] = [
    ['1.1', 'X: b', true],
    ['1.1', 'Connection: close', false],
    ['1.1', 'Connection: x, CLOSE', false],
    ['1.1', 'Connection: x\r\nConnection: close', false],
    ['1.1', 'Connection: closed', true],
    ['1.0', 'X: b', false],
    ['1.0', 'Connection: Keep-Alive', true],
    ['1.0', 'Connection: keep-alive, close', false],
  ];
  for (const [version, line, keepAlive] of rows) {
    const head = headOf(`GET / HTTP/${version}`, 'Host: a.test', line);
    assert.equal(head.keepAlive, keepAlive, `${version} ${line}`);
  }
});

test('an upgrade to HTTP itself is none: h2c would be a way past the proxy (RFC 9113, 3.1)', () => {
  for (const protocol of ['h2c', 'H2C', 'h2', 'HTTP/2.0', 'websocket, h2c', 'h2c , websocket']) {
    assert.equal(post(`Upgrade: ${protocol}`, 'Connection: Upgrade').upgrade, null, protocol);
  }
});

test('an upgrade counts only where Connection names it, on HTTP/1.1 (RFC 9110, 7.8)', () => {
  assert.equal(post('Upgrade: WebSocket', 'Connection: keep-alive, Upgrade').upgrade, 'websocket');
  assert.equal(post('Upgrade: websocket').upgrade, null);
  assert.equal(post('Connection: upgrade').upgrade, null);
  assert.equal(post('Upgrade:', 'Connection: upgrade').upgrade, null);
  const old = headOf('GET / HTTP/1.0', 'Upgrade: websocket', 'Connection: upgrade');
  assert.equal(old.upgrade, null);
});

test('100-continue counts only where a body follows, on HTTP/1.1 (RFC 9110, 10.1.1)', () => {
  assert(post('Expect: 100-Continue', 'Content-Length: 1').expectContinue);
  assert(post('Expect: 100-continue', 'Transfer-Encoding: chunked').expectContinue);
  assert(!post('Expect: 100-continue', 'Content-Length: 0').expectContinue);
  assert(!post('Expect: 100-continue').expectContinue);
  assert(!headOf('POST / HTTP/1.0', 'Expect: 100-continue', 'Content-Length: 1').expectContinue);
});

test('field lines are bounded', () => {
  const lines = (count: number): Buffer =>
    latin1(`GET / HTTP/1.1\r\nHost: a\r\n${'X: b\r\n'.repeat(count - 1)}\r\n`);
  assert.equal(traceRequests([lines(FIELDS_MAX)]).error, null);
  assert.equal(traceRequests([lines(FIELDS_MAX + 1)]).error, 'head_too_large');
});

test('a pushed piece that is all payload is handed on itself, uncopied', () => {
  const { parser, bodies } = logged();
  parser.push(latin1('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n'));
  const pieces = [latin1('abc'), latin1('def')];
  for (const piece of pieces) parser.push(piece);
  assert.equal(bodies[0]?.[0], pieces[0]);
  assert.equal(bodies[1]?.[0], pieces[1]);
  assert.equal(bodies[0]?.[1], null);
});

test('one piece of wire covers all chunks of one push, last chunk and trailers too', () => {
  const { parser, bodies, log } = logged();
  parser.push(latin1('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'));
  const wire = latin1('3\r\nabc\r\n2\r\nde\r\n0\r\nX: b\r\n\r\n');
  parser.push(wire);
  assert.equal(bodies.length, 1);
  assert.equal(bodies[0]?.[0], wire);
  assert.deepEqual(bodies[0]?.[1]?.map(String), ['abc', 'de']);
  assert.equal(log.at(-1), 'end');
});

test('the last chunk alone comes as wire without data', () => {
  const { parser, bodies } = logged();
  parser.push(latin1('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'));
  parser.push(latin1('0\r\n\r\n'));
  assert.deepEqual(bodies, [[latin1('0\r\n\r\n'), []]]);
});

test('a refused trailer section is never passed on complete', () => {
  const { parser, bodies, errors } = logged();
  parser.push(latin1('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'));
  parser.push(latin1('0\r\nHost: b\r\n\r\n'));
  assert.deepEqual(errors, ['bad_trailer']);
  assert.equal(String(bodies[0]?.[0]), '0\r\nHost: b\r\n\r');
});

test('a pipelined request waits for next', () => {
  const { parser, log } = logged();
  parser.push(latin1(GET + GET.replace('/', '/2')));
  parser.push(latin1(GET.replace('/', '/3')));
  assert.deepEqual(log, ['head /', 'end']);
  assert(!parser.idle);
  parser.next();
  assert.deepEqual(log.slice(2), ['head /2', 'end']);
  parser.next();
  assert.deepEqual(log.slice(4), ['head /3', 'end']);
  assert(parser.idle);
  parser.next();
  assert(parser.idle);
  assert.equal(log.length, 6);
});

test('next from within onEnd reads on at once', () => {
  const events = logged({ onEnd: () => events.parser.next() });
  events.parser.push(latin1(GET + GET.replace('/', '/2')));
  assert.deepEqual(events.log, ['head /', 'end', 'head /2', 'end']);
  assert(events.parser.idle);
});

test('idle is between messages, not within one', () => {
  const { parser } = logged();
  assert(parser.idle);
  parser.push(latin1('\r\n'));
  assert(parser.idle);
  parser.push(latin1('G'));
  assert(!parser.idle);
  parser.push(latin1(GET.slice(1)));
  assert(parser.idle);
});

test('a FIN between messages is no error; within one it is (RFC 9112, 8)', () => {
  const { parser, log } = logged();
  parser.finish();
  assert.deepEqual(log, []);
  const partial = logged();
  partial.parser.push(latin1('G'));
  partial.parser.finish();
  assert.deepEqual(partial.errors, ['truncated']);
});

test('a FIN behind a pipelined half request counts once that is read', () => {
  const { parser, log } = logged();
  parser.push(latin1(`${GET}GET /2`));
  parser.finish();
  assert.deepEqual(log, ['head /', 'end']);
  parser.next();
  assert.deepEqual(log, ['head /', 'end', 'error truncated']);
});

test('nothing comes after an error', () => {
  const { parser, log } = logged();
  parser.push(latin1('\0'));
  parser.push(latin1(GET));
  parser.finish();
  assert.deepEqual(log, ['error bad_start_line']);
});

test('release within onHead ends parsing and gives back the rest', () => {
  let rest = '';
  const events = logged({
    onHead: () => {
      rest = String(events.parser.release());
    },
  });
  events.parser.push(latin1(`CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\ntls`));
  assert.equal(rest, 'tls');
  assert.deepEqual(events.log, ['head a.test:443']);
});

test('release after the end gives back all that came since', () => {
  const { parser } = logged();
  parser.push(latin1(`CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\none `));
  parser.push(latin1('two'));
  assert.equal(String(parser.release()), 'one two');
});

test('release without a rest gives back nothing', () => {
  const { parser } = logged();
  parser.push(latin1(GET));
  assert.equal(parser.release().length, 0);
});

test('release within onBody ends parsing; no end follows', () => {
  const events = logged({ onBody: () => void events.parser.release() });
  events.parser.push(latin1('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'));
  assert.deepEqual(events.log, ['head /', 'body abc']);
});

test('release gives back a head that has only begun', () => {
  const { parser } = logged();
  parser.push(latin1('GET / HT'));
  parser.push(latin1('TP'));
  assert.equal(String(parser.release()), 'GET / HTTP');
});
