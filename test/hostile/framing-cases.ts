/**
 * Requests whose length two readers could see differently: request smuggling (RFC 9112 sections 6 and
 * 11.2). Behind each stands a second request, which must never reach the upstream by itself.
 */
import { HELD, message, passed, refused, STREAMED } from './build.ts';
import type { HostileRequest } from './types.ts';

/** The request that is to be smuggled. */
const HIDDEN = 'GET /v1/hidden HTTP/1.1\r\nHost: hidden.example\r\n\r\n';
const POST = `POST ${STREAMED} HTTP/1.1`;

const BOTH = 'two lengths in one head: each reader believes another one';
const NO_NUMBER = 'readers disagree about what number this is, if any';
const NO_CODING = 'a reader that does not know the coding falls back to another length';

const refusedLength = (name: string, lines: readonly string[], why = NO_NUMBER): HostileRequest =>
  refused(400, 'bad_request', {
    name,
    rfc: '9112 §6.3',
    why,
    bytes: message(POST, lines, `abc${HIDDEN}`),
  });

const refusedCoding = (name: string, lines: readonly string[], why = NO_CODING): HostileRequest =>
  refused(400, 'bad_request', {
    name,
    rfc: '9112 §6.1',
    why,
    bytes: message(POST, lines, `0\r\n\r\n${HIDDEN}`),
  });

const unknownCoding = (name: string, lines: readonly string[]): HostileRequest =>
  refused(501, 'not_implemented', {
    name,
    rfc: '9112 §6.1',
    why: NO_CODING,
    bytes: message(POST, lines, `0\r\n\r\n${HIDDEN}`),
  });

