/**
 * How long a message is (RFC 9112 section 6), and whether the connection outlives it (section 9.3).
 *
 * Where the RFC lets a recipient mend a doubtful length, this refuses: two readers that mend it
 * differently see different messages (section 11.2).
 */
import type { Framing } from '../message.ts';
import { isToken } from './chars.ts';
import { type Facts, listHas } from './facts.ts';
import { refuse } from './refusal.ts';
import type { CodecError } from './types.ts';

const NONE: Framing = Object.freeze({ kind: 'none' });
const CHUNKED: Framing = Object.freeze({ kind: 'chunked' });
const CLOSE: Framing = Object.freeze({ kind: 'close' });

/** Digits without a needless zero in front: some readers take such a number for octal. */
const LENGTH = /^(?:0|[1-9][0-9]{0,15})$/;

/** The framing of a request: without one of the two fields it has no body (section 6.3, 7). */
export function requestFraming(
  method: string,
  version: '1.0' | '1.1',
  facts: Facts,
): Framing | CodecError {
  if (facts.contentLength === null && facts.transferEncoding === null) return NONE;
  if (method === 'CONNECT') {
    return refuse('bad_framing', 'a CONNECT request has no content (RFC 9110, 9.3.6)');
  }
  return declaredFraming(version, facts);
}

/** The framing of an answer to a request with that method (section 6.3). */
export function responseFraming(
  method: string,
  version: '1.0' | '1.1',
  status: number,
  facts: Facts,
): Framing | CodecError {
  const declared =
    facts.contentLength === null && facts.transferEncoding === null
      ? null
      : declaredFraming(version, facts);
  if (declared !== null && 'code' in declared) return declared;
  // To be ignored there (RFC 9110, 9.3.6), as long as it is valid.
  if (method === 'CONNECT' && status >= 200 && status <= 299) return NONE;
  if (status < 200 || status === 204) {
    // Forbidden there (RFC 9110, 8.6; RFC 9112, 6.1); an honest zero is common and harms nobody.
    const isEmpty = declared === null || (declared.kind === 'length' && declared.length === 0);
    return isEmpty ? NONE : refuse('bad_framing', `a length with status ${status}`);
  }
  if (status === 304 || method === 'HEAD') return NONE;
  return declared ?? CLOSE;
}

/** Whether the sender keeps the connection open after the message (section 9.3). */
export function isKeptAlive(version: '1.0' | '1.1', facts: Facts): boolean {
  if (facts.connection === null) return version === '1.1';
  if (listHas(facts.connection, 'close')) return false;
  return version === '1.1' || listHas(facts.connection, 'keep-alive');
}

function declaredFraming(version: '1.0' | '1.1', facts: Facts): Framing | CodecError {
  const { contentLength, transferEncoding } = facts;
  if (transferEncoding === null) return lengthFraming(contentLength ?? '');
  if (contentLength !== null) {
    return refuse('bad_framing', 'both Content-Length and Transfer-Encoding (RFC 9112, 6.1)');
  }
  if (version === '1.0') {
    return refuse('bad_framing', 'Transfer-Encoding in HTTP/1.0 (RFC 9112, 6.1)');
  }
  if (transferEncoding.toLowerCase() === 'chunked') return CHUNKED;
  return otherCoding(transferEncoding);
}

function lengthFraming(value: string): Framing | CodecError {
  const length = LENGTH.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(length)) {
    return refuse('bad_framing', 'Content-Length is not one plain number (RFC 9112, 6.3)');
  }
  return { kind: 'length', length };
}

/** Not exactly `chunked`: a coding that nobody here knows, or no list of codings at all. */
function otherCoding(value: string): CodecError {
  const codings = value.split(',').map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''));
  const isUnknown =
    codings.every(isToken) && codings.some((coding) => coding.toLowerCase() !== 'chunked');
  return isUnknown
    ? refuse('coding_unsupported', 'a transfer coding other than chunked (RFC 9112, 6.1)')
    : refuse('bad_framing', 'Transfer-Encoding is not exactly chunked (RFC 9112, 6.1)');
}
