/**
 * Start lines and field lines that readers take apart differently (RFC 9112 sections 2, 3 and 5).
 */
import { message, passed, raw, refused, STREAMED } from './build.ts';
import type { HostileRequest } from './types.ts';

const GET = `GET ${STREAMED} HTTP/1.1`;
const HIDDEN = 'GET /v1/hidden HTTP/1.1\r\nHost: hidden.example\r\n\r\n';

const LINE = 'readers disagree about the parts of this line';
const CONTROL = 'a control character ends a line or a value for some readers';
const VERSION = 'only HTTP/1.0 and HTTP/1.1 are framed as HTTP/1.1 is';

const badLine = (name: string, start: string, why = LINE, rfc = '9112 §3'): HostileRequest =>
  refused(400, 'bad_request', { name, rfc, why, bytes: message(start, []) });

const badField = (name: string, line: string, why = CONTROL, rfc = '9110 §5.5'): HostileRequest =>
  refused(400, 'bad_request', { name, rfc, why, bytes: message(GET, [line]) });

const badVersion = (name: string, version: string): HostileRequest =>
  refused(505, 'version_unsupported', {
    name,
    rfc: '9112 §2.3',
    why: VERSION,
    bytes: message(`GET ${STREAMED} ${version}`, []),
  });

const badHost = (name: string, lines: readonly string[], why: string): HostileRequest =>
  refused(400, 'bad_host', {
    name,
    rfc: '9112 §3.2',
    why,
    bytes: () => [GET, ...lines, '', ''].join('\r\n'),
  });

const HOST = 'a host that two readers read differently routes to two servers';

