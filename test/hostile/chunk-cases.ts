/**
 * Chunked bodies that readers end at different places (RFC 9112 section 7.1).
 *
 * On the routed path the body is held until it is whole, so nothing of a broken one is sent on; on
 * others it streams, and what left of it must never become whole.
 */
import { HELD, message, passed, refusedHeld, refusedStreaming, STREAMED } from './build.ts';
import type { HostileRequest } from './types.ts';

const CHUNKED = ['Transfer-Encoding: chunked'];
const HIDDEN = 'GET /v1/hidden HTTP/1.1\r\nHost: hidden.example\r\n\r\n';
const END = '0\r\n\r\n';

const broken = (name: string, body: string, why: string, rfc = '9112 §7.1'): HostileRequest =>
  refusedHeld({ name, rfc, why, bytes: message(`POST ${HELD} HTTP/1.1`, CHUNKED, body) });

const SIZE = 'readers disagree about this size';
const LINE = 'readers disagree about where this line ends';
const EXTENSION = 'readers disagree about what belongs to the size line';

export const CHUNK_CASES: readonly HostileRequest[] = [
  broken('chunk size 0x3', `0x3\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size +3', `+3\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size -3', `-3\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size with space before', ` 3\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size with space behind', `3 \r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size with tab behind', `3\t\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size empty', `\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size with underscore', `1_0\r\n${'a'.repeat(16)}\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size in letters beyond f', `g\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size of 2^64 + 3', `10000000000000003\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size of 2^53', `20000000000000\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk size of 17 zeros and 3', `${'0'.repeat(17)}3\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk line ended by LF', `3\nabc\r\n${END}${HIDDEN}`, LINE),
  broken('chunk line ended by CR', `3\rabc\r\n${END}${HIDDEN}`, LINE),
  broken('chunk line ended by CR CR LF', `3\r\r\nabc\r\n${END}${HIDDEN}`, LINE),
  broken('chunk data ended by LF', `3\r\nabc\n${END}${HIDDEN}`, LINE),
  broken('chunk data longer than its size', `3\r\nabcd\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk data shorter than its size', `5\r\nabc\r\n${END}${HIDDEN}`, SIZE),
  broken('chunk data ended by other two bytes', `3\r\nabcXX${END}${HIDDEN}`, LINE),
  broken('last chunk ended by LF', `3\r\nabc\r\n0\n\n${HIDDEN}`, LINE),
  broken('chunk extension without name', `3;\r\nabc\r\n${END}${HIDDEN}`, EXTENSION, '9112 §7.1.1'),
  broken('chunk extension with bare LF', `3;a=b\nabc\r\n${END}${HIDDEN}`, EXTENSION, '9112 §7.1.1'),
  broken(
    'chunk extension with bare CR',
    `3;a\rb\r\nabc\r\n${END}${HIDDEN}`,
    EXTENSION,
    '9112 §7.1.1',
  ),
  broken(
    'chunk extension with a line end in quotes',
    `3;a="\r\nabc\r\n${END}${HIDDEN}"`,
    EXTENSION,
    '9112 §7.1.1',
  ),
  broken('chunk extension with NUL', `3;a=\0\r\nabc\r\n${END}${HIDDEN}`, EXTENSION, '9112 §7.1.1'),
  broken(
    'chunk extension after a space',
    `3 ;a=b\r\nabc\r\n${END}${HIDDEN}`,
    EXTENSION,
    '9112 §7.1.1',
  ),
  broken(
    'chunk extension without end',
    `3;a=${'x'.repeat(70_000)}`,
    'a line that never ends must not be read for ever',
    '9112 §7.1.1',
  ),
  broken(
    'many chunk extensions',
    `3${';a=b'.repeat(2_000)}\r\nabc\r\n${END}`,
    'the length of a size line has a bound',
    '9112 §7.1.1',
  ),
  broken(
    'trailer Content-Length',
    `3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n${HIDDEN}`,
    'a reader that merges trailers into the head would frame anew',
    '9110 §6.5.1',
  ),
  broken(
    'trailer Transfer-Encoding',
    `3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n`,
    'the same',
    '9110 §6.5.1',
  ),
  broken(
    'trailer Host',
    `3\r\nabc\r\n0\r\nHost: hidden.example\r\n\r\n`,
    'merged, it would route anew',
    '9110 §6.5.1',
  ),
  broken(
    'trailer x-api-key',
    `3\r\nabc\r\n0\r\nx-api-key: sk-fake\r\n\r\n`,
    'merged, it would authenticate anew',
    '9110 §6.5.1',
  ),
  broken(
    'trailer folded',
    `3\r\nabc\r\n0\r\nx-a: b\r\n c\r\n\r\n`,
    'folding is refused in trailers too',
    '9112 §5.2',
  ),
  broken(
    'trailer with bare LF',
    `3\r\nabc\r\n0\r\nx-a: b\nx-c: d\r\n\r\n`,
    'a reader that takes LF for a line end sees two',
    '9112 §2.2',
  ),
  broken(
    'trailers of 20 KB',
    `3\r\nabc\r\n0\r\n${`x-a: ${'b'.repeat(990)}\r\n`.repeat(20)}\r\n`,
    'trailers have a bound',
    '9110 §6.5',
  ),
  broken(
    'trailers in flood',
    `3\r\nabc\r\n0\r\n${'x-a: b\r\n'.repeat(300)}\r\n`,
    'their number has one too',
    '9110 §6.5',
  ),
  refusedStreaming({
    name: 'broken chunk while the body streams on',
    rfc: '9112 §8',
    why: 'what was sent on must never look whole',
    bytes: message(`POST ${STREAMED} HTTP/1.1`, CHUNKED, `3\r\nabc\r\nXX\r\n${END}${HIDDEN}`),
  }),
  refusedStreaming({
    name: 'FIN within a chunk while the body streams on',
    rfc: '9112 §8',
    why: 'an incomplete message stays incomplete',
    fin: true,
    bytes: message(`POST ${STREAMED} HTTP/1.1`, CHUNKED, '10\r\nabc'),
  }),
  refusedStreaming({
    name: 'forbidden trailer while the body streams on',
    rfc: '9110 §6.5.1',
    why: 'a refused trailer section is never passed on whole',
    bytes: message(`POST ${STREAMED} HTTP/1.1`, CHUNKED, '3\r\nabc\r\n0\r\nHost: a\r\n\r\n'),
  }),
  passed([{ start: `POST ${STREAMED} HTTP/1.1`, body: 'abcdef' }], {
    name: 'chunk extensions as they should be',
    rfc: '9112 §7.1.1',
    why: 'unknown extensions are no error',
    bytes: message(
      `POST ${STREAMED} HTTP/1.1`,
      CHUNKED,
      '3;a;b=c;d="e\\"f"\r\nabc\r\n003\r\ndef\r\n0;last\r\n\r\n',
    ),
  }),
  passed([{ start: `POST ${STREAMED} HTTP/1.1`, body: 'a'.repeat(3_000) }], {
    name: '3,000 chunks of one byte',
    rfc: '9112 §7.1',
    why: 'legal, and each of them costs: memory may not grow beyond the bytes',
    bytes: message(`POST ${STREAMED} HTTP/1.1`, CHUNKED, `${'1\r\na\r\n'.repeat(3_000)}${END}`),
  }),
  passed([{ start: `POST ${STREAMED} HTTP/1.1`, body: 'abc' }], {
    name: 'harmless trailer',
    rfc: '9110 §6.5',
    why: 'trailers are part of the message',
    bytes: message(`POST ${STREAMED} HTTP/1.1`, CHUNKED, '3\r\nabc\r\n0\r\nx-checksum: 9\r\n\r\n'),
  }),
];
