/** Section 8 of RFC 9113: requests that are malformed, and what would be smuggled by them (section 10.3). */
import { type Case, connectionError, malformed, type Requests, streamError } from './case.ts';
import { data, headers, openHeaders } from './frames.ts';
import { block, type Line } from './hpack.ts';

type Change = (lines: Line[], k: Requests) => Line[];

/** A GET whose lines are changed; never passed on. */
function bad(
  id: string,
  rule: string,
  what: string,
  change: Change,
  more: Partial<Case> = {},
): Case {
  return {
    id,
    rule: `9113 ${rule}`,
    what,
    send: (k) => [headers(1, block(change(k.lines('GET'), k)))],
    watch: 1,
    allows: malformed(),
    reaches: 0,
    ...more,
  };
}

const adding =
  (...more: readonly Line[]): Change =>
  (lines) => [...lines, ...more];

const without =
  (name: string): Change =>
  (lines) =>
    lines.filter(([one]) => one !== name);

const replacing =
  (name: string, value: string): Change =>
  (lines) =>
    lines.map((line) => (line[0] === name ? [name, value] : line));

const doubling =
  (name: string): Change =>
  (lines) =>
    lines.flatMap((line) => (line[0] === name ? [line, line] : [line]));

/** Answered by the program itself, with the reason. */
const REFUSED = { ours: '400' } as const;

const INTERNAL = {
  ours: 'GOAWAY INTERNAL_ERROR',
  deviates:
    'node:http2 ends the connection, with another code; nothing beyond Content-Length passes on',
} as const;

/** Node's core passes over a field that nghttp2 finds invalid, where nghttp2 alone resets the stream. */
const DROPPED = {
  ours: '200',
  deviates: 'node:http2 drops the field and passes on the rest: nothing of the field travels',
} as const;

export const MESSAGES: readonly Case[] = [
  bad('8.1.2-upper-case', '8.2.1', 'a name with upper case', adding(['X-TEST', 'ok'])),
  bad('8.1.2.1-unknown', '8.3', 'an unknown pseudo-field', adding([':test', 'ok'])),
  bad('8.1.2.1-status', '8.3', 'a pseudo-field of answers', adding([':status', '200'])),
  {
    id: '8.1.2.1-trailers',
    rule: '9113 8.1',
    what: 'a pseudo-field in the trailer section',
    send: (k) => [
      openHeaders(1, k.post()),
      data(1, 'test', 0),
      headers(1, block([[':method', 'GET']])),
    ],
    watch: 1,
    allows: malformed(),
  },
  bad('8.1.2.1-behind', '8.3', 'a pseudo-field behind a field', (lines) => [
    ...lines.slice(0, 3),
    ['x-test', 'ok'],
    ...lines.slice(3),
  ]),
  bad('8.1.2.2-connection', '8.2.2', 'Connection', adding(['connection', 'keep-alive'])),
  bad('8.1.2.2-te', '8.2.2', 'TE other than trailers', adding(['te', 'trailers, deflate'])),
  bad('8.1.2.3-path-empty', '8.3.1', 'an empty :path', replacing(':path', '')),
  bad('8.1.2.3-no-method', '8.3.1', 'no :method', without(':method')),
  bad('8.1.2.3-no-scheme', '8.3.1', 'no :scheme', without(':scheme')),
  bad('8.1.2.3-no-path', '8.3.1', 'no :path', without(':path')),
  bad('8.1.2.3-two-methods', '8.3.1', ':method twice', doubling(':method')),
  bad('8.1.2.3-two-schemes', '8.3.1', ':scheme twice', doubling(':scheme')),
  bad('8.1.2.3-two-paths', '8.3.1', ':path twice', doubling(':path')),
  {
    id: '8.1.2.6-length',
    rule: '9113 8.1.1',
    what: 'Content-Length other than the sum of one DATA',
    send: (k) => [openHeaders(1, k.post(['content-length', '1'])), data(1, 'test')],
    watch: 1,
    allows: malformed(),
    ...INTERNAL,
  },
  {
    id: '8.1.2.6-length-many',
    rule: '9113 8.1.1',
    what: 'Content-Length other than the sum of several DATA',
    send: (k) => [
      openHeaders(1, k.post(['content-length', '1'])),
      data(1, 'test', 0),
      data(1, 'test'),
    ],
    watch: 1,
    allows: malformed(),
    ...INTERNAL,
  },
  {
    id: '8.1.2.6-length-short',
    rule: '9113 8.1.1',
    what: 'fewer DATA than Content-Length',
    send: (k) => [openHeaders(1, k.post(['content-length', '9'])), data(1, 'test')],
    watch: 1,
    allows: malformed(),
  },
];

