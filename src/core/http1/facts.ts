/**
 * The few fields that the codec itself acts upon, gathered in one pass over a head.
 *
 * Repeated lines are joined by a comma, as RFC 9110 section 5.3 lets a recipient do. The rules that
 * want exactly one line (`Host`, `Content-Length`, `Transfer-Encoding`) need no counting then: no
 * valid single value of theirs contains a comma.
 */
import type { Fields } from '../message.ts';

/** Values by field; null where the field is absent. */
export interface Facts {
  host: string | null;
  expect: string | null;
  upgrade: string | null;
  connection: string | null;
  contentLength: string | null;
  transferEncoding: string | null;
}

/** Gathers the facts of a head. */
export function gatherFacts(fields: Fields): Facts {
  const facts: Facts = {
    host: null,
    expect: null,
    upgrade: null,
    connection: null,
    contentLength: null,
    transferEncoding: null,
  };
  for (const field of fields) {
    const key = keyOf(field[0]);
    if (key !== null) facts[key] = join(facts[key], field[1]);
  }
  return facts;
}

/** True if a comma-separated list has the member, given in lower case. */
export function listHas(list: string | null, member: string): boolean {
  if (list === null || list.length < member.length) return false;
  const lower = list.toLowerCase();
  if (lower === member) return true;
  return lower.includes(',') && lower.split(',').some((part) => part.trim() === member);
}

/** Which fact a field holds. Lengths first: few names are worth lowering. */
function keyOf(name: string): keyof Facts | null {
  switch (name.length) {
    case 4:
      return name.toLowerCase() === 'host' ? 'host' : null;
    case 6:
      return name.toLowerCase() === 'expect' ? 'expect' : null;
    case 7:
      return name.toLowerCase() === 'upgrade' ? 'upgrade' : null;
    case 10:
      return name.toLowerCase() === 'connection' ? 'connection' : null;
    case 14:
      return name.toLowerCase() === 'content-length' ? 'contentLength' : null;
    case 17:
      return name.toLowerCase() === 'transfer-encoding' ? 'transferEncoding' : null;
    default:
      return null;
  }
}

function join(before: string | null, value: string): string {
  return before === null ? value : `${before}, ${value}`;
}
