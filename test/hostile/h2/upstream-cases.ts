/**
 * What an upstream may do wrong over HTTP/2, as data: frames in place of an answer, and what the client then
 * sees: `502 code` or `504 code` (an error of the proxy's own, before any head), `200 whole`, or `200 cut`
 * (the answer visibly not whole, RFC 9112 section 8).
 */
import {
  CODES,
  continuation,
  data,
  FLAG,
  frame,
  goaway,
  headers,
  ping,
  priority,
  rst,
  SETTING,
  settings,
  TYPE,
  uint32,
  windowUpdate,
} from './frames.ts';
import { block, indexed, kept, type Line, tableSize } from './hpack.ts';
import type { Asked } from './raw-server.ts';

export interface UpstreamCase {
  readonly id: string;
  readonly rule: string;
  readonly what: string;
  /** What the connection begins with. */
  readonly opening?: readonly Buffer[];
  /** A POST with so many octets; default: a GET. */
  readonly uploads?: number;
  readonly script: (asked: Asked) => void;
  /** Reactions that hold the promises of the proxy; the first one is what it does. */
  readonly allows: readonly string[];
  /** It waits for a timer of the proxy, which is set short for it. */
  readonly isSlow?: true;
  readonly note?: string;
}

const WINDOW_MAX = 2 ** 31 - 1;
const OK: Line = [':status', '200'];
const PROTOCOL = ['502 upstream_protocol'];
/** One that is safe is asked again, so a second answer of the same kind may say how it broke. */
const BROKEN = ['502 upstream_protocol', '502 upstream_reset', '502 upstream_closed'];
const CUT = ['200 cut'];
const WHOLE = ['200 whole'];
const LENGTH_OK: Line = ['content-length', '2'];

/** Sends frames made from the request, and nothing after. */
function sends(make: (asked: Asked) => readonly Buffer[]): UpstreamCase['script'] {
  return (asked) => asked.send(...make(asked));
}

/** An answer with a head as it is given, a body behind it. */
function head(
  id: string,
  rule: string,
  what: string,
  lines: readonly Line[],
  allows = PROTOCOL,
): UpstreamCase {
  return {
    id: `u-${id}`,
    rule,
    what,
    script: sends((a) => [a.head(lines), a.body('ok', true)]),
    allows,
  };
}

/** Frames in place of an answer. */
function frames(
  id: string,
  rule: string,
  what: string,
  make: (asked: Asked) => readonly Buffer[],
  allows: readonly string[] = BROKEN,
): UpstreamCase {
  return { id: `u-${id}`, rule, what, script: sends(make), allows };
}

/** Frames behind a head and a part of the body. */
function after(
  id: string,
  rule: string,
  what: string,
  make: (asked: Asked) => readonly Buffer[],
  allows: readonly string[] = CUT,
): UpstreamCase {
  return frames(id, rule, what, (a) => [a.head([OK]), a.body('part'), ...make(a)], allows);
}

