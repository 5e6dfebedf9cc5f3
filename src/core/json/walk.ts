/**
 * Positions of the members of an object and the entries of an array, in bytes that are known to be
 * well-formed between strings (the scanner has read them). Makes no values and copies nothing.
 */
import { stringEnd } from './strings.ts';

/** A half-open range of bytes. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** One member of an object: its range runs from the quote of its key to the end of its value. */
export interface Member extends Range {
  /** The key as spelt, quotes included. */
  readonly key: string;
  readonly value: Range;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * The members of a well-formed object, given with its braces, in order.
 *
 * @param text the same bytes as latin1
 */
export function membersOf(object: Buffer, text: string = object.toString('latin1')): Member[] {
  const members: Member[] = [];
  let i = skipTo(object, 1);
  while (i < object.length && object[i] !== CLOSE_BRACE) {
    const start = i;
    const keyEnd = valueEnd(object, text, start);
    const valueStart = skipTo(object, keyEnd);
    const end = valueEnd(object, text, valueStart);
    const key = object.toString('utf8', start, keyEnd);
    members.push({ start, end, key, value: { start: valueStart, end } });
    i = skipTo(object, end);
  }
  return members;
}

/**
 * The entries of a well-formed array, given with its brackets, in order.
 *
 * @param text the same bytes as latin1
 */
export function entriesOf(array: Buffer, text: string = array.toString('latin1')): Range[] {
  const entries: Range[] = [];
  let i = skipTo(array, 1);
  while (i < array.length && array[i] !== CLOSE_BRACKET) {
    const end = valueEnd(array, text, i);
    entries.push({ start: i, end });
    i = skipTo(array, end);
  }
  return entries;
}

/** The next byte that begins a key or value, or closes a container: past space, commas and colons. */
function skipTo(bytes: Buffer, from: number): number {
  let i = from;
  for (; i < bytes.length; i += 1) {
    const byte = bytes[i] as number;
    if (byte > 0x20 && byte !== COMMA && byte !== COLON) break;
  }
  return i;
}

/** The index behind the value that begins at `start`. */
function valueEnd(bytes: Buffer, text: string, start: number): number {
  let depth = 0;
  let i = start;
  while (i < bytes.length) {
    const byte = bytes[i] as number;
    if (byte === QUOTE) {
      i = stringEnd(bytes, text, i + 1) + 1;
      if (i === 0) return bytes.length;
      if (depth === 0) return i;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    i += 1;
    if (depth === 0 && endsHere(bytes, byte, i)) return i;
  }
  return i;
}

/** Outside every container: a bracket just closed, or the last byte of a number or word was read. */
function endsHere(bytes: Buffer, byte: number, next: number): boolean {
  if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) return true;
  const following = bytes[next];
  return (
    following === undefined ||
    following <= 0x20 ||
    following === COMMA ||
    following === CLOSE_BRACE ||
    following === CLOSE_BRACKET
  );
}
