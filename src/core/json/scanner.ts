/**
 * Finds a few top-level keys in a JSON object that is pushed in pieces of any size, without parsing
 * the whole: what the relay routes by and what the tap reads, at the speed of memory.
 *
 * It agrees with `JSON.parse`: keys and values may be written with escapes, of duplicate keys the
 * last wins, and a key at another depth or inside a string is none. One difference is meant: a
 * leading byte order mark is passed over (RFC 8259 section 8.1 lets a parser do so, and a decoder
 * that turns the bytes into text drops it).
 *
 * How strict it is: everything between strings follows the grammar of RFC 8259 to the letter, and
 * the root must be an object; strings are checked (control characters, escapes) only where they are
 * captured or are an escaped top-level key, since the others are skipped by native search. Bytes that
 * are no UTF-8 count as U+FFFD, as a decoder makes them. Deeper nesting than `JSON_DEPTH_MAX` fails.
 */
import assert from 'node:assert/strict';
import { isAscii } from '../ascii.ts';
import { JSON_DEPTH_MAX, KEY_VALUE_BYTES_MAX } from '../limits.ts';
import { ACTION, ACTIONS, STATE, TABLE } from './grammar.ts';
import { Keeper } from './keeper.ts';
import { hasBackslash, oddBackslashes, parseString, plainText, stringEnd } from './strings.ts';
import { loadPiece, PIECE_BYTES_MAX, quoteFrom, skipNested } from './vectors.ts';

/** The value of a captured key. */
export type JsonValue =
  | { readonly kind: 'string'; readonly value: string }
  /** A number, `true`, `false` or `null`, as it is spelt. */
  | { readonly kind: 'literal'; readonly text: string }
  /** The raw bytes, brackets included, as a copy; null where they are more than the bound. */
  | { readonly kind: 'object' | 'array'; readonly bytes: Buffer | null }
  /** A string or number longer than the bound, as it is spelt, quotes not counted. */
  | { readonly kind: 'too_long' };

export interface KeyScan {
  /** One whole top-level object came, and nothing but white space behind it. */
  readonly complete: boolean;
  /** The values read so far, the last of each key. To be trusted only where `complete`. */
  readonly values: ReadonlyMap<string, JsonValue>;
}

/** Top-level keys to look for, made once by `wantKeys`. */
export interface WantedKeys {
  readonly names: readonly string[];
  /** Longest spelling of one of them, every character as an escape. */
  readonly bytesMax: number;
}

/** Keys to look for: ASCII. */
export function wantKeys(...names: readonly string[]): WantedKeys {
  const longest = Math.max(0, ...names.map((name) => name.length));
  return { names, bytesMax: longest * UNIT_BYTES_MAX };
}

export interface KeyScannerOptions {
  /** Longest value that is captured, bytes as spelt; `KEY_VALUE_BYTES_MAX` if not given. */
  readonly valueBytesMax?: number;
  /** Keys of which only the places of their values are wanted: nothing is captured of them. */
  readonly placedOnly?: ReadonlySet<string>;
  /**
   * Told of every value of a wanted key, duplicates included, in order: where it begins and ends
   * (exclusive), counted over all bytes pushed.
   */
  readonly onValue?: (key: string, start: number, end: number, value: JsonValue) => void;
}

export interface KeyScanner {
  /** Takes the next bytes; they are not kept. Never throws, whatever they are. */
  push(bytes: Buffer): void;
  /** What is known, the text being at its end. */
  finish(): KeyScan;
  /** What is known so far. */
  readonly current: KeyScan;
}

/** A scanner for these top-level keys. */
export function createKeyScanner(keys: WantedKeys, options: KeyScannerOptions = {}): KeyScanner {
  return new Scanner(keys, options);
}

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
/** How much is looked at at once, so that a large piece does not double in memory. */
const WINDOW_BYTES = PIECE_BYTES_MAX;
/** From here on the search by vectors wins over turning the window into text (measured). */
const VECTOR_BYTES_MIN = 512;
/** A UTF-16 unit takes at most this many bytes in a JSON text: `\u0041`. */
const UNIT_BYTES_MAX = 6;

type Kept = 'nothing' | 'key' | 'value';

class Scanner implements KeyScanner {
  readonly #keys: WantedKeys;
  readonly #valueBytesMax: number;
  readonly #placedOnly: ReadonlySet<string> | undefined;
  readonly #onValue: KeyScannerOptions['onValue'];
  readonly #values = new Map<string, JsonValue>();

  #state: number = STATE.START;
  /** Of each open container, the state that follows a value in it. */
  readonly #stack: number[] = [];
  #inString = false;
  #inKey = false;
  #escaped = false;
  /** Bytes of the byte order mark that are passed, or its length once there can be none. */
  #marked = 0;
  /** The present window as latin1, for native search; null where it is searched by vectors. */
  #text: string | null = null;
  /** Bytes of earlier windows. */
  #offset = 0;