const HEADS: readonly UpstreamCase[] = [
  head('status-none', '9113 8.3.2', 'no :status', [['x-test', 'ok']]),
  head('status-two', '9113 8.3.2', ':status twice', [OK, OK]),
  head('status-text', '9110 15', ':status of letters', [[':status', 'abc']]),
  head('status-short', '9110 15', ':status of two digits', [[':status', '20']]),
  head('status-long', '9110 15', ':status of four digits', [[':status', '2000']]),
  head('status-zero', '9110 15', ':status 000', [[':status', '000']]),
  head('status-099', '9110 15', ':status 099', [[':status', '099']]),
  head('status-101', '9113 8.6', ':status 101, which HTTP/2 has not', [[':status', '101']]),
  head('pseudo-request', '9113 8.3', 'a pseudo-field of requests', [OK, [':path', '/']]),
  head('pseudo-unknown', '9113 8.3', 'an unknown pseudo-field', [OK, [':test', 'x']]),
  head('pseudo-behind', '9113 8.3', ':status behind a field', [['x-test', 'ok'], OK]),
  head('upper-case', '9113 8.2.1', 'a name with upper case', [OK, ['X-Test', 'ok']]),
  head('connection', '9113 8.2.2', 'Connection', [OK, ['connection', 'close']]),
  head('transfer-encoding', '9113 8.2.2', 'Transfer-Encoding', [
    OK,
    ['transfer-encoding', 'chunked'],
  ]),
  head('length-two', '9113 8.1.1', 'Content-Length twice', [
    OK,
    LENGTH_OK,
    ['content-length', '3'],
  ]),
  head('length-text', '9113 8.1.1', 'Content-Length that is no number', [
    OK,
    ['content-length', '2x'],
  ]),
  head(
    'value-crlf',
    '9113 8.2.1',
    'CR LF and a field in a value',
    [OK, LENGTH_OK, ['x-test', 'a\r\nx-injected: 1']],
    [...WHOLE, ...PROTOCOL],
  ),
  head(
    'name-crlf',
    '9113 8.2.1',
    'CR LF and a field in a name',
    [OK, LENGTH_OK, ['x: 1\r\nx-injected', 'a']],
    [...WHOLE, ...PROTOCOL],
  ),
  head(
    'value-nul',
    '9113 8.2.1',
    'NUL in a value',
    [OK, LENGTH_OK, ['x-test', 'a\0b']],
    [...WHOLE, ...PROTOCOL],
  ),
  head(
    'fields-many',
    '9113 10.5.1',
    '250 fields, within the bound',
    [OK, LENGTH_OK, ...many(250)],
    WHOLE,
  ),
  head(
    'fields-too-many',
    '9113 10.5.1',
    '1000 fields',
    [OK, LENGTH_OK, ...many(1000)],
    [...BROKEN, '502 upstream_reset'],
  ),
  frames(
    'trailers-pseudo',
    '9113 8.1',
    ':status in the trailer section',
    (a) => [a.head([OK]), a.body('part'), a.head([OK], true)],
    CUT,
  ),
  frames(
    'second-head',
    '9113 8.1',
    'a second head that does not end the stream',
    (a) => [a.head([OK]), a.body('part'), a.head([['x-test', 'ok']]), a.body('more', true)],
    CUT,
  ),
  frames('interim-ends', '9113 8.1', 'an interim answer that ends the stream', (a) => [
    a.head([[':status', '103']], true),
  ]),
  frames(
    'interim-few',
    '9110 15.2',
    'ten interim answers, then the final one',
    (a) => [
      ...Array.from({ length: 10 }, () => a.head([[':status', '103']])),
      a.head([OK, LENGTH_OK]),
      a.body('ok', true),
    ],
    WHOLE,
  ),
  frames('interim-endless', '9110 15.2', '5000 interim answers', (a) =>
    Array.from({ length: 5000 }, () => a.head([[':status', '103']])),
  ),
  frames('interim-body', '9113 8.1', 'DATA behind an interim answer', (a) => [
    a.head([[':status', '103']]),
    a.body('ok'),
    a.head([OK], true),
  ]),
  head(
    'length-more',
    '9113 8.1.1',
    'fewer DATA than Content-Length',
    [OK, ['content-length', '5']],
    CUT,
  ),
  head(
    'length-fewer',
    '9113 8.1.1',
    'more DATA than Content-Length',
    [OK, ['content-length', '1']],
    [...CUT, ...PROTOCOL],
  ),
  frames(
    'length-zero',
    '9113 8.1.1',
    'DATA behind a Content-Length of 0',
    (a) => [
      a.head([OK, ['content-length', '0']]),
      a.body('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', true),
    ],
    [...WHOLE, ...CUT, ...PROTOCOL],
  ),
  frames(
    'no-content-body',
    '9110 15.3.5',
    'DATA behind 204',
    (a) => [a.head([[':status', '204']]), a.body('HTTP/1.1 200 OK\r\n\r\n', true)],
    ['204 whole', ...PROTOCOL],
  ),
];

