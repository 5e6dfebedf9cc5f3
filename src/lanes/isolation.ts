/**
 * The last look before a request leaves (invariant 1 of docs/architecture.md): no field may carry
 * another lane's secret, and nothing on a keyed lane may carry a credential of the client.
 *
 * The search is for the literal value: a value that was encoded or split on purpose is not found, as
 * the client already has whatever it could hide. What a keyed lane sends is built from an empty set
 * anyway; this check proves it on every request.
 *
 * The body of a keyed request is searched too, for credentials long enough not to occur by chance:
 * an agent that has read a file with its own keys would otherwise hand them to another provider. A
 * passthrough body is not searched: it is the client's own and goes where it was going anyway.
 */
import { lowerName } from '../core/fields.ts';
import { CREDENTIAL_CHARS_MIN, CREDENTIAL_IN_BODY_CHARS_MIN } from '../core/limits.ts';
import type { Fields } from '../core/message.ts';
import { reveal, type Secret } from '../core/secret.ts';
import { CREDENTIAL_FIELDS } from './identity.ts';
import { IsolationError } from './lane.ts';

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Refuses a head that holds a secret of another lane, in its target, a name or a value.
 *
 * @throws IsolationError naming the field, never a value
 */
export function assertNoForeignSecret(
  lane: string,
  target: string,
  fields: Fields,
  foreign: readonly Secret[],
): void {
  for (const secret of foreign) {
    if (secret.isIn(target)) throw new IsolationError(lane, 'the request target');
    for (const field of fields) {
      if (secret.isIn(field[0])) throw new IsolationError(lane, 'a field name');
      if (!secret.isIn(field[1])) continue;
      // A name that holds a secret, this one or another, can not be shown.
      const isShown = !foreign.some((each) => each.isIn(field[0]));
      throw new IsolationError(lane, isShown ? `the field ${field[0]}` : 'a field name');
    }
  }
}

/**
 * The credentials in a client's request: the token behind a scheme, and the whole value where there is
 * none. Where the token is too short to be looked for in a body, the value stands beside it.
 */
export function clientCredentials(fields: Fields): string[] {
  const found = new Set<string>();
  for (const [name, value] of fields) {
    if (!CREDENTIAL_FIELDS.has(lowerName(name))) continue;
    const token = /^[^ ]+ +(.+)$/.exec(value)?.[1];
    if (token === undefined || token.length < CREDENTIAL_IN_BODY_CHARS_MIN) found.add(value);
    if (token !== undefined) found.add(token);
  }
  return [...found].filter((credential) => credential.length >= CREDENTIAL_CHARS_MIN);
}

/**
 * Refuses a keyed request that holds a credential of the client.
 *
 * @param own the lane's own secret: a client that uses the same key betrays nothing
 * @param fields what leaves, without the lane's own credential
 * @throws IsolationError naming the place, never a value
 */
export function assertNoClientCredential(
  lane: string,
  own: Secret,
  credentials: readonly string[],
  request: { target: string; fields: Fields; body: readonly Buffer[] },
): void {
  for (const credential of credentials) {
    if (reveal(own) === credential || credential.endsWith(` ${reveal(own)}`)) continue;
    if (request.target.includes(credential)) throw new IsolationError(lane, 'the request target');
    for (const [name, value] of request.fields) {
      if (value.includes(credential)) throw new IsolationError(lane, `the field ${name}`);
    }
    if (credential.length < CREDENTIAL_IN_BODY_CHARS_MIN) continue;
    if (bodyIncludes(request.body, credential)) throw new IsolationError(lane, 'the body', 'body');
  }
}

/** True if the text lies in the pieces, also across their borders. */
function bodyIncludes(body: readonly Buffer[], text: string): boolean {
  const needle = Buffer.from(text, 'latin1');
  const overlap = needle.length - 1;
  let tail = NOTHING;
  for (const [index, piece] of body.entries()) {
    if (piece.includes(needle)) return true;
    if (tail.length > 0) {
      const seam = Buffer.concat([tail, piece.subarray(0, overlap)]);
      if (seam.includes(needle)) return true;
    }
    if (index === body.length - 1) break;
    tail =
      piece.length >= overlap
        ? piece.subarray(piece.length - overlap)
        : lastBytes(Buffer.concat([tail, piece]), overlap);
  }
  return false;
}

function lastBytes(bytes: Buffer, count: number): Buffer {
  return bytes.length <= count ? bytes : bytes.subarray(bytes.length - count);
}
