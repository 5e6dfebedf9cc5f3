/**
 * Writes heads and the chunked coding (RFC 9112 sections 3, 4, 5 and 7.1).
 *
 * Every part is checked against its character class before a byte is made: a value with a CR, LF or
 * NUL, or with a character above U+00FF that would become one as latin1, throws instead of splitting
 * the message. The writer decides nothing: framing fields are the caller's.
 */
import assert from 'node:assert/strict';
import type { Fields } from '../message.ts';
import { isTargetText, isText, isToken } from './chars.ts';

const CRLF: Buffer = Buffer.from('\r\n', 'latin1');
const LAST_CHUNK_WITHOUT_TRAILERS: Buffer = Buffer.from('0\r\n\r\n', 'latin1');

/**
 * The head of an HTTP/1.1 request.
 *
 * @throws AssertionError where a part holds what may not stand there
 */
export function encodeRequestHead(method: string, target: string, fields: Fields): Buffer {
  assert(isToken(method), 'the method is not a token');
  assert(isTargetText(target), 'the target is not visible ASCII');
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${fieldLines(fields)}\r\n`, 'latin1');
}

/**
 * The head of an HTTP/1.1 answer.
 *
 * @throws AssertionError where a part holds what may not stand there
 */
export function encodeResponseHead(status: number, reason: string, fields: Fields): Buffer {
  assert(Number.isInteger(status) && status >= 100 && status <= 999, 'the status is no status');
  assert(isText(reason), 'the reason holds a control character');
  return Buffer.from(`HTTP/1.1 ${status} ${reason}\r\n${fieldLines(fields)}\r\n`, 'latin1');
}

/** One chunk around the data, which is not copied; nothing where there is none. */
export function encodeChunk(data: readonly Buffer[]): Buffer[] {
  let length = 0;
  for (const piece of data) length += piece.length;
  // A chunk of size zero would end the body (section 7.1).
  if (length === 0) return [];
  return [Buffer.from(`${length.toString(16)}\r\n`, 'latin1'), ...data, CRLF];
}

/**
 * The end of a chunked body.
 *
 * @throws AssertionError where a trailer holds what may not stand there
 */
export function encodeLastChunk(trailers: Fields): Buffer {
  if (trailers.length === 0) return LAST_CHUNK_WITHOUT_TRAILERS;
  return Buffer.from(`0\r\n${fieldLines(trailers)}\r\n`, 'latin1');
}

function fieldLines(fields: Fields): string {
  let lines = '';
  for (const field of fields) {
    assert(isToken(field[0]), 'a field name is not a token');
    assert(isText(field[1]), 'a field value holds a control character');
    lines += `${field[0]}: ${field[1]}\r\n`;
  }
  return lines;
}
