/**
 * CONNECT, and absolute-form requests to hosts that are not ours: targets that two readers take apart
 * differently, and destinations that policy refuses. All are refused before anything is dialled.
 */
import { raw, refused } from './build.ts';
import type { HostileRequest } from './types.ts';

/** `{port}` in it becomes the proxy's own. */
const connect = (target: string, lines: readonly string[] = []) =>
  raw([`CONNECT ${target} HTTP/1.1`, 'Host: target.example', ...lines, '', ''].join('\r\n'));

const badTarget = (
  name: string,
  target: string,
  why: string,
  rfc = '9110 §9.3.6',
): HostileRequest =>
  refused(400, 'bad_authority', { name, rfc, why, plainOnly: true, bytes: connect(target) });

const badLine = (name: string, target: string, why: string): HostileRequest =>
  refused(400, 'bad_request', {
    name,
    rfc: '9112 §3.2.3',
    why,
    plainOnly: true,
    bytes: connect(target),
  });

const loop = (host: string): HostileRequest =>
  refused(508, 'loop', {
    name: `CONNECT to the proxy itself as ${host}`,
    rfc: '9110 §7.6',
    why: 'a proxy may not forward to itself',
    plainOnly: true,
    bytes: connect(`${host}:{port}`),
  });

const metadata = (target: string, what: string): HostileRequest =>
  refused(403, 'blocked_by_policy', {
    name: `CONNECT to ${target}`,
    rfc: '9110 §9.3.6',
    why: what,
    plainOnly: true,
    bytes: connect(target),
  });

const NUMBER = 'some readers take it for an address, some for a name';
const LINK_LOCAL = 'link-local: where clouds hand out credentials';

export const CONNECT_CASES: readonly HostileRequest[] = [
  badTarget('CONNECT without a port', 'target.example', 'the port is not to be guessed'),
  badTarget('CONNECT with an empty port', 'target.example:', 'the port is not to be guessed'),
  badTarget('CONNECT to port 0', 'target.example:0', 'nobody listens there'),
  badTarget('CONNECT to port 65536', 'target.example:65536', 'modulo 2^16 it is another'),
  badTarget('CONNECT to port 4294967739', 'target.example:4294967739', 'modulo 2^32 it is 443'),
  badTarget('CONNECT to port +443', 'target.example:+443', 'a port is digits'),
  badTarget('CONNECT to two ports', 'target.example:443:80', 'which one?'),
  badTarget('CONNECT with a list', 'a.example:443,b.example:443', 'which one?'),
  badTarget(
    'CONNECT to IPv6 without brackets',
    '::1:443',
    'where does the port begin?',
    '3986 §3.2.2',
  ),
  badTarget(
    'CONNECT to IPv6 with a zone',
    '[fe80::1%25lo]:443',
    'zones mean nothing elsewhere',
    '6874 §4',
  ),
  badTarget('CONNECT to an open bracket', '[::1:443', 'not an authority'),
  badTarget('CONNECT to octal IPv4', '0177.0.0.1:443', NUMBER, '3986 §7.4'),
  badTarget('CONNECT to hexadecimal IPv4', '0x7f.0.0.1:443', NUMBER, '3986 §7.4'),
  badTarget('CONNECT to decimal IPv4', '2130706433:443', NUMBER, '3986 §7.4'),
  badTarget('CONNECT to short IPv4', '127.1:443', NUMBER, '3986 §7.4'),
  badTarget('CONNECT to decimal metadata address', '2852039166:80', NUMBER, '3986 §7.4'),
  badTarget('CONNECT to percent-encoded host', 'local%68ost:443', NUMBER, '3986 §7.4'),
  badTarget('CONNECT to an empty label', 'a..example:443', 'no name has one', '1035 §2.3.1'),
  badTarget(
    'CONNECT to a name of 300 characters',
    `${'a.'.repeat(150)}a:443`,
    'no name is as long',
    '1035 §2.3.4',
  ),
  badLine(
    'CONNECT with userinfo',
    'user@target.example:443',
    'what stands before @ looks like a host',
  ),
  badLine('CONNECT with a path', 'target.example:443/x', 'an authority has none'),
  badLine(
    'CONNECT in absolute form',
    'https://target.example:443/',
    'CONNECT has the authority form',
  ),
  badLine('CONNECT in origin form', '/', 'CONNECT has the authority form'),
  badLine('CONNECT with CRLF in the target', 'a.example:443\r\nX: HTTP/1.1', 'a line ends there'),
  refused(400, 'bad_request', {
    name: 'CONNECT with Content-Length',
    rfc: '9110 §9.3.6',
    why: 'its bytes are the tunnel’s for one reader and a body for another',
    plainOnly: true,
    bytes: connect('target.example:443', ['Content-Length: 3']),
  }),
  refused(400, 'bad_request', {
    name: 'CONNECT with Transfer-Encoding',
    rfc: '9110 §9.3.6',
    why: 'the same',
    plainOnly: true,
    bytes: connect('target.example:443', ['Transfer-Encoding: chunked']),
  }),
  ...[
    'localhost',
    'LOCALHOST.',
    'a.localhost',
    '127.0.0.1',
    '127.99.0.1',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:0]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
  ].map(loop),
  metadata('169.254.169.254:80', LINK_LOCAL),
  metadata('[::ffff:169.254.169.254]:80', LINK_LOCAL),
  metadata('[::ffff:a9fe:a9fe]:80', LINK_LOCAL),
  metadata('[64:ff9b::a9fe:a9fe]:80', 'the same by NAT64'),
  metadata('169.254.170.2:80', 'credentials of a container'),
  metadata('[fd00:ec2::254]:80', 'the metadata service of AWS over IPv6'),
  metadata('[fe80::1]:80', 'link-local'),
  metadata('100.100.100.200:80', 'the metadata service of Alibaba Cloud'),
  metadata('168.63.129.16:80', 'the host agent of Azure'),
  metadata('metadata.google.internal:80', 'the metadata service of Google Cloud by its name'),
  metadata('METADATA.google.internal.:443', 'in another spelling'),
  ...['169.254.169.254', '[::ffff:169.254.169.254]', 'metadata.google.internal'].map((host) => ({
    ...refused(403, 'blocked_by_policy', {
      name: `GET http://${host}/`,
      rfc: '9110 §7.6',
      why: 'as an absolute-form request it is the same destination',
      plainOnly: true,
      bytes: raw(`GET http://${host}/latest/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
    }),
    // The connection is still good: the request was a whole one.
    answered: { statuses: [403], code: 'blocked_by_policy', closes: false },
  })),
];