export const LINE_CASES: readonly HostileRequest[] = [
  badLine(
    'HTTP/0.9 request',
    `GET ${STREAMED}`,
    'its answer has no head, its end no mark',
    '1945 §5.1',
  ),
  badLine('two spaces in the request line', `GET  ${STREAMED} HTTP/1.1`),
  badLine('tab in the request line', `GET\t${STREAMED} HTTP/1.1`),
  badLine('space in the target', 'GET /v1/a b HTTP/1.1'),
  badLine('space behind the version', `${GET} `),
  badLine('space before the method', ` ${GET}`),
  badLine('no target', 'GET HTTP/1.1'),
  badLine('target without a slash', 'GET v1/hostile HTTP/1.1'),
  badLine('target with a fragment', `GET ${STREAMED}#x HTTP/1.1`, LINE, '9112 §3.2'),
  badLine('target in 8-bit', 'GET /v1/\xe9 HTTP/1.1', LINE, '3986 §2'),
  badLine('target with NUL', 'GET /v1/a\0b HTTP/1.1', CONTROL, '9112 §3'),
  badLine('target with DEL', 'GET /v1/a\x7fb HTTP/1.1', CONTROL, '9112 §3'),
  badLine('target with bare CR', 'GET /v1/a\rb HTTP/1.1', CONTROL, '9112 §2.2'),
  badLine('CRLF and a field in the target', 'GET /v1/a\r\nX-Smuggled: 1 HTTP/1.1'),
  badLine('method in small letters', `get ${STREAMED} HTTP/1.1`, LINE, '9110 §9.1'),
  badLine('method nobody registered', `SMUGGLE ${STREAMED} HTTP/1.1`, LINE, '9110 §9.1'),
  badLine('method with a colon', `G:T ${STREAMED} HTTP/1.1`, LINE, '9110 §9.1'),
  badLine('asterisk with GET', 'GET * HTTP/1.1', LINE, '9112 §3.2.4'),
  badLine('version in small letters', `GET ${STREAMED} http/1.1`, VERSION, '9112 §2.3'),
  badLine('version of one digit', `GET ${STREAMED} HTTP/1`, VERSION, '9112 §2.3'),
  badLine('version of three digits', `GET ${STREAMED} HTTP/1.10`, VERSION, '9112 §2.3'),
  badLine('version with a space', `GET ${STREAMED} HTTP/1. 1`, VERSION, '9112 §2.3'),
  badLine('another protocol', 'RTSP rtsp://x/ RTSP/1.0', VERSION, '9112 §2.3'),
  badVersion('HTTP/2.0 in a request line', 'HTTP/2.0'),
  badVersion('HTTP/1.9', 'HTTP/1.9'),
  badVersion('HTTP/0.9 said aloud', 'HTTP/0.9'),
  refused(400, 'bad_request', {
    name: 'lines ended by LF alone',
    rfc: '9112 §2.2',
    why: 'a reader may take LF for a line end, and another may not',
    bytes: raw(`${GET}\nHost: {host}\n\n`),
  }),
  refused(400, 'bad_request', {
    name: 'request line ended by CR alone',
    rfc: '9112 §2.2',
    why: CONTROL,
    bytes: raw(`${GET}\rHost: {host}\r\r`),
  }),
  refused(400, 'bad_request', {
    name: 'two empty lines in front',
    rfc: '9112 §2.2',
    why: 'one is a courtesy to old clients; what comes after it begins a request',
    bytes: raw(`\r\n\r\n${GET}\r\nHost: {host}\r\n\r\n`),
  }),
  passed([{ start: GET }], {
    name: 'one empty line in front',
    rfc: '9112 §2.2',
    why: 'old clients send one behind a body',
    bytes: raw(`\r\n${GET}\r\nHost: {host}\r\n\r\n`),
  }),
  refused(400, 'bad_request', {
    name: 'bytes of no protocol',
    rfc: '9112 §3',
    why: 'garbage on the port',
    bytes: () => '\x01\x02\xff\xfe\0\0garbage',
  }),
  refused(400, 'bad_request', {
    name: 'an SMTP greeting',
    rfc: '9112 §3',
    why: 'another protocol, by which a browser could be used against us',
    bytes: () => 'EHLO localhost\r\nMAIL FROM:<a@b>\r\n\r\n',
  }),
  badField('NUL in a value', 'X: a\0b'),
  badField('bare CR in a value', 'X: a\rb', CONTROL, '9112 §2.2'),
  badField('bare LF in a value', 'X: a\nY: b', CONTROL, '9112 §2.2'),
  badField('CR CR LF at a line’s end', 'X: a\r', CONTROL, '9112 §2.2'),
  badField('backspace in a value', 'X: a\bb'),
  badField('escape in a value', 'X: a\x1b[31m', 'it would speak to whoever reads a log'),
  badField('DEL in a value', 'X: a\x7f'),
  badField('NUL in a name', 'X\0: a', CONTROL, '9110 §5.1'),
  badField('8-bit in a name', 'X\xe9: a', 'a name is a token', '9110 §5.1'),
  badField('space in a name', 'X Y: a', 'a name is a token', '9112 §5.1'),
  badField('space before the colon', 'X : a', 'some readers take the name without it', '9112 §5.1'),
  badField('tab before the colon', 'X\t: a', 'the same', '9112 §5.1'),
  badField('name empty', ': a', 'a name is a token', '9112 §5'),
  badField('name in quotes', '"X": a', 'a name is a token', '9110 §5.1'),
  badField('line without a colon', 'X', 'a field line has one', '9112 §5'),
  badField('folded line', 'X: a\r\n b', 'unfolded it is another value', '9112 §5.2'),
  badField('folded empty line', 'X: a\r\n \r\nY: b', 'for some the head ends here', '9112 §5.2'),
  passed([{ start: GET, lines: ['X: \xe9\xff'] }], {
    name: '8-bit in a value',
    rfc: '9110 §5.5',
    why: 'obs-text is passed on as the bytes it is',
    bytes: message(GET, ['X: \xe9\xff']),
  }),
  passed([{ start: GET, lines: ['X: ', 'X: a', 'x: b'] }], {
    name: 'an empty value, and one name three times',
    rfc: '9110 §5.3',
    why: 'order and case of lines are kept, nothing is joined',
    bytes: message(GET, ['X:', 'X: a', 'x: b']),
  }),
  badHost('no Host', ['X: y'], 'RFC 9112 demands one'),
  badHost('two Hosts', ['Host: 127.0.0.1', 'Host: hidden.example'], HOST),
  badHost('two Hosts, the same', ['Host: 127.0.0.1', 'Host: 127.0.0.1'], HOST),
  badHost('Host empty', ['Host: '], HOST),
  badHost('Host list', ['Host: 127.0.0.1, hidden.example'], HOST),
  badHost('Host with userinfo', ['Host: 127.0.0.1@hidden.example'], HOST),
  badHost('Host with a path', ['Host: 127.0.0.1/hidden'], HOST),
  badHost('Host with a query', ['Host: 127.0.0.1?hidden'], HOST),
  badHost('Host with a backslash', ['Host: 127.0.0.1\\@hidden.example'], HOST),
  badHost('Host in percent-encoding', ['Host: %31%32%37.0.0.1'], HOST),
  badHost('Host with port 0', ['Host: 127.0.0.1:0'], 'nobody listens there'),
  badHost('Host with port 65536', ['Host: 127.0.0.1:65536'], 'some readers take it modulo 2^16'),
  badHost('Host with two ports', ['Host: 127.0.0.1:80:443'], HOST),
  badHost('Host with a port of letters', ['Host: 127.0.0.1:http'], HOST),
  badHost('Host in octal', ['Host: 0177.0.0.1'], HOST),
  badHost('Host as one number', ['Host: 2130706433'], HOST),
  badHost('Host with open bracket', ['Host: [::1'], HOST),
  badHost('Host with space inside', ['Host: 127.0.0.1 hidden.example'], HOST),
  refused(400, 'bad_request', {
    name: 'Host with space before the colon',
    rfc: '9112 §5.1',
    why: 'behind another Host some readers pass it over, some do not',
    bytes: message(GET, ['Host : hidden.example']),
  }),
  refused(400, 'bad_request', {
    name: 'Host behind a folded line',
    rfc: '9112 §5.2',
    why: 'for some readers it is part of the line before',
    bytes: message(GET, ['X: y\r\n Host: hidden.example']),
  }),
  passed([{ start: 'GET /v1/%2e%2e/%00?a=%0d%0aX:1 HTTP/1.1', without: ['x'] }], {
    name: 'percent-encoding of anything',
    rfc: '9110 §7.7',
    why: 'an intermediary does not decode: encoded it harms nobody here',
    bytes: message('GET /v1/%2e%2e/%00?a=%0d%0aX:1 HTTP/1.1', []),
  }),
  passed([{ start: 'GET /v1/../../etc//passwd HTTP/1.1' }], {
    name: 'dot segments',
    rfc: '9110 §7.7',
    why: 'the path is the upstream’s: it is passed on as it came',
    bytes: message('GET /v1/../../etc//passwd HTTP/1.1', []),
  }),
  passed([{ start: 'GET //hidden.example/v1 HTTP/1.1' }], {
    name: 'target that looks like an authority',
    rfc: '9112 §3.2.1',
    why: 'it begins with a slash, so it is a path',
    bytes: message('GET //hidden.example/v1 HTTP/1.1', []),
  }),
  refused(431, 'head_too_large', {
    name: 'target of 70 KB',
    rfc: '9112 §3',
    why: 'a head has a bound',
    bytes: message(`GET /v1/${'a'.repeat(70_000)} HTTP/1.1`, []),
  }),
  passed([{ start: `GET /v1/${'a'.repeat(16_000)} HTTP/1.1` }], {
    name: 'target of 16 KB',
    rfc: '9112 §3',
    why: 'RFC 9112 asks for 8,000 octets at least',
    bytes: message(`GET /v1/${'a'.repeat(16_000)} HTTP/1.1`, []),
  }),
  passed([{ start: GET, lines: [`X-Long: ${'x'.repeat(17_000)}`] }], {
    name: 'a header of 17 KB',
    rfc: '9110 §5.4',
    why: 'long tokens are ordinary; the bound of Node is 16 KB, ours 64',
    bytes: message(GET, [`X-Long: ${'x'.repeat(17_000)}`]),
  }),
  refused(431, 'head_too_large', {
    name: 'a header of 70 KB',
    rfc: '9110 §5.4',
    why: 'a head has a bound',
    bytes: message(GET, [`X-Long: ${'x'.repeat(70_000)}`]),
  }),
  refused(431, 'head_too_large', {
    name: 'flood of 300 headers',
    rfc: '6585 §5',
    why: 'their number has a bound',
    bytes: message(
      GET,
      Array.from({ length: 300 }, (_, index) => `x-${index}: a`),
    ),
  }),
  refused(431, 'head_too_large', {
    name: 'flood of headers without end',
    rfc: '6585 §5',
    why: 'a head that never ends must not be read for ever',
    bytes: raw(`${GET}\r\nHost: {host}\r\n${`x-flood: ${'y'.repeat(100)}\r\n`.repeat(3_000)}`),
  }),
  refused(431, 'head_too_large', {
    name: 'field name of 70 KB',
    rfc: '9110 §5.4',
    why: 'a head has a bound',
    bytes: message(GET, [`${'x'.repeat(70_000)}: a`]),
  }),
  {
    ...refused(400, 'bad_request', {
      name: 'FIN in the head',
      rfc: '9112 §8',
      why: 'half a head is no request',
      fin: true,
      bytes: raw(`${GET}\r\nHost: {ho`),
    }),
  },
  refused(400, 'bad_request', {
    name: 'a second request behind a broken one',
    rfc: '9112 §9.6',
    why: 'what follows a broken request has no known beginning',
    bytes: message(GET, ['X : a'], HIDDEN),
  }),
];