const FRAMES: readonly UpstreamCase[] = [
  frames('garbage', '9113 3.4', 'HTTP/1.1 in place of frames', () => [
    Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  ]),
  {
    ...frames('no-settings', '9113 3.4', 'a connection that does not begin with SETTINGS', (a) => [
      a.head([OK, LENGTH_OK]),
      a.body('ok', true),
    ]),
    opening: [ping('early')],
  },
  frames('frame-size', '9113 4.2', 'a frame larger than was allowed', (a) => [
    frame(TYPE.HEADERS, FLAG.END_HEADERS, a.stream, Buffer.alloc(20_000)),
  ]),
  frames('data-first', '9113 8.1', 'DATA before HEADERS', (a) => [a.body('ok', true)]),
  frames('block-invalid', '9113 4.3', 'a header block that can not be read', (a) => [
    headers(a.stream, Buffer.from('000fffffffffff', 'hex')),
  ]),
  frames('block-index', '7541 2.3.3', 'an index beyond both tables', (a) => [
    headers(a.stream, Buffer.concat([block([OK]), indexed(100)])),
  ]),
  frames('block-table', '7541 6.3', 'a table size that was not allowed', (a) => [
    headers(a.stream, Buffer.concat([tableSize(1_000_000), block([OK])])),
  ]),
  frames('continuation-endless', '9113 10.5.1', 'an endless header block (CVE-2024-27316)', (a) => [
    headers(a.stream, block([OK]), 0),
    ...Array.from({ length: 2000 }, () => continuation(a.stream, kept('x-a', 'x'.repeat(1000)), 0)),
  ]),
  frames(
    'hpack-bomb',
    '9113 10.5.1',
    'HPACK bomb: 48 MB of fields from 16 kB',
    (a) => [
      headers(
        a.stream,
        Buffer.concat([
          block([OK]),
          kept('x-bomb', 'x'.repeat(3900)),
          Buffer.alloc(12_000, indexed(62)),
        ]),
      ),
    ],
    [...BROKEN, '502 upstream_not_processed'],
  ),
  frames('push', '9113 8.4', 'PUSH_PROMISE, though push is off', (a) => [
    frame(
      TYPE.PUSH_PROMISE,
      FLAG.END_HEADERS,
      a.stream,
      Buffer.concat([uint32(2), block([[':method', 'GET']])]),
    ),
  ]),
  frames('headers-idle', '9113 5.1', 'HEADERS on a stream that nobody opened', () => [
    headers(99, block([OK])),
  ]),
  frames('headers-even', '9113 5.1.1', 'HEADERS on an even stream', () => [
    headers(2, block([OK])),
  ]),
  frames('data-idle', '9113 5.1', 'DATA on a stream that nobody opened', () => [data(99, 'ok')]),
  frames('continuation-alone', '9113 6.10', 'CONTINUATION without HEADERS', (a) => [
    continuation(a.stream, block([OK])),
  ]),
  frames('window-zero', '9113 6.9', 'WINDOW_UPDATE of 0', (a) => [windowUpdate(a.stream, 0)]),
  frames('window-overflow', '9113 6.9.1', 'a window beyond 2^31-1', (a) => [
    windowUpdate(a.stream, WINDOW_MAX),
    windowUpdate(a.stream, WINDOW_MAX),
  ]),
  frames('window-connection', '9113 6.9.1', 'a window of the connection beyond 2^31-1', () => [
    windowUpdate(0, WINDOW_MAX),
  ]),
  frames(
    'settings-push',
    '9113 6.5.2',
    'a server that enables push',
    () => [settings([SETTING.ENABLE_PUSH, 1])],
    [...BROKEN, '504 upstream_head_timeout'],
  ),
  frames('settings-window', '9113 6.5.2', 'INITIAL_WINDOW_SIZE above 2^31-1', () => [
    settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31]),
  ]),
  frames('settings-length', '9113 6.5', 'SETTINGS of 5 octets', () => [
    frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(5)),
  ]),
  frames('settings-many', '9113 10.5', 'SETTINGS of 2700 parameters', () => [
    settings(...Array.from({ length: 2700 }, () => [4, 65_535] as const)),
  ]),
  frames('ping-length', '9113 6.7', 'PING of 6 octets', () => [
    frame(TYPE.PING, 0, 0, Buffer.alloc(6)),
  ]),
  frames(
    'ping-ack',
    '9113 6.7',
    'an ACK of a PING that was not sent',
    (a) => [ping('unasked', FLAG.ACK), a.head([OK, LENGTH_OK]), a.body('ok', true)],
    [...BROKEN, ...WHOLE],
  ),
  frames(
    'settings-flood',
    '9113 10.5',
    '20,000 SETTINGS, then an answer',
    (a) => [
      ...Array.from({ length: 20_000 }, () => settings()),
      a.head([OK, LENGTH_OK]),
      a.body('ok', true),
    ],
    [...BROKEN, ...WHOLE],
  ),
  frames(
    'ping-flood',
    '9113 10.5',
    '40,000 PING, then an answer',
    (a) => [
      ...Array.from({ length: 40_000 }, () => ping('flood')),
      a.head([OK, LENGTH_OK]),
      a.body('ok', true),
    ],
    [...BROKEN, ...WHOLE],
  ),
  frames(
    'unknown',
    '9113 4.1',
    'unknown frames and PRIORITY, then an answer',
    (a) => [
      ...Array.from({ length: 100 }, () => frame(0xfa, 0xff, a.stream, Buffer.alloc(16))),
      ...Array.from({ length: 100 }, () => priority(a.stream, 0)),
      a.head([OK, LENGTH_OK]),
      a.body('ok', true),
    ],
    WHOLE,
  ),
  frames(
    'empty-data',
    '9113 10.5',
    '400 DATA of no octets, then the end',
    (a) => [
      a.head([OK, LENGTH_OK]),
      ...Array.from({ length: 400 }, () => a.body('')),
      a.body('ok', true),
    ],
    WHOLE,
  ),
  frames(
    'table-games',
    '7541 4.2',
    'HEADER_TABLE_SIZE 0, 2^32-1 and 1 in turn',
    (a) => [
      settings([SETTING.HEADER_TABLE_SIZE, 0]),
      settings([SETTING.HEADER_TABLE_SIZE, 2 ** 32 - 1]),
      settings([SETTING.HEADER_TABLE_SIZE, 1]),
      a.head([OK, LENGTH_OK]),
      a.body('ok', true),
    ],
    WHOLE,
  ),
];