  readonly #keeper = new Keeper();
  #kept: Kept = 'nothing';
  /** Where the part of the kept token that lies in the present window begins. */
  #keptFrom = 0;
  /** The wanted key whose value comes, and where that value began, over all bytes. */
  #key = '';
  #valueStart = 0;
  #valueKind: 'string' | 'literal' | 'object' | 'array' = 'literal';
  /** How much of it is captured at most, its quotes included. */
  #captureBytesMax = 0;

  constructor(keys: WantedKeys, options: KeyScannerOptions) {
    this.#keys = keys;
    this.#valueBytesMax = options.valueBytesMax ?? KEY_VALUE_BYTES_MAX;
    this.#placedOnly = options.placedOnly;
    this.#onValue = options.onValue;
  }

  get current(): KeyScan {
    return { complete: this.#state === STATE.DONE, values: this.#values };
  }

  finish(): KeyScan {
    return this.current;
  }

  push(bytes: Buffer): void {
    for (let from = 0; from < bytes.length; from += WINDOW_BYTES) {
      if (this.#state === STATE.FAILED) return;
      this.#read(bytes.length <= WINDOW_BYTES ? bytes : bytes.subarray(from, from + WINDOW_BYTES));
    }
  }

  #read(bytes: Buffer): void {
    const length = bytes.length;
    if (length < VECTOR_BYTES_MIN) this.#text = bytes.toString('latin1');
    else loadPiece(bytes);
    let i = this.#marked < BYTE_ORDER_MARK.length ? this.#skipMark(bytes) : 0;
    if (this.#inString && i < length) i = this.#skipString(bytes, i);
    i = this.#skipNested(bytes, i);
    let state = this.#state;
    while (i < length) {
      const entry = TABLE[(state << 8) | (bytes[i] as number)] as number;
      if (entry < ACTION) {
        state = entry;
        i += 1;
        continue;
      }
      this.#state = state;
      i = this.#act(entry, bytes, i);
      state = this.#state;
    }
    this.#state = state;
    if (this.#kept !== 'nothing') {
      this.#keeper.add(bytes, this.#keptFrom, length);
      this.#keptFrom = 0;
    }
    this.#offset += length;
    this.#text = null;
  }

  /** Does what the table asks for at `bytes[i]`; gives back the index to go on at. */
  #act(action: number, bytes: Buffer, i: number): number {
    switch (action) {
      case ACTIONS.KEY:
        this.#inKey = true;
        if (this.#stack.length === 1) this.#keep('key', i + 1, this.#keys.bytesMax);
        return this.#skipString(bytes, i + 1);
      case ACTIONS.STRING:
        this.#inKey = false;
        return this.#skipString(bytes, i + 1);
      case ACTIONS.OPEN_OBJECT:
        this.#open(STATE.NEXT_IN_OBJECT, STATE.KEY_OR_END);
        return this.#skipNested(bytes, i + 1);
      case ACTIONS.OPEN_ARRAY:
        this.#open(STATE.NEXT_IN_ARRAY, STATE.VALUE_OR_END);
        return this.#skipNested(bytes, i + 1);
      case ACTIONS.CLOSE:
        this.#stack.pop();
        this.#valueEnd(bytes, i + 1);
        return i + 1;
      case ACTIONS.SCALAR_END:
        this.#valueEnd(bytes, i);
        return i;
      default:
        assert.equal(action, ACTIONS.CAPTURE);
        this.#capture(bytes, i);
        return i;
    }
  }

  #open(next: number, inside: number): void {
    if (this.#stack.length >= JSON_DEPTH_MAX) {
      this.#fail();
      return;
    }
    this.#stack.push(next);
    this.#state = inside;
  }

  /** Skips what is nested in a value of the top level, where vectors may do it; gives where to go on. */
  #skipNested(bytes: Buffer, from: number): number {
    if (this.#stack.length < 2 || this.#text !== null || from >= bytes.length) return from;
    const { at, state, string } = skipNested(from, bytes.length, this.#state, this.#stack);
    this.#state = state;
    if (state === STATE.FAILED) {
      this.#fail();
      return bytes.length;
    }
    if (string !== 'none') {
      this.#inKey = string === 'key';
      return this.#leaveString(bytes, at + 1);
    }
    if (this.#stack.length > 1) return at;
    this.#valueEnd(bytes, at + 1);
    return at + 1;
  }

  /** A value ended before `end`: a captured one is recorded, then its container goes on. */
  #valueEnd(bytes: Buffer, end: number): void {
    const depth = this.#stack.length;
    this.#state = depth === 0 ? STATE.DONE : (this.#stack[depth - 1] as number);
    if (depth === 1 && this.#kept === 'value') this.#record(bytes, end);
  }

  /** Skips to behind the string that `from` lies in, or to the end of the window. */
  #skipString(bytes: Buffer, from: number): number {
    const start = this.#escaped ? from + 1 : from;
    const text = this.#text;
    const end = text === null ? quoteFrom(start, bytes.length) : stringEnd(bytes, text, start);
    if (end < 0) return this.#leaveString(bytes, start);
    this.#escaped = false;
    this.#inString = false;
    if (this.#inKey) this.#keyEnd(bytes, end);
    else this.#valueEnd(bytes, end + 1);
    return end + 1;
  }

  /** The string that `from` lies in does not end in this window. */
  #leaveString(bytes: Buffer, from: number): number {
    this.#escaped = oddBackslashes(bytes, from, bytes.length);
    this.#inString = true;
    return bytes.length;
  }

  #keyEnd(bytes: Buffer, end: number): void {
    this.#state = STATE.COLON;
    if (this.#kept !== 'key') return;
    this.#kept = 'nothing';
    const name = this.#keyName(bytes, end);
    if (name === null) return;
    this.#key = name;
    this.#state = STATE.COLON_WANTED;
  }

  /** The wanted key that ends before `end`, or null where it is none. */
  #keyName(bytes: Buffer, end: number): string | null {
    const { names, bytesMax } = this.#keys;
    const keeper = this.#keeper;
    const inWindow = keeper.length === 0 && !keeper.overflowed;
    // Most keys are none of ours, and no string is made of them.
    if (inWindow) {
      const from = this.#keptFrom;
      for (const name of names) if (isAscii(name, bytes, from, end)) return name;
      if (!hasBackslash(bytes, from, Math.min(end, from + bytesMax))) return null;
    }
    const raw = this.#take(bytes, end, bytesMax);
    if (raw === null) return null;
    let name: string | null = raw.toString('utf8');
    if (hasBackslash(raw, 0, raw.length)) name = parseString(`"${name}"`);
    if (name === null) this.#fail();
    return name !== null && names.includes(name) ? name : null;
  }

  #capture(bytes: Buffer, i: number): void {
    const byte = bytes[i];
    this.#state = STATE.VALUE;
    this.#valueStart = this.#offset + i;
    if (byte === QUOTE) this.#valueKind = 'string';
    else if (byte === OPEN_BRACE) this.#valueKind = 'object';
    else if (byte === OPEN_BRACKET) this.#valueKind = 'array';
    else this.#valueKind = 'literal';
    const isPlacedOnly = this.#placedOnly?.has(this.#key) === true;
    const quotes = byte === QUOTE ? 2 : 0;
    this.#captureBytesMax = isPlacedOnly ? 0 : this.#valueBytesMax + quotes;
    this.#keep('value', i, this.#captureBytesMax);
  }

