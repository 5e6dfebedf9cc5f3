/**
 * Character classes of HTTP/1.1 as tables of 256 entries for loops over bytes, and as tests of strings
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

/** The value of a hexadecimal digit, 255 for every other byte. */
export const HEX: Uint8Array = hexTable();

// The same classes over strings. Here expressions beat loops over a table by two to one.
const TOKEN_TEXT = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NO_TEXT = /[^\t\x20-\x7e\x80-\xff]/;
const TARGET_TEXT = /^[\x21\x22\x24-\x7e]+$/;

/** True for a token: one or more token characters. */
export function isToken(text: string): boolean {
  return TOKEN_TEXT.test(text);
}

/** True for what may stand inside a line, one character a byte; also for the empty text. */
export function isText(text: string): boolean {
  return !NO_TEXT.test(text);
}

/** True for one or more characters of a request target: visible ASCII without the fragment mark. */
export function isTargetText(text: string): boolean {
  return TARGET_TEXT.test(text);
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