export const SMUGGLING: readonly Case[] = [
  ...['keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map((name) =>
    bad(
      `s-${name}`,
      '8.2.2',
      `${name}, a field of connections`,
      adding([name, name === 'transfer-encoding' ? 'chunked' : 'x']),
    ),
  ),
  {
    id: 's-chunked-body',
    rule: '9113 8.2.2',
    what: 'Transfer-Encoding with a chunked request in DATA (H2.TE)',
    send: (k) => [
      openHeaders(1, k.post(['transfer-encoding', 'chunked'])),
      data(1, '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'),
    ],
    watch: 1,
    allows: malformed(),
    reaches: 0,
  },
  {
    id: 's-length-zero',
    rule: '9113 8.1.1',
    what: 'Content-Length of 0 with a request in DATA (H2.CL)',
    send: (k) => [
      openHeaders(1, k.post(['content-length', '0'])),
      data(1, 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'),
    ],
    watch: 1,
    allows: malformed(),
    ...INTERNAL,
    reaches: 1,
    note: 'what its head says is a whole request; the DATA behind it goes nowhere',
  },
  ...(
    [
      [
        's-length-twice',
        'Content-Length twice, the same',
        [
          ['content-length', '0'],
          ['content-length', '0'],
        ],
      ],
      [
        's-length-two',
        'Content-Length twice, not the same',
        [
          ['content-length', '0'],
          ['content-length', '4'],
        ],
      ],
      ['s-length-sign', 'Content-Length with a sign', [['content-length', '+0']]],
      ['s-length-list', 'Content-Length as a list', [['content-length', '0, 0']]],
      ['s-length-huge', 'Content-Length beyond 2^64', [['content-length', '18446744073709551616']]],
      ['s-length-empty', 'an empty Content-Length', [['content-length', '']]],
    ] as [string, string, Line[]][]
  ).map(([id, what, lines]) =>
    bad(id, '8.1.1', what, adding(...lines), {
      // Where all its values are the same, it may be taken for one (RFC 9110 section 8.6).
      allows: [
        ...malformed(),
        ...(id === 's-length-twice' || id === 's-length-list' ? ['200'] : []),
      ],
    }),
  ),
  ...(
    [
      ['s-value-crlf', 'CR LF and a field in a value', ['x-test', 'a\r\nx-injected: 1']],
      ['s-value-cr', 'CR in a value', ['x-test', 'a\rb']],
      ['s-value-lf', 'LF in a value', ['x-test', 'a\nb']],
      ['s-value-nul', 'NUL in a value', ['x-test', 'a\0b']],
      ['s-value-space-before', 'a value that begins with a space', ['x-test', ' a']],
      ['s-value-space-behind', 'a value that ends with a tab', ['x-test', 'a\t']],
      ['s-name-crlf', 'CR LF in a name', ['x-test: 1\r\nx-injected', 'a']],
      ['s-name-colon', 'a colon in a name', ['x-test: 1', 'a']],
      ['s-name-space', 'a space in a name', ['x test', 'a']],
      ['s-name-space-behind', 'a space behind a name', ['transfer-encoding ', 'chunked']],
      ['s-name-nul', 'NUL in a name', ['x\0test', 'a']],
      ['s-name-8bit', 'an octet above 127 in a name', ['x-t\xe9st', 'a']],
      ['s-name-empty', 'an empty name', ['', 'a']],
    ] as [string, string, Line][]
  ).map(([id, what, line]) => bad(id, '8.2.1', what, adding(line), { ...DROPPED, reaches: 1 })),
  bad(
    's-method-crlf',
    '8.3.1',
    'a request in :method',
    replacing(':method', 'GET /smuggled HTTP/1.1\r\nx: '),
  ),
  bad('s-method-space', '8.3.1', 'a space in :method', replacing(':method', 'GET /smuggled')),
  bad('s-method-empty', '8.3.1', 'an empty :method', replacing(':method', '')),
  bad('s-path-crlf', '8.3.1', 'CR LF in :path', (lines, k) =>
    replacing(':path', `${k.path} HTTP/1.1\r\nx-injected: 1`)(lines, k),
  ),
  bad('s-path-space', '8.3.1', 'a space in :path', (lines, k) =>
    replacing(':path', `${k.path} HTTP/1.1`)(lines, k),
  ),
  bad('s-path-tab', '8.3.1', 'a tab in :path', (lines, k) =>
    replacing(':path', `${k.path}\t`)(lines, k),
  ),
  bad(
    's-path-fragment',
    '8.3.1',
    'a fragment in :path',
    (lines, k) => replacing(':path', `${k.path}#x`)(lines, k),
    REFUSED,
  ),
  bad(
    's-path-8bit',
    '8.3.1',
    'octets above 127 in :path',
    (lines, k) => replacing(':path', `${k.path}\xc3\xa9`)(lines, k),
    REFUSED,
  ),
  bad(
    's-path-relative',
    '8.3.1',
    'a :path that does not begin with a slash',
    replacing(':path', 'smuggled'),
  ),
  bad(
    's-path-absolute',
    '8.3.1',
    'an absolute :path of another host',
    replacing(':path', 'http://other.invalid/smuggled'),
    {
      note: 'a whole request of its own to another host is not offered over HTTP/2',
    },
  ),
  bad('s-path-star', '8.3.1', ':path * of a GET', replacing(':path', '*')),
  bad('s-scheme-crlf', '8.3.1', 'CR LF in :scheme', replacing(':scheme', 'http\r\nx-injected: 1')),
  bad('s-scheme-url', '8.3.1', 'a URL in :scheme', replacing(':scheme', 'http://other.invalid/')),
  bad('s-authority-twice', '8.3.1', ':authority twice', doubling(':authority')),
  bad('s-scheme-other', '8.3.1', 'another :scheme', replacing(':scheme', 'ftp'), {
    allows: [...malformed(), '200'],
    ours: '200',
    reaches: 1,
    note: 'the scheme is the connection’s; what a request says of it goes nowhere',
  }),
  bad('s-authority-none', '8.3.1', 'neither :authority nor Host', without(':authority')),
  bad('s-authority-empty', '8.3.1', 'an empty :authority', replacing(':authority', '')),
  bad('s-authority-userinfo', '8.3.1', 'userinfo in :authority', (lines, k) =>
    replacing(':authority', `user@${k.authority}`)(lines, k),
  ),
  bad('s-authority-crlf', '8.3.1', 'CR LF in :authority', (lines, k) =>
    replacing(':authority', `${k.authority}\r\nx-injected: 1`)(lines, k),
  ),
  bad('s-authority-path', '8.3.1', 'a path in :authority', (lines, k) =>
    replacing(':authority', `${k.authority}/smuggled`)(lines, k),
  ),
  bad(
    's-host-other',
    '8.3.1',
    'Host other than :authority',
    adding(['host', 'other.invalid']),
    REFUSED,
  ),
  bad('s-host-twice', '8.3.1', 'Host twice beside :authority', (lines, k) => [
    ...lines,
    ['host', k.authority],
    ['host', k.authority],
  ]),
  bad('s-host-alone-twice', '8.3.1', 'Host twice without :authority', (lines) => [
    ...without(':authority')(lines, {} as Requests),
    ['host', 'one.invalid'],
    ['host', 'other.invalid'],
  ]),
  bad(
    's-foreign-host',
    '9.1.1',
    ':authority of another host',
    replacing(':authority', 'other.invalid'),
    {
      ours: '403',
      oursInTunnel: '421',
      allows: ['403', '421', '200', ...malformed()],
      note: 'a gateway may serve any host; ours answers to loopback alone',
    },
  ),
  {
    id: 's-trailers-framing',
    rule: '9110 6.5.1',
    what: 'Content-Length, Transfer-Encoding and Host in the trailer section',
    send: (k) => [
      openHeaders(1, k.post()),
      data(1, 'test', 0),
      headers(
        1,
        block([
          ['content-length', '9'],
          ['host', 'other.invalid'],
        ]),
      ),
    ],
    watch: 1,
    allows: [...malformed(), '200'],
  },
  {
    id: 's-trailers-connection',
    rule: '9113 8.2.2',
    what: 'Transfer-Encoding in the trailer section',
    send: (k) => [
      openHeaders(1, k.post()),
      data(1, 'test', 0),
      headers(1, block([['transfer-encoding', 'chunked']])),
    ],
    watch: 1,
    allows: malformed(),
  },
  {
    id: 's-expect',
    rule: '9110 10.1.1',
    what: 'Expect: 100-continue is answered, or the request is',
    send: (k) => [openHeaders(1, k.post(['expect', '100-continue'])), data(1, 'test')],
    watch: 1,
    allows: ['200'],
  },
  connectOf('s-connect', 'CONNECT', (k) => [[':authority', k.authority]], REFUSED),
  connectOf('s-connect-path', 'CONNECT with :scheme and :path', (k) => [
    [':scheme', k.scheme],
    [':path', k.path],
    [':authority', k.authority],
  ]),
  connectOf('s-connect-no-authority', 'CONNECT without :authority', () => []),
  connectOf('s-connect-extended', 'extended CONNECT (RFC 8441), which was not offered', (k) => [
    [':protocol', 'websocket'],
    [':scheme', k.scheme],
    [':path', k.path],
    [':authority', k.authority],
  ]),
  {
    id: 's-cookies',
    rule: '9113 8.2.3',
    what: 'Cookie in several fields is joined',
    send: (k) => [headers(1, k.get(['cookie', 'a=1'], ['cookie', 'b=2']))],
    watch: 1,
    allows: ['200'],
  },
  {
    id: 's-host-same',
    rule: '9113 8.3.1',
    what: 'Host beside the same :authority is one Host',
    send: (k) => [headers(1, k.get(['host', k.authority]))],
    watch: 1,
    allows: ['200'],
  },
  {
    id: 's-te-trailers',
    rule: '9113 8.2.2',
    what: 'TE: trailers, the only TE there may be',
    send: (k) => [headers(1, k.get(['te', 'trailers']))],
    watch: 1,
    allows: ['200'],
  },
];

function connectOf(
  id: string,
  what: string,
  behind: (k: Requests) => Line[],
  more: Partial<Case> = {},
): Case {
  return {
    id,
    rule: '9113 8.5',
    what,
    send: (k) => [openHeaders(1, block([[':method', 'CONNECT'], ...behind(k)]))],
    watch: 1,
    allows: [
      ...malformed(),
      ...streamError('REFUSED_STREAM', 'CONNECT_ERROR'),
      ...connectionError('PROTOCOL_ERROR'),
    ],
    reaches: 0,
    ...more,
  };
}