  #record(bytes: Buffer, end: number): void {
    this.#kept = 'nothing';
    const kind = this.#valueKind;
    const raw = this.#take(bytes, end, this.#captureBytesMax);
    let value: JsonValue = { kind: 'too_long' };
    if (kind === 'object' || kind === 'array') {
      value = { kind, bytes: raw === null ? null : Buffer.from(raw) };
    } else if (kind === 'literal') {
      if (raw !== null) value = { kind, text: raw.toString('latin1') };
    } else if (raw !== null) {
      const text = plainText(raw) ?? parseString(raw.toString('utf8'));
      if (text === null) {
        this.#fail();
        return;
      }
      value = { kind, value: text };
    }
    this.#values.set(this.#key, value);
    this.#onValue?.(this.#key, this.#valueStart, this.#offset + end, value);
  }

  #keep(what: Kept, from: number, bytesMax: number): void {
    this.#kept = what;
    this.#keptFrom = from;
    this.#keeper.begin(bytesMax);
  }

  /** The kept token, which ends before `end`; null where it is longer than the bound. */
  #take(bytes: Buffer, end: number, bytesMax: number): Buffer | null {
    const keeper = this.#keeper;
    if (keeper.length === 0 && !keeper.overflowed) {
      const inWindow = end - this.#keptFrom;
      return inWindow > bytesMax ? null : bytes.subarray(this.#keptFrom, end);
    }
    keeper.add(bytes, this.#keptFrom, end);
    return keeper.overflowed ? null : keeper.bytes();
  }

  #fail(): void {
    this.#state = STATE.FAILED;
    this.#kept = 'nothing';
    this.#inString = false;
  }

  #skipMark(bytes: Buffer): number {
    let i = 0;
    while (i < bytes.length && this.#marked < BYTE_ORDER_MARK.length) {
      if (bytes[i] !== BYTE_ORDER_MARK[this.#marked]) {
        if (this.#marked > 0) this.#fail();
        this.#marked = BYTE_ORDER_MARK.length;
        return i;
      }
      this.#marked += 1;
      i += 1;
    }
    return i;
  }
}
