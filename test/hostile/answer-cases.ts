/**
 * Hostile answers: what an upstream, or whoever sits in between, may send to make this proxy or its
 * client take one answer for another, a part for the whole, or more than memory holds.
 */
import { OK } from './recorder.ts';
import type { HostileAnswer, Seen } from './types.ts';

type Told = Omit<HostileAnswer, 'seen'>;

/** No answer that could be passed on: the client gets our own 502. */
const refused = (told: Told, code = 'upstream_protocol'): HostileAnswer => ({
  ...told,
  seen: { status: 502, code, whole: true, reused: false },
});

/** Passed on up to where it broke, and cut there. */
const cut = (body: string, told: Told): HostileAnswer => ({
  ...told,
  seen: { status: 200, body, whole: false, reused: false },
});

const whole = (seen: Partial<Seen>, told: Told): HostileAnswer => ({
  ...told,
  seen: { status: 200, whole: true, reused: true, ...seen },
});

const one = (text: string): readonly string[] => [text];
const answer = (lines: readonly string[], body = ''): readonly string[] =>
  one(['HTTP/1.1 200 OK', ...lines, '', body].join('\r\n'));

const BOTH = 'two lengths: the client may believe the other one';
const NO_NUMBER = 'readers disagree about what number this is';
const NO_CODING = 'a reader that does not know the coding ends the body elsewhere';
const CONTROL = 'some readers end a line or a value there: response splitting';
const CHUNKED = 'Transfer-Encoding: chunked';
const SECOND = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';

const length = (name: string, lines: readonly string[], why: string): HostileAnswer =>
  refused({ name, rfc: '9112 §6.3', why, pieces: answer(lines, `abc${SECOND}`) });
const coding = (name: string, lines: readonly string[], why: string): HostileAnswer =>
  refused({ name, rfc: '9112 §6.1', why, pieces: answer(lines, `3\r\nabc\r\n0\r\n\r\n${SECOND}`) });
const field = (name: string, line: string, why: string, rfc: string): HostileAnswer =>
  refused({ name, rfc, why, pieces: answer([line, 'Content-Length: 3'], 'abc') });
const status = (name: string, line: string, why: string): HostileAnswer =>
  refused({ name, rfc: '9112 §4', why, pieces: one(`${line}\r\nContent-Length: 3\r\n\r\nabc`) });
const chunk = (name: string, body: string, why: string, rfc = '9112 §7.1'): HostileAnswer =>
  cut('abc', { name, rfc, why, pieces: answer([CHUNKED], `3\r\nabc\r\n${body}`) });

