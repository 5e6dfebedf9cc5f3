/**
 * Lookups and edits on raw field lists, and which fields are hop-by-hop (RFC 9110 section 7.6.1).
 *
 * Field names compare without case; everything is kept in the order it came.
 */
import { FIELD_NAME_CHARS_MAX, FIELD_NAMES_MAX } from './limits.ts';
import type { Field, Fields } from './message.ts';

/**
 * Fields that belong to one connection and are never forwarded: those of RFC 9110 section 7.6.1 and
 * the two that clients send to proxies. `Transfer-Encoding` and `Content-Length` are framing: the
 * writer of a head decides about them. `Trailer` stays: it describes what passes through.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'upgrade',
]);

/** Spellings seen, and how they read in lower case. */
const lowered = new Map<string, string>();

/**
 * A field name in lower case. The same few spellings come again and again, and lowering one costs
 * three times as much as finding it.
 */
export function lowerName(name: string): string {
  const known = lowered.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (name.length > FIELD_NAME_CHARS_MAX) return lower;
  if (lowered.size === FIELD_NAMES_MAX) lowered.clear();
  // A copy: the name may be a slice that holds its whole head in memory.
  lowered.set(Buffer.from(name, 'latin1').toString('latin1'), lower);
  return lower;
}

/** The value of the first field of that name (given in lower case), or undefined. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  for (const field of fields) {
    if (field[0].length === name.length && field[0].toLowerCase() === name) return field[1];
  }
  return undefined;
}

/** Where upstreams put their own id of a request: Anthropic, what speaks like it, Z.AI. */
const REQUEST_ID_FIELDS = ['request-id', 'x-request-id', 'x-log-id'] as const;

/** The upstream's own id of a request, by the fields of its answer, or null. */
export function requestIdOf(fields: Fields): string | null {
  for (const name of REQUEST_ID_FIELDS) {
    const value = fieldValue(fields, name);
    if (value !== undefined) return value;
  }
  return null;
}

/** All values of that name (given in lower case), in order. */
export function fieldValues(fields: Fields, name: string): string[] {
  const values: string[] = [];
  for (const field of fields) {
    if (field[0].length === name.length && field[0].toLowerCase() === name) values.push(field[1]);
  }
  return values;
}

/** The lower-cased members of a comma-separated list field, over all its lines (RFC 9110 section 5.6.1). */
export function listMembers(fields: Fields, name: string): string[] {
  const members: string[] = [];
  for (const value of fieldValues(fields, name)) {
    for (const part of value.split(',')) {
      const member = part.trim().toLowerCase();
      if (member !== '') members.push(member);
    }
  }
  return members;
}

/**
 * The fields that travel end to end: without the hop-by-hop ones and without those that `Connection`
 * names. Framing fields stay; a name listed in `Connection` can not remove them.
 */
export function endToEnd(fields: Fields): Field[] {
  const named = listMembers(fields, 'connection');
  const kept: Field[] = [];
  for (const field of fields) {
    const name = lowerName(field[0]);
    if (HOP_BY_HOP.has(name)) continue;
    if (named.length > 0 && named.includes(name) && !isFraming(name) && name !== 'host') continue;
    kept.push(field);
  }
  return kept;
}

/** True for the two fields that frame a message (given in lower case). */
export function isFraming(name: string): boolean {
  return name === 'content-length' || name === 'transfer-encoding';
}

/** The list without every field of that name (given in lower case). */
export function without(fields: Fields, name: string): Field[] {
  return fields.filter((field) => field[0].toLowerCase() !== name);
}
