/**
 * Which connections a request may use: a digest over the credentials it carries. Two requests share
 * a connection only if lane and credentials are the same (invariant 1 of docs/architecture.md).
 *
 * The digest is salted for this process, so that an identity that is logged can not be tried against
 * guessed keys.
 */
import { hash, randomBytes } from 'node:crypto';
import { lowerName } from '../core/fields.ts';
import type { Fields } from '../core/message.ts';

/** Fields whose values are credentials towards an upstream (in lower case). */
export const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'x-api-key',
  'cookie',
  'proxy-authorization',
]);

const SALT = randomBytes(16).toString('hex');
const DIGEST_CHARS = 32;

/** The identity of a request: the lane's name and a digest, never a credential. */
export function identityOf(lane: string, fields: Fields): string {
  let material = SALT;
  for (const field of fields) {
    const lower = lowerName(field[0]);
    // The line end can not occur in a field, so that no two lists give the same material.
    if (CREDENTIAL_FIELDS.has(lower)) material += `\n${lower}:${field[1]}`;
  }
  return `${lane}/${hash('sha256', material, 'hex').slice(0, DIGEST_CHARS)}`;
}