const FRAMES: readonly HostileAnswer[] = [
  coding('CL and TE', ['Content-Length: 3', CHUNKED], BOTH),
  coding('TE and CL', [CHUNKED, 'Content-Length: 30'], BOTH),
  length('CL twice, different', ['Content-Length: 3', 'Content-Length: 30'], BOTH),
  length('CL twice, the same', ['Content-Length: 3', 'Content-Length: 3'], BOTH),
  length('CL list', ['Content-Length: 3, 3'], BOTH),
  length('CL with plus', ['Content-Length: +3'], NO_NUMBER),
  length('CL negative', ['Content-Length: -1'], NO_NUMBER),
  length('CL hexadecimal', ['Content-Length: 0x3'], NO_NUMBER),
  length('CL of 2^64 + 3', ['Content-Length: 18446744073709551619'], NO_NUMBER),
  length('CL empty', ['Content-Length:'], NO_NUMBER),
  coding('TE gzip, chunked', ['Transfer-Encoding: gzip, chunked'], NO_CODING),
  coding('TE identity', ['Transfer-Encoding: identity'], NO_CODING),
  coding('TE twice', [CHUNKED, CHUNKED], NO_CODING),
  coding('TE with vertical tab', ['Transfer-Encoding: \x0bchunked'], CONTROL),
  refused({
    name: 'TE on HTTP/1.0',
    rfc: '9112 §6.1',
    why: 'HTTP/1.0 has no chunks',
    pieces: one(`HTTP/1.0 200 OK\r\n${CHUNKED}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`),
  }),
  refused({
    name: '204 with a length',
    rfc: '9110 §8.6',
    why: 'the client knows that there is no body, and takes it for the next answer',
    pieces: one(`HTTP/1.1 204 No Content\r\nContent-Length: ${SECOND.length}\r\n\r\n${SECOND}`),
  }),
  whole(
    { status: 204, body: '', reused: false },
    {
      name: '204 with bytes behind it',
      rfc: '9112 §6.3',
      why: 'bytes that nobody asked for are no answer to the next request',
      pieces: one(`HTTP/1.1 204 No Content\r\n\r\n${SECOND}`),
    },
  ),
  whole(
    { status: 304, body: '', reused: false },
    {
      name: '304 with a body',
      rfc: '9112 §6.3',
      why: 'its length is that of another answer; the body is the start of nothing',
      pieces: one(`HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison`),
    },
  ),
  whole(
    { body: '', reused: false },
    {
      name: 'HEAD with a body',
      rfc: '9110 §9.3.2',
      why: 'the body would be taken for the next answer',
      method: 'HEAD',
      pieces: one(`HTTP/1.1 200 OK\r\nContent-Length: ${SECOND.length}\r\n\r\n${SECOND}`),
    },
  ),
  whole(
    { body: 'abc', reused: false },
    {
      name: 'body longer than its length',
      rfc: '9112 §9.2',
      why: 'the surplus would be taken for the next answer',
      pieces: answer(['Content-Length: 3'], `abc${SECOND}`),
    },
  ),
  whole(
    { body: 'abc', reused: false },
    {
      name: 'a second answer behind the last chunk',
      rfc: '9112 §9.2',
      why: 'the same',
      pieces: answer([CHUNKED], `3\r\nabc\r\n0\r\n\r\n${SECOND}`),
    },
  ),
  whole(
    { body: 'abc', reused: false },
    {
      name: 'an interim answer behind the final one',
      rfc: '9110 §15.2',
      why: 'interim answers come before',
      pieces: answer(['Content-Length: 3'], 'abcHTTP/1.1 100 Continue\r\n\r\n'),
    },
  ),
  cut('abc', {
    name: 'FIN before the length is reached',
    rfc: '9112 §8',
    why: 'a part must not look whole',
    pieces: answer(['Content-Length: 300'], 'abc'),
    fin: true,
  }),
  cut('abc', {
    name: 'FIN within a chunk',
    rfc: '9112 §8',
    why: 'the same',
    pieces: answer([CHUNKED], '30\r\nabc'),
    fin: true,
  }),
  cut('abc', {
    name: 'FIN without the last chunk',
    rfc: '9112 §8',
    why: 'the same',
    pieces: answer([CHUNKED], '3\r\nabc\r\n'),
    fin: true,
  }),
  whole(
    { body: 'abc', reused: false },
    {
      name: 'HTTP/1.0 without a length',
      rfc: '9112 §6.3',
      why: 'the end of the connection is the end of the body, and looks like it',
      pieces: one('HTTP/1.0 200 OK\r\n\r\nabc'),
      fin: true,
    },
  ),
  whole(
    { body: 'abc', reused: false },
    {
      name: 'HTTP/1.1 without a length',
      rfc: '9112 §6.3',
      why: 'the same',
      pieces: answer([], 'abc'),
      fin: true,
    },
  ),
];

const CHUNKS: readonly HostileAnswer[] = [
  chunk('chunk size +3', '+3\r\ndef\r\n0\r\n\r\n', NO_NUMBER),
  chunk('chunk size 0x3', '0x3\r\ndef\r\n0\r\n\r\n', NO_NUMBER),
  chunk('chunk size of 2^64 + 3', '10000000000000003\r\ndef\r\n0\r\n\r\n', NO_NUMBER),
  chunk('chunk line ended by LF', '3\ndef\r\n0\r\n\r\n', CONTROL),
  chunk('chunk data without its CRLF', '3\r\ndefXX0\r\n\r\n', NO_NUMBER),
  chunk(
    'chunk extension without end',
    `3;a=${'x'.repeat(5_000)}`,
    'a line that never ends must not be read for ever',
    '9112 §7.1.1',
  ),
  chunk(
    'trailer Content-Length',
    '0\r\nContent-Length: 30\r\n\r\n',
    'merged into the head it would frame anew',
    '9110 §6.5.1',
  ),
  chunk(
    'trailers of 20 KB',
    `0\r\nx-a: ${'b'.repeat(20_000)}\r\n\r\n`,
    'trailers have a bound',
    '9110 §6.5',
  ),
  chunk(
    'trailers in flood',
    `0\r\n${'x-a: b\r\n'.repeat(300)}\r\n`,
    'and so has their number',
    '9110 §6.5',
  ),
];

