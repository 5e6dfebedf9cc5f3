/**
 * Field lines: `name ":" OWS value OWS` (RFC 9112 section 5).
 *
 * Refused are names that are no token, and with them white space before the colon (section 5.1) and
 * line folding (section 5.2), which starts a line with white space.
 */

import { FIELDS_MAX } from '../limits.ts';
import type { Field } from '../message.ts';
import { HTAB, SP, TOKEN } from './chars.ts';
import { refuse } from './refusal.ts';
import type { CodecError } from './types.ts';

const COLON = 0x3a;

/** Reads the lines of a section, each ended by CRLF, from `from` on. */
export function parseFieldLines(text: string, from: number): Field[] | CodecError {
  const fields: Field[] = [];
  let at = from;
  while (at < text.length) {
    let colon = at;
    while (TOKEN[text.charCodeAt(colon)] === 1) colon += 1;
    if (colon === at || text.charCodeAt(colon) !== COLON) {
      return refuse('bad_field', 'a field line is a token, a colon and a value (RFC 9112, 5)');
    }
    if (fields.length === FIELDS_MAX) {
      return refuse('head_too_large', `more than ${FIELDS_MAX} field lines`);
    }
    const end = text.indexOf('\r\n', colon);
    fields.push([text.slice(at, colon), trimmed(text, colon + 1, end)]);
    at = end + 2;
  }
  return fields;
}

/** The text between two positions without surrounding OWS; `trim` would take NBSP too. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isOws(text.charCodeAt(start))) start += 1;
  while (end > start && isOws(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isOws(code: number): boolean {
  return code === SP || code === HTAB;
}
