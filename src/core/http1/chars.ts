/**
 * Character classes of HTTP/1.1 as tables of 256 entries, for the tight loops of the codec
 * (RFC 9110 section 5.6.2 for tokens, section 5.5 for field content).
 */

/** Carriage return. */
export const CR = 0x0d;
/** Line feed. */
export const LF = 0x0a;
/** Space. */
export const SP = 0x20;
/** Horizontal tab. */
export const HTAB = 0x09;

const TOKEN_MARKS = "!#$%&'*+-.^_`|~";

/** 1 for the characters of a token: names of methods, fields, codings and chunk extensions. */
export const TOKEN: Uint8Array = table(
  (code) => isAlphanumeric(code) || TOKEN_MARKS.includes(String.fromCharCode(code)),
);

/** 1 for what may stand inside a line: HTAB, SP, visible characters and obs-text; no other control. */
export const TEXT: Uint8Array = table(
  (code) => code === HTAB || (code >= SP && code !== 0x7f && code <= 0xff),
);

/** 1 for what may stand in a request target: visible ASCII, without the fragment mark. */
export const TARGET: Uint8Array = table((code) => code > SP && code < 0x7f && code !== 0x23);

/** The value of a hexadecimal digit, 255 for every other byte. */
export const HEX: Uint8Array = hexTable();

/** True if every character of the text is in the class; the empty text is in every class. */
export function isAll(characters: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    if (characters[text.charCodeAt(i)] !== 1) return false;
  }
  return true;
}

/** True for a token: one or more token characters. */
export function isToken(text: string): boolean {
  return text !== '' && isAll(TOKEN, text);
}

function isAlphanumeric(code: number): boolean {
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x7a);
}

function table(has: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (has(code) ? 1 : 0));
}

function hexTable(): Uint8Array {
  const digits = '0123456789abcdef';
  return Uint8Array.from({ length: 256 }, (_, code) => {
    const value = digits.indexOf(String.fromCharCode(code).toLowerCase());
    return value < 0 ? 255 : value;
  });
}