const HEADS: readonly HostileAnswer[] = [
  status('HTTP/0.9 answer', 'hello', 'a body without a head has no end'),
  status('status of two digits', 'HTTP/1.1 99 Low', NO_NUMBER),
  status('status of four digits', 'HTTP/1.1 2000 High', NO_NUMBER),
  status('status in letters', 'HTTP/1.1 abc OK', NO_NUMBER),
  status('status without a number', 'HTTP/1.1 OK', NO_NUMBER),
  status('two spaces before the status', 'HTTP/1.1  200 OK', NO_NUMBER),
  status('HTTP/2.0 in a status line', 'HTTP/2.0 200 OK', 'only HTTP/1 is framed so'),
  status('http in small letters', 'http/1.1 200 OK', 'only HTTP/1 is framed so'),
  status('NUL in the reason', 'HTTP/1.1 200 O\0K', CONTROL),
  status('bare CR in the reason', 'HTTP/1.1 200 O\rK', CONTROL),
  status('an empty line in front', '\r\nHTTP/1.1 200 OK', 'what came before an answer is none'),
  field('NUL in a value', 'X: a\0b', CONTROL, '9110 §5.5'),
  field('bare CR in a value', 'X: a\rSet-Cookie: b', CONTROL, '9112 §2.2'),
  field('bare LF in a value', 'X: a\nSet-Cookie: b', CONTROL, '9112 §2.2'),
  field('folded line', 'X: a\r\n b', 'unfolded it is another value', '9112 §5.2'),
  field('space before the colon', 'X : a', 'some readers take the name without it', '9112 §5.1'),
  field('line without a colon', 'X', 'a field line has one', '9112 §5'),
  field('8-bit in a name', 'X\xe9: a', 'a name is a token', '9110 §5.1'),
  refused({
    name: 'lines ended by LF alone',
    rfc: '9112 §2.2',
    why: CONTROL,
    pieces: one('HTTP/1.1 200 OK\nContent-Length: 3\n\nabc'),
  }),
  refused({
    name: 'flood of 300 headers',
    rfc: '6585 §5',
    why: 'their number has a bound',
    pieces: answer([
      ...Array.from({ length: 300 }, (_, index) => `x-${index}: a`),
      'Content-Length: 0',
    ]),
  }),
  refused({
    name: 'a header of 70 KB',
    rfc: '9110 §5.4',
    why: 'a head has a bound',
    pieces: answer([`X: ${'x'.repeat(70_000)}`, 'Content-Length: 0']),
  }),
  whole(
    {},
    {
      name: 'a header of 17 KB',
      rfc: '9110 §5.4',
      why: 'long values are ordinary',
      pieces: answer([`X: ${'x'.repeat(17_000)}`, 'Content-Length: 0']),
    },
  ),
  refused(
    {
      name: 'FIN in the head',
      rfc: '9112 §8',
      why: 'half a head is no answer',
      pieces: one('HTTP/1.1 200 OK\r\nContent-Le'),
      fin: true,
    },
    'upstream_closed',
  ),
  whole(
    { body: 'ok' },
    {
      name: 'an answer byte by byte',
      rfc: '9112 §2.2',
      why: 'the split of bytes means nothing',
      pieces: [...OK],
    },
  ),
];

const SWITCHES: readonly HostileAnswer[] = [
  refused({
    name: '101 that nobody asked for',
    rfc: '9110 §15.2.2',
    why: 'a tunnel past the proxy',
    pieces: one('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw'),
  }),
  refused({
    name: '101 to h2c',
    rfc: '9113 §3.1',
    why: 'the same',
    pieces: one(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI',
    ),
  }),
  refused({
    name: '101 without a protocol',
    rfc: '9110 §7.8',
    why: 'to what?',
    pieces: one('HTTP/1.1 101 Switching Protocols\r\n\r\nraw'),
  }),
  refused({
    name: 'an interim answer with a length',
    rfc: '9112 §6.3',
    why: 'interim answers have no body',
    pieces: one(`HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\nabc${OK}`),
  }),
  refused({
    name: 'an interim answer that closes',
    rfc: '9110 §15.2',
    why: 'a final one can not follow',
    pieces: one(`HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n${OK}`),
  }),
  whole(
    { body: 'ok' },
    {
      name: 'three interim answers',
      rfc: '9110 §15.2',
      why: 'a client must be able to read several',
      pieces: ['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(3), OK],
    },
  ),
  refused({
    name: 'interim answers without end',
    rfc: '9110 §15.2',
    why: 'they keep every timer from running out, and fill the memory of a client that does not read',
    pieces: one('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(5_000)),
  }),
];

export interface AnswerGroup {
  readonly title: string;
  readonly cases: readonly HostileAnswer[];
}

/** The catalogue, as the tables of the document have it. */
export const ANSWER_GROUPS: readonly AnswerGroup[] = [
  { title: 'Answers: where they end', cases: FRAMES },
  { title: 'Answers: chunks and trailers', cases: CHUNKS },
  { title: 'Answers: heads', cases: HEADS },
  { title: 'Answers: interim ones and switches', cases: SWITCHES },
];

/** The same, in one list. */
export const ANSWER_CASES: readonly HostileAnswer[] = ANSWER_GROUPS.flatMap(({ cases }) => cases);
