/**
 * A credential as a type: it prints as `[redacted]` wherever it could be printed, and its value is
 * reached only through `reveal`. Only `lanes` imports that, for the key of a keyed lane, and one
 * place of the command line, for the token that `run` and `env` put into the proxy's address; a test
 * holds the rest of the program to it.
 */
import { CREDENTIAL_CHARS_MIN } from './limits.ts';

const VALUES = new WeakMap<Secret, string>();
const REDACTED = '[redacted]';
const ESCAPED_IN_JSON = /["\\]/;

/** A credential that does not show itself. Made by `Secret.of`. */
export class Secret {
  /** Wraps a value. The value must not be empty. */
  static of(value: string): Secret {
    if (value === '') throw new RangeError('a secret must not be empty');
    const secret = new Secret();
    VALUES.set(secret, value);
    return secret;
  }

  /** True if the value occurs anywhere in the text. */
  isIn(text: string): boolean {
    return text.includes(reveal(this));
  }

  /**
   * The text with the value as `[redacted]` wherever it stands, as it is or escaped for JSON. A value
   * shorter than CREDENTIAL_CHARS_MIN stays, since it occurs by chance.
   */
  hiddenIn(text: string): string {
    const value = reveal(this);
    // Escaped it is longer still.
    if (value.length < CREDENTIAL_CHARS_MIN || text.length < value.length) return text;
    const plain = text.includes(value) ? text.replaceAll(value, REDACTED) : text;
    if (!ESCAPED_IN_JSON.test(value)) return plain;
    return plain.replaceAll(JSON.stringify(value).slice(1, -1), REDACTED);
  }

  /** True if the value is exactly this text; takes the same time wherever they differ. */
  equals(text: string): boolean {
    const value = reveal(this);
    let difference = value.length ^ text.length;
    for (let i = 0; i < text.length; i += 1) {
      difference |= text.charCodeAt(i) ^ value.charCodeAt(i % value.length);
    }
    return difference === 0;
  }

  /** True if both hold the same value. */
  isSame(other: Secret): boolean {
    return this.equals(reveal(other));
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

/** The value itself: for the transport of the lane that owns it, and nobody else. */
export function reveal(secret: Secret): string {
  const value = VALUES.get(secret);
  if (value === undefined) throw new TypeError('not a secret made by Secret.of');
  return value;
}
