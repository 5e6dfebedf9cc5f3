/** The rules of reading answers that the corpus can not tell, and the calls from within events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTERIM_ANSWERS_MAX } from '../limits.ts';
import type { Framing, ResponseHead } from '../message.ts';
import { createResponseParser } from './response-parser.ts';
import { latin1, traceResponse } from './testing/trace.ts';
import type { ResponseEvents } from './types.ts';

const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

function headOf(method: string, ...lines: readonly string[]): ResponseHead {
  const { messages, error } = traceResponse(method, [latin1(`${lines.join('\r\n')}\r\n\r\n`)]);
  const head = messages[0]?.head;
  assert(head !== undefined, `refused: ${error}`);
  return head;
}

function logged(on: Partial<ResponseEvents> = {}) {
  const log: string[] = [];
  const parser = createResponseParser({
    onInterim: (head) => log.push(`interim ${head.status}`),
    onHead: (head) => {
      log.push(`head ${head.status}`);
      on.onHead?.(head);
    },
    onBody: (wire) => log.push(`body ${wire.toString('latin1')}`),
    onEnd: (trailers) => {
      log.push('end');
      on.onEnd?.(trailers);
    },
    onError: (error) => {
      log.push(`error ${error.code}`);
      on.onError?.(error);
    },
  });
  return { parser, log };
}

test('framing follows method, status and fields (RFC 9112, 6.3)', () => {
  const none: Framing = { kind: 'none' };
  const rows: [string, string, string, Framing][] = [
    ['GET', '200', 'Content-Length: 3', { kind: 'length', length: 3 }],
    ['GET', '200', 'Transfer-Encoding: chunked', { kind: 'chunked' }],
    ['GET', '200', 'X: b', { kind: 'close' }],
    ['HEAD', '200', 'Content-Length: 3', none],
    ['GET', '304', 'Content-Length: 3', none],
    ['GET', '204', 'X: b', none],
    ['CONNECT', '200', 'X: b', none],
    ['CONNECT', '403', 'Content-Length: 3', { kind: 'length', length: 3 }],
    ['GET', '205', 'Content-Length: 0', { kind: 'length', length: 0 }],
  ];
  for (const [method, status, line, framing] of rows) {
    const head = headOf(method, `HTTP/1.1 ${status} X`, line);
    assert.deepEqual(head.framing, framing, `${method} ${status} ${line}`);
  }
});

test('a connection persists as version, Connection and framing say (RFC 9112, 9.3)', () => {
  const rows: [string, string, string, boolean][] = [
    ['1.1', 'Content-Length: 0', 'X: b', true],
    ['1.1', 'Content-Length: 0', 'Connection: close', false],
    ['1.1', 'X: b', 'X: c', false],
    ['1.0', 'Content-Length: 0', 'X: b', false],
    ['1.0', 'Content-Length: 0', 'Connection: keep-alive', true],
  ];
  for (const [version, ...lines] of rows) {
    const [first, second, keepAlive] = lines;
    const head = headOf('GET', `HTTP/${version} 200 OK`, first, second);
    assert.equal(head.keepAlive, keepAlive, `${version} ${first} ${second}`);
  }
});

test('the status line gives status and reason as they came (RFC 9112, 4)', () => {
  const head = headOf('GET', 'HTTP/1.1 404 Not  here \xe9', 'Content-Length: 0');
  assert.equal(head.status, 404);
  assert.equal(head.reason, 'Not  here \xe9');
  assert.equal(headOf('GET', 'HTTP/1.1 200', 'Content-Length: 0').reason, '');
});

test('an answer that nobody asked for is refused', () => {
  const { parser, log } = logged();
  parser.push(latin1(EMPTY));
  assert.deepEqual(log, ['error bad_start_line']);
});

test('answers follow one another as they are asked for', () => {
  const { parser, log } = logged();
  for (const method of ['GET', 'POST']) {
    assert(parser.idle);
    parser.expect(method);
    assert(!parser.idle);
    parser.push(latin1(EMPTY));
  }
  assert.deepEqual(log, ['head 200', 'end', 'head 200', 'end']);
});

test('the next answer may be asked for from within onEnd', () => {
  const events = logged({ onEnd: () => events.parser.expect('GET') });
  events.parser.expect('GET');
  events.parser.push(latin1(EMPTY));
  assert(!events.parser.idle);
  events.parser.push(latin1(EMPTY));
  assert.deepEqual(events.log, ['head 200', 'end', 'head 200', 'end']);
});

test('with bytes behind it an answer ends, but the connection is not idle for another', () => {
  const idle: boolean[] = [];
  const events = logged({ onEnd: () => idle.push(events.parser.idle) });
  events.parser.expect('GET');
  events.parser.push(latin1(`${EMPTY}x`));
  assert.deepEqual(idle, [false]);
  assert.deepEqual(events.log, ['head 200', 'end', 'error bad_start_line']);
  assert.throws(() => events.parser.expect('GET'));
});

test('a second request while an answer is under way is a fault of the owner', () => {
  const { parser } = logged();
  parser.expect('GET');
  assert.throws(() => parser.expect('GET'));
});

test('interim answers come before the final one, which is of the same exchange', () => {
  const { parser, log } = logged();
  parser.expect('HEAD');
  parser.push(latin1('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 2'));
  assert(!parser.idle);
  parser.push(latin1('00 OK\r\nContent-Length: 3\r\n\r\n'));
  assert.deepEqual(log, ['interim 100', 'interim 103', 'head 200', 'end']);
});

test('FIN ends an answer without a length, and cuts every other (RFC 9112, 8)', () => {
  const rows: [string, string[]][] = [
    ['HTTP/1.1 200 OK\r\n\r\nab', ['head 200', 'body ab', 'end']],
    ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab', ['head 200', 'body ab', 'error truncated']],
    ['HTTP/1.1 200', ['error truncated']],
    ['', ['error truncated']],
    [EMPTY, ['head 200', 'end']],
  ];
  for (const [bytes, expected] of rows) {
    const { parser, log } = logged();
    parser.expect('GET');
    parser.push(latin1(bytes));
    parser.finish();
    assert.deepEqual(log, expected, bytes);
  }
});

test('a FIN where nothing is expected is nothing', () => {
  const { parser, log } = logged();
  parser.finish();
  assert.deepEqual(log, []);
});

test('after 101 no end comes, and the bytes wait for release', () => {
  const { parser, log } = logged();
  parser.expect('GET');
  parser.push(latin1('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\none '));
  parser.push(latin1('two'));
  assert.deepEqual(log, ['head 101']);
  assert(!parser.idle);
  assert.equal(String(parser.release()), 'one two');
});

test('release within onHead gives back what came behind the head', () => {
  let rest = '';
  const events = logged({
    onHead: () => {
      rest = String(events.parser.release());
    },
  });
  events.parser.expect('CONNECT');
  events.parser.push(latin1('HTTP/1.1 200 OK\r\n\r\ntls'));
  assert.equal(rest, 'tls');
  assert.deepEqual(events.log, ['head 200']);
});

test('nothing comes after an error', () => {
  const { parser, log } = logged();
  parser.expect('GET');
  parser.push(latin1('ICY 200 OK\r\n\r\n'));
  parser.push(latin1(EMPTY));
  parser.finish();
  assert.deepEqual(log, ['error bad_start_line']);
});

test('interim answers have a bound, counted anew for each answer (RFC 9110, 15.2)', () => {
  const interim = 'HTTP/1.1 103 Early Hints\r\n\r\n';
  const { parser, log } = logged();
  for (let answer = 0; answer < 2; answer += 1) {
    parser.expect('GET');
    parser.push(latin1(interim.repeat(INTERIM_ANSWERS_MAX)));
    parser.push(latin1('HTTP/1.1 204 Fine\r\n\r\n'));
    assert.equal(parser.idle, true);
  }
  assert.equal(
    log.some((line) => line.startsWith('error')),
    false,
  );
  parser.expect('GET');
  parser.push(latin1(interim.repeat(INTERIM_ANSWERS_MAX + 1)));
  assert.match(log.at(-1) ?? '', /^error bad_start_line/);
});
