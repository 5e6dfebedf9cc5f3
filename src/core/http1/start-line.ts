/**
 * Start lines (RFC 9112 sections 3 and 4): single spaces, a known version, nothing else.
 */

import { isTargetText, SP } from './chars.ts';
import { isMethod } from './methods.ts';
import { refuse } from './refusal.ts';
import type { CodecError } from './types.ts';

export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
}

export interface StatusLine {
  readonly version: '1.0' | '1.1';
  readonly status: number;
  readonly reason: string;
}

const VERSION_LENGTH = 'HTTP/1.1'.length;
const ANY_VERSION = /^HTTP\/[0-9]\.[0-9]$/;
const STATUS = /^[1-9][0-9]{2}$/;
/** Characters of an authority without userinfo, which is refused (RFC 9110 section 4.2.4). */
const AUTHORITY = /^[\w.~!$&'()*+,;=%:[\]-]+$/;
/** Of an absolute-form target: any scheme, so that it is the owner who says which it serves. */
const ABSOLUTE = /^[A-Za-z]+:\/\/[\w.~!$&'()*+,;=%:[\]-]+(?:[/?]|$)/;

/** Reads a request line, given without its CRLF. */
export function parseRequestLine(line: string): RequestLine | CodecError {
  const methodEnd = line.indexOf(' ');
  const targetEnd = line.indexOf(' ', methodEnd + 1);
  if (methodEnd <= 0 || targetEnd <= methodEnd + 1) {
    return refuse('bad_start_line', 'a request line is method, target, version (RFC 9112, 3)');
  }
  const version = parseVersion(line.slice(targetEnd + 1));
  if (typeof version !== 'string') return version;
  const method = line.slice(0, methodEnd);
  if (!isMethod(method)) {
    return refuse('bad_start_line', 'the method is not a registered one (RFC 9110, 9.1)');
  }
  const target = line.slice(methodEnd + 1, targetEnd);
  if (!isTarget(method, target)) {
    return refuse('bad_start_line', 'the request target is not valid (RFC 9112, 3.2)');
  }
  return { method, target, version };
}

/** Reads a status line, given without its CRLF. */
export function parseStatusLine(line: string): StatusLine | CodecError {
  const version = parseVersion(line.slice(0, VERSION_LENGTH));
  if (typeof version !== 'string') return version;
  const status = line.slice(VERSION_LENGTH + 1, VERSION_LENGTH + 4);
  const after = line.charCodeAt(VERSION_LENGTH + 4);
  const isSpaced = line.charCodeAt(VERSION_LENGTH) === SP && (after === SP || Number.isNaN(after));
  if (!isSpaced || !STATUS.test(status)) {
    return refuse('bad_start_line', 'a status line is version, status, reason (RFC 9112, 4)');
  }
  return { version, status: Number(status), reason: line.slice(VERSION_LENGTH + 5) };
}

function parseVersion(text: string): '1.0' | '1.1' | CodecError {
  if (text === 'HTTP/1.1') return '1.1';
  if (text === 'HTTP/1.0') return '1.0';
  return ANY_VERSION.test(text)
    ? refuse('version_unsupported', 'only HTTP/1.0 and HTTP/1.1 are spoken here (RFC 9112, 2.3)')
    : refuse('bad_start_line', 'the version is not valid (RFC 9112, 2.3)');
}

/**
 * The four forms (section 3.2) by their first characters. Authorities are read by those who use
 * them; here a target only has to be of a form that fits its method.
 */
function isTarget(method: string, target: string): boolean {
  if (!isTargetText(target)) return false;
  if (method === 'CONNECT') return AUTHORITY.test(target);
  if (target.startsWith('/')) return true;
  if (target === '*') return method === 'OPTIONS';
  return ABSOLUTE.test(target);
}
