/**
 * Trailer fields of a chunked body (RFC 9112 section 7.1.2, RFC 9110 section 6.5).
 *
 * A trailer that a recipient might merge into the head could frame, route or authenticate the message
 * after that has been decided: such names are refused, not dropped, since what passes through here is
 * passed on byte for byte.
 */
import type { Fields } from '../message.ts';
import { parseFieldLines } from './field-lines.ts';
import { isRefusal, refuse } from './refusal.ts';
import type { Section } from './section.ts';
import type { CodecError } from './types.ts';

const FORBIDDEN: ReadonlySet<string> = new Set([
  // framing and coding
  'content-length',
  'transfer-encoding',
  'content-encoding',
  'content-type',
  'content-range',
  'trailer',
  // routing and request modifiers
  'host',
  'expect',
  'max-forwards',
  'range',
  'cache-control',
  // credentials, also the API's own
  'authorization',
  'proxy-authorization',
  'proxy-authenticate',
  'www-authenticate',
  'x-api-key',
  'cookie',
  'set-cookie',
  // the connection
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'upgrade',
]);

/** Reads a trailer section. */
export function parseTrailers(section: Section): Fields | CodecError {
  const fields = parseFieldLines(section, 0);
  if (isRefusal(fields)) return refuse('bad_trailer', fields.detail);
  for (const [name] of fields) {
    if (FORBIDDEN.has(name.toLowerCase())) {
      return refuse('bad_trailer', 'a field that may not be a trailer (RFC 9110, 6.5.1)');
    }
  }
  return fields;
}
