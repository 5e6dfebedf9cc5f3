/**
 * Finding the end of a JSON string in bytes, and reading one.
 *
 * UTF-8 never uses the bytes of `"` and `\` for anything else, so a string is skipped without
 * decoding: to a quote with an even number of backslashes before it.
 */

const BACKSLASH = 0x5c;

/**
 * The index of the quote that closes a string, or -1 where it is not in these bytes.
 *
 * @param text the same bytes as latin1: searching a string for a character costs a quarter of a call
 *   into `Buffer.indexOf`, which pays for the copy where quotes are as close as they are in JSON
 * @param from an index within the string that is not behind an unfinished escape
 */
export function stringEnd(bytes: Buffer, text: string, from: number): number {
  let start = from;
  for (;;) {
    const quote = text.indexOf('"', start);
    if (quote < 0 || bytes[quote - 1] !== BACKSLASH) return quote;
    if (!oddBackslashes(bytes, start, quote)) return quote;
    start = quote + 1;
  }
}

/** True if `bytes[from..to)` ends in an odd number of backslashes, so that the next byte is escaped. */
export function oddBackslashes(bytes: Buffer, from: number, to: number): boolean {
  let i = to;
  while (i > from && bytes[i - 1] === BACKSLASH) i -= 1;
  return ((to - i) & 1) === 1;
}

/** True if there is a backslash in `bytes[from..to)`; for short pieces. */
export function hasBackslash(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i += 1) if (bytes[i] === BACKSLASH) return true;
  return false;
}

/**
 * The text of a string, given with its quotes, that is printable ASCII without an escape and means
 * itself; null for any other, which needs `parseString`.
 */
export function plainText(quoted: Buffer): string | null {
  const end = quoted.length - 1;
  for (let i = 1; i < end; i += 1) {
    const byte = quoted[i] as number;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return null;
  }
  return quoted.toString('latin1', 1, end);
}

/** The text of a string, given with its quotes; null where an escape or a character is not valid. */
export function parseString(quoted: string): string | null {
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}