export const FRAMING_CASES: readonly HostileRequest[] = [
  refusedCoding('CL.TE', ['Content-Length: 6', 'Transfer-Encoding: chunked'], BOTH),
  refusedCoding('TE.CL', ['Transfer-Encoding: chunked', 'Content-Length: 4'], BOTH),
  refusedCoding(
    'CL.TE, names in odd case',
    ['content-LENGTH: 6', 'tRANSFER-eNCODING: chunked'],
    BOTH,
  ),
  refusedCoding('CL.TE, length zero', ['Content-Length: 0', 'Transfer-Encoding: chunked'], BOTH),
  refusedLength('CL.CL, different', ['Content-Length: 3', 'Content-Length: 50'], BOTH),
  refusedLength('CL.CL, the same', ['Content-Length: 3', 'Content-Length: 3'], BOTH),
  refusedLength('CL list, the same', ['Content-Length: 3, 3'], BOTH),
  refusedLength('CL list, different', ['Content-Length: 3, 50'], BOTH),
  refusedLength('CL with plus', ['Content-Length: +3']),
  refusedLength('CL negative', ['Content-Length: -3']),
  refusedLength('CL hexadecimal', ['Content-Length: 0x3']),
  refusedLength('CL with leading zero', ['Content-Length: 03']),
  refusedLength('CL with fraction', ['Content-Length: 3.0']),
  refusedLength('CL with exponent', ['Content-Length: 3e0']),
  refusedLength('CL with space inside', ['Content-Length: 3 0']),
  refusedLength('CL with underscore', ['Content-Length: 3_0']),
  refusedLength('CL quoted', ['Content-Length: "3"']),
  refusedLength('CL empty', ['Content-Length: ']),
  refusedLength('CL with letters behind', ['Content-Length: 3abc']),
  refusedLength('CL in 8-bit digits', ['Content-Length: \xb3']),
  refusedLength('CL of 2^63', ['Content-Length: 9223372036854775808']),
  refusedLength('CL of 2^64 + 3', ['Content-Length: 18446744073709551619']),
  refusedLength('CL of 300 digits', [`Content-Length: ${'9'.repeat(300)}`]),
  refused(400, 'bad_request', {
    name: 'CL with vertical tab',
    rfc: '9112 §5',
    why: 'some readers trim it as white space',
    bytes: message(POST, ['Content-Length: \x0b3'], `abc${HIDDEN}`),
  }),
  passed([{ start: `${POST}`, body: 'abc' }], {
    name: 'CL with white space around',
    rfc: '9112 §5.1',
    why: 'white space around a value is no part of it',
    bytes: message(POST, ['Content-Length: \t 3 \t'], 'abc'),
  }),
  refusedCoding('TE twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']),
  refusedCoding('TE chunked, chunked', ['Transfer-Encoding: chunked, chunked']),
  refusedCoding('TE empty', ['Transfer-Encoding: ']),
  refusedCoding('TE quoted', ['Transfer-Encoding: "chunked"']),
  refusedCoding('TE with a parameter', ['Transfer-Encoding: chunked;q=1']),
  refusedCoding('TE with a comma behind', ['Transfer-Encoding: chunked,']),
  refusedCoding('TE with a comma before', ['Transfer-Encoding: , chunked']),
  refusedCoding('TE in 8-bit', ['Transfer-Encoding: chunked\xa0']),
  refused(400, 'bad_request', {
    name: 'TE with vertical tab',
    rfc: '9112 §5',
    why: 'some readers trim it as white space, and some then see no coding',
    bytes: message(POST, ['Transfer-Encoding: \x0bchunked'], `0\r\n\r\n${HIDDEN}`),
  }),
  refused(400, 'bad_request', {
    name: 'TE with NUL',
    rfc: '9110 §5.5',
    why: 'some readers end the value there',
    bytes: message(POST, ['Transfer-Encoding: chunked\0'], `0\r\n\r\n${HIDDEN}`),
  }),
  refused(400, 'bad_request', {
    name: 'TE folded over two lines',
    rfc: '9112 §5.2',
    why: 'a reader that unfolds sees a coding, another sees none',
    bytes: message(POST, ['Transfer-Encoding:\r\n chunked'], `0\r\n\r\n${HIDDEN}`),
  }),
  refused(400, 'bad_request', {
    name: 'TE with space before the colon',
    rfc: '9112 §5.1',
    why: 'some readers take the name, some pass the line over',
    bytes: message(POST, ['Transfer-Encoding : chunked'], `0\r\n\r\n${HIDDEN}`),
  }),
  refused(400, 'bad_request', {
    name: 'TE behind a space',
    rfc: '9112 §2.2',
    why: 'white space in front of the first field: some readers skip the line, some fold it',
    bytes: ({ host }) =>
      `${POST}\r\n Transfer-Encoding: chunked\r\nHost: ${host}\r\n\r\n0\r\n\r\n${HIDDEN}`,
  }),
  refused(400, 'bad_request', {
    name: 'TE in front of a bare CR',
    rfc: '9112 §2.2',
    why: 'a reader that takes CR for a line end sees two lines',
    bytes: message(POST, ['X: y\rTransfer-Encoding: chunked'], `0\r\n\r\n${HIDDEN}`),
  }),
  refused(400, 'bad_request', {
    name: 'TE behind a bare LF',
    rfc: '9112 §2.2',
    why: 'a reader that takes LF for a line end sees two lines',
    bytes: message(POST, ['X: y\nTransfer-Encoding: chunked'], `0\r\n\r\n${HIDDEN}`),
  }),
  unknownCoding('TE gzip, chunked', ['Transfer-Encoding: gzip, chunked']),
  unknownCoding('TE chunked, gzip', ['Transfer-Encoding: chunked, gzip']),
  unknownCoding('TE identity', ['Transfer-Encoding: identity']),
  unknownCoding('TE chunked, identity', ['Transfer-Encoding: chunked, identity']),
  unknownCoding('TE xchunked', ['Transfer-Encoding: xchunked']),
  unknownCoding('TE identity, then chunked', [
    'Transfer-Encoding: identity',
    'Transfer-Encoding: chunked',
  ]),
  refusedCoding('TE gzip with CL', ['Transfer-Encoding: gzip', 'Content-Length: 3'], BOTH),
  refused(400, 'bad_request', {
    name: 'TE on HTTP/1.0',
    rfc: '9112 §6.1',
    why: 'HTTP/1.0 has no chunks: its framing is faulty',
    bytes: message(
      `POST ${STREAMED} HTTP/1.0`,
      ['Transfer-Encoding: chunked', 'Connection: keep-alive'],
      `0\r\n\r\n${HIDDEN}`,
    ),
  }),
  passed([{ start: POST, body: 'abc' }], {
    name: 'TE CHUNKED in capitals',
    rfc: '9112 §7',
    why: 'names of codings have no case',
    bytes: message(POST, ['Transfer-Encoding: CHUNKED'], '3\r\nabc\r\n0\r\n\r\n'),
  }),
  passed([{ start: POST, body: 'abc', without: ['content-length'] }], {
    name: 'TE removed by Connection',
    rfc: '9110 §7.6.1',
    why: 'a framing field named by Connection is framing all the same',
    bytes: message(
      POST,
      ['Transfer-Encoding: chunked', 'Connection: transfer-encoding'],
      '3\r\nabc\r\n0\r\n\r\n',
    ),
  }),
  passed([{ start: POST, body: 'abc', lines: ['Content-Length: 3'] }], {
    name: 'CL removed by Connection',
    rfc: '9110 §7.6.1',
    why: 'without its length the body would be read as the next request',
    bytes: message(POST, ['Content-Length: 3', 'Connection: content-length'], 'abc'),
  }),
  passed([{ start: `GET ${STREAMED} HTTP/1.1`, body: 'GET /v1/hidden HTTP/1.1\r\n' }], {
    name: 'GET with a request as its body',
    rfc: '9110 §9.3.1',
    why: 'the length says that it is a body, and so it must stay',
    bytes: message(
      `GET ${STREAMED} HTTP/1.1`,
      ['Content-Length: 25'],
      'GET /v1/hidden HTTP/1.1\r\n',
    ),
  }),
  {
    ...refused(400, 'bad_request', {
      name: 'CL longer than the body, then FIN',
      rfc: '9112 §8',
      why: 'an incomplete request stays incomplete',
      fin: true,
      bytes: message(`POST ${HELD} HTTP/1.1`, ['Content-Length: 100'], '{"model":'),
    }),
    records: 1,
  },
];