const ENDINGS: readonly UpstreamCase[] = [
  ...CODES.map((name, code) =>
    frames(
      `rst-${name.toLowerCase().replaceAll('_', '-')}`,
      '9113 6.4',
      `RST_STREAM ${name} before the head`,
      (a) => [rst(a.stream, code)],
      rstBefore(name),
    ),
  ),
  frames(
    'rst-unknown',
    '9113 7',
    'RST_STREAM of an unknown code before the head',
    (a) => [rst(a.stream, 0xff)],
    ['502 upstream_reset'],
  ),
  ...CODES.map((name, code) =>
    after(
      `cut-${name.toLowerCase().replaceAll('_', '-')}`,
      '9113 6.4',
      `RST_STREAM ${name} within the body`,
      (a) => [rst(a.stream, code)],
    ),
  ),
  frames(
    'goaway-below',
    '9113 6.8',
    'GOAWAY below the stream: it was not processed',
    () => [goaway(0, 0)],
    ['502 upstream_not_processed'],
  ),
  frames(
    'goaway-covers',
    '9113 6.8',
    'GOAWAY that covers the stream, then its answer',
    (a) => [goaway(a.stream, 0), a.head([OK, LENGTH_OK]), a.body('ok', true)],
    WHOLE,
  ),
  frames(
    'goaway-twice',
    '9113 6.8',
    'GOAWAY of 2^31-1, then the real one, then the answer',
    (a) => [
      goaway(WINDOW_MAX, 0),
      goaway(a.stream, 0),
      a.head([OK, LENGTH_OK]),
      a.body('ok', true),
    ],
    WHOLE,
  ),
  frames(
    'goaway-rising',
    '9113 6.8',
    'GOAWAY whose last stream rises',
    (a) => [goaway(0, 0), goaway(a.stream, 0)],
    ['502 upstream_not_processed', ...BROKEN],
  ),
  frames(
    'goaway-error',
    '9113 6.8',
    'GOAWAY INTERNAL_ERROR before the head',
    (a) => [goaway(a.stream, 2)],
    BROKEN,
  ),
  after('goaway-error-late', '9113 6.8', 'GOAWAY INTERNAL_ERROR within the body', (a) => [
    goaway(a.stream, 2),
  ]),
  frames('goaway-stream', '9113 6.8', 'GOAWAY on a stream', (a) => [
    frame(TYPE.GOAWAY, 0, a.stream, Buffer.alloc(8)),
  ]),
  {
    id: 'u-fin-before',
    rule: '9112 8',
    what: 'the connection ends before the head',
    script: (a) => a.finish(),
    allows: ['502 upstream_closed', '502 upstream_reset'],
  },
  {
    id: 'u-fin-within',
    rule: '9113 8.1',
    what: 'the connection ends within the body, without END_STREAM',
    script: (a) => {
      a.send(a.head([OK]), a.body('part'));
      a.finish();
    },
    allows: CUT,
  },
  {
    id: 'u-fin-in-frame',
    rule: '9113 8.1',
    what: 'the connection ends within a frame',
    script: (a) => {
      a.send(a.head([OK]), a.body('whole').subarray(0, 11));
      a.finish();
    },
    allows: CUT,
  },
  after(
    'data-late',
    '9113 5.1',
    'DATA behind the end of the answer',
    (a) => [a.body('', true), a.body('late')],
    [...WHOLE, ...CUT],
  ),
  after('window-late', '9113 6.9.1', 'a window beyond 2^31-1 within the body', (a) => [
    windowUpdate(a.stream, WINDOW_MAX),
    windowUpdate(a.stream, WINDOW_MAX),
  ]),
  after('garbage-late', '9113 4.2', 'no frames any more, within the body', () => [
    Buffer.alloc(64, 0xff),
  ]),
];

