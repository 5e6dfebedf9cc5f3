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
/** An end as short as this occurs in a body by chance now and then only, whatever it is made of. */
const CREDENTIAL_END_BYTES_MIN = 8;

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
export function bodyIncludes(body: readonly Buffer[], text: string): boolean {
  const needle = Buffer.from(text, 'latin1');
  const rare = rarestPlace(needle);
  const overlap = needle.length - 1;
  let tail = NOTHING;
  for (const [index, piece] of body.entries()) {
    if (includes(piece, needle, rare)) return true;
    if (tail.length > 0) {
      const seam = Buffer.concat([tail, piece.subarray(0, overlap)]);
      if (includes(seam, needle, rare)) return true;
    }
    if (index === body.length - 1) break;
    tail =
      piece.length >= overlap
        ? piece.subarray(piece.length - overlap)
        : lastBytes(Buffer.concat([tail, piece]), overlap);
  }
  return false;
}

/**
 * True if the needle lies in the bytes. Its end is looked for from its rarest byte on: a search goes from one
 * occurrence of the first byte to the next, at the speed of memory where there are few.
 */
function includes(bytes: Buffer, needle: Buffer, rare: number): boolean {
  const end = needle.subarray(rare);
  for (let at = bytes.indexOf(end, rare); at >= 0; at = bytes.indexOf(end, at + 1)) {
    if (bytes.compare(needle, 0, rare, at - rare, at) === 0) return true;
  }
  return false;
}

/** What JSON, prose and code are made of, the most frequent first. */
const FREQUENT = Buffer.from(' etaoinsrlhdcumpfgybw,."\\vk:_-0/1()2{}[]3=xj45T689S7');

/** How rare each byte is; what is not among the frequent ones is rarer than they are. */
const RARITY = new Uint8Array(256).fill(FREQUENT.length);
for (const [rank, byte] of FREQUENT.entries()) RARITY[byte] = rank;

/** The place of the rarest byte of the needle that leaves enough behind it to be looked for. */
function rarestPlace(needle: Buffer): number {
  let best = 0;
  for (let at = 1; at <= needle.length - CREDENTIAL_END_BYTES_MIN; at += 1) {
    if (rarity(needle, at) > rarity(needle, best)) best = at;
  }
  return best;
}

function rarity(needle: Buffer, at: number): number {
  return RARITY[needle[at] as number] as number;
}

function lastBytes(bytes: Buffer, count: number): Buffer {
  return bytes.length <= count ? bytes : bytes.subarray(bytes.length - count);
}
