/**
 * Field lines: `name ":" OWS value OWS` (RFC 9112 section 5).
 *
 * Refused are names that are no token, and with them white space before the colon (section 5.1) and
 * line folding (section 5.2), which starts a line with white space.
 */

import { FIELDS_MAX } from '../limits.ts';
import type { Field } from '../message.ts';
import { CR, HTAB, SP, TOKEN } from './chars.ts';
import { nameOf } from './names.ts';
import { refuse } from './refusal.ts';
import type { Section } from './section.ts';
import type { CodecError } from './types.ts';

const COLON = 0x3a;

/** Reads the field lines of a section, from `from` on in its text. */
export function parseFieldLines(section: Section, from: number): Field[] | CodecError {
  const { text, bytes, base } = section;
  const fields: Field[] = [];
  let at = from;
  while (at < text.length) {
    let colon = at;
    let mix = 0;
    for (;;) {
      const byte = bytes[base + colon] as number;
      if (TOKEN[byte] !== 1) break;
      mix = (mix * 31 + byte) | 0;
      colon += 1;
    }
    if (colon === at || bytes[base + colon] !== COLON) {
      return refuse('bad_field', 'a field line is a token, a colon and a value (RFC 9112, 5)');
    }
    if (fields.length === FIELDS_MAX) {
      return refuse('head_too_large', `more than ${FIELDS_MAX} field lines`);
    }
    // The section holds no CR but those of its line ends, and ends in one.
    let end = colon + 1;
    while (bytes[base + end] !== CR) end += 1;
    const next = end + 2;
    let start = colon + 1;
    while (isOws(bytes[base + start])) start += 1;
    while (end > start && isOws(bytes[base + end - 1])) end -= 1;
    const name = nameOf(bytes, base + at, base + colon, mix);
    fields.push([name, text.slice(start, end)]);
    at = next;
  }
  return fields;
}

function isOws(byte: number | undefined): boolean {
  return byte === SP || byte === HTAB;
}