const TIMED: readonly UpstreamCase[] = [
  {
    id: 'u-silent',
    rule: '9110 15.6.5',
    what: 'no answer at all',
    script: () => {},
    allows: ['504 upstream_head_timeout'],
    isSlow: true,
  },
  {
    id: 'u-no-end',
    rule: '9113 8.1',
    what: 'an answer that falls silent and never ends',
    script: sends((a) => [a.head([OK]), a.body('part')]),
    allows: CUT,
    isSlow: true,
  },
  {
    id: 'u-streams-zero',
    rule: '9113 6.5.2',
    what: 'MAX_CONCURRENT_STREAMS of 0 for ever',
    opening: [settings([SETTING.MAX_CONCURRENT_STREAMS, 0])],
    script: () => {},
    allows: ['504 upstream_connect_timeout', '504 upstream_head_timeout'],
    isSlow: true,
    note: 'the first request of a connection goes out before SETTINGS have come',
  },
  {
    id: 'u-window-shut',
    rule: '9113 6.9.2',
    what: 'a window of 0 for ever, for a request with a body',
    opening: [settings([SETTING.INITIAL_WINDOW_SIZE, 0])],
    uploads: 200_000,
    script: () => {},
    allows: ['504 upstream_idle_timeout', '504 upstream_head_timeout'],
    isSlow: true,
  },
];

export const UPSTREAM_CASES: readonly UpstreamCase[] = [...HEADS, ...FRAMES, ...ENDINGS, ...TIMED];

function rstBefore(name: string): string[] {
  if (name === 'REFUSED_STREAM') return ['502 upstream_not_processed'];
  return name === 'PROTOCOL_ERROR' ? PROTOCOL : ['502 upstream_reset'];
}

function many(count: number): Line[] {
  return Array.from({ length: count }, (_, i): Line => [`x-${i}`, 'v']);
}
