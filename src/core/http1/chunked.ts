/**
 * The chunked coding, read as it passes (RFC 9112 section 7.1).
 *
 * Sizes are hexadecimal digits only. Extensions follow the grammar without its optional white space
 * (which it calls bad), are bounded, and pass through unread. Every line ends in CRLF: readers that
 * disagree about a lone LF there are how requests get smuggled (section 11.2).
 */

import { CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX } from '../limits.ts';
import type { Fields } from '../message.ts';
import { CR, HEX, LF, TEXT, TOKEN } from './chars.ts';
import { isRefusal, refuse } from './refusal.ts';
import { SectionReader } from './section.ts';
import { parseTrailers } from './trailers.ts';
import type { CodecError } from './types.ts';

const SIZE_DIGITS_MAX = 16;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const SIZE_START = 0;
const SIZE = 1;
const LINE_LF = 2;
const NAME_START = 3;
const NAME = 4;
const VALUE_START = 5;
const VALUE = 6;
const QUOTED = 7;
const QUOTED_PAIR = 8;
const QUOTED_END = 9;
const DATA = 10;
const DATA_CR = 11;
const DATA_LF = 12;
const TRAILERS = 13;
const ENDED = 14;
const REFUSED = 15;

const NO_FIELDS: Fields = Object.freeze([]);
const NO_PAYLOAD: readonly Buffer[] = Object.freeze([]);

/** Reads chunked bodies, one after another. */
export class ChunkedReader {
  /** The payload slices within what the last `read` took. */
  payload: readonly Buffer[] = NO_PAYLOAD;
  error: CodecError | null = null;
  trailers: Fields = NO_FIELDS;
  #state = SIZE_START;
  /** Of the chunk under way: its size while the size is read, then what is left of it. */
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  readonly #section = new SectionReader('trailers', TRAILER_BYTES_MAX);

  get ended(): boolean {
    return this.#state === ENDED;
  }

  /** Begins a body. */
  restart(): void {
    this.#state = SIZE_START;
    this.#size = 0;
    this.#digits = 0;
    this.#lineBytes = 0;
    this.trailers = NO_FIELDS;
    this.payload = NO_PAYLOAD;
  }

  /** Takes bytes from `from` on; gives the position behind the body, of a refused byte, or the end. */
  read(chunk: Buffer, from: number): number {
    let payload: Buffer[] | null = null;
    let at = from;
    while (at < chunk.length && this.#state < ENDED) {
      if (this.#state === DATA) {
        const to = at + Math.min(this.#size, chunk.length - at);
        payload ??= [];
        payload.push(to - at === chunk.length ? chunk : chunk.subarray(at, to));
        this.#size -= to - at;
        if (this.#size === 0) this.#state = DATA_CR;
        at = to;
      } else if (this.#state === TRAILERS) {
        at = this.#readTrailers(chunk, at);
      } else {
        const byte = chunk[at] as number;
        this.#state = this.#state < DATA ? this.#inSizeLine(byte) : this.#afterData(byte);
        if (this.#state === REFUSED) break;
        at += 1;
      }
    }
    this.payload = payload ?? NO_PAYLOAD;
    return at;
  }

  /** The state after a byte of a chunk-size line. */
  #inSizeLine(byte: number): number {
    this.#lineBytes += 1;
    if (this.#lineBytes > CHUNK_LINE_BYTES_MAX) {
      return this.#refuse(`a chunk-size line of more than ${CHUNK_LINE_BYTES_MAX} bytes`);
    }
    switch (this.#state) {
      case SIZE_START:
        return this.#digit(byte);
      case SIZE:
        return HEX[byte] === 255 ? this.#afterItem(byte) : this.#digit(byte);
      case LINE_LF:
        return this.#endSizeLine(byte);
      default:
        return this.#inExtension(byte);
    }
  }

  #digit(byte: number): number {
    const value = HEX[byte] as number;
    this.#digits += 1;
    this.#size = this.#size * 16 + value;
    if (value === 255) return this.#refuse('a chunk size is hexadecimal digits (RFC 9112, 7.1)');
    if (this.#digits > SIZE_DIGITS_MAX || this.#size > Number.MAX_SAFE_INTEGER) {
      return this.#refuse('a chunk size that no number can hold (RFC 9112, 7.1)');
    }
    return SIZE;
  }

  /** A size, a name or a value is followed by an extension or by the end of the line. */
  #afterItem(byte: number): number {
    if (byte === SEMICOLON) return NAME_START;
    if (byte === CR) return LINE_LF;
    return this.#refuse('a chunk-size line is not as RFC 9112, 7.1.1 has it');
  }

  #inExtension(byte: number): number {
    const isTokenByte = TOKEN[byte] === 1;
    switch (this.#state) {
      case NAME_START:
        return isTokenByte ? NAME : this.#refuse('an empty chunk extension (RFC 9112, 7.1.1)');
      case NAME:
        if (isTokenByte) return NAME;
        return byte === EQUALS ? VALUE_START : this.#afterItem(byte);
      case VALUE_START:
        if (byte === QUOTE) return QUOTED;
        return isTokenByte ? VALUE : this.#refuse('an empty chunk extension value (7.1.1)');
      case VALUE:
        return isTokenByte ? VALUE : this.#afterItem(byte);
      case QUOTED_END:
        return this.#afterItem(byte);
      default:
        return this.#inQuotes(byte);
    }
  }

  /** Within a quoted-string (RFC 9110 section 5.6.4). */
  #inQuotes(byte: number): number {
    if (TEXT[byte] !== 1) return this.#refuse('a control character in a chunk extension');
    if (this.#state === QUOTED_PAIR) return QUOTED;
    if (byte === QUOTE) return QUOTED_END;
    return byte === BACKSLASH ? QUOTED_PAIR : QUOTED;
  }

  #endSizeLine(byte: number): number {
    if (byte !== LF) return this.#refuse('a chunk-size line ends in CRLF (RFC 9112, 7.1)');
    this.#digits = 0;
    this.#lineBytes = 0;
    return this.#size === 0 ? TRAILERS : DATA;
  }

  #afterData(byte: number): number {
    if (this.#state === DATA_CR && byte === CR) return DATA_LF;
    if (this.#state === DATA_LF && byte === LF) return SIZE_START;
    return this.#refuse('CRLF follows the data of a chunk (RFC 9112, 7.1)');
  }

  #readTrailers(chunk: Buffer, from: number): number {
    const section = this.#section.read(chunk, from);
    const at = this.#section.position;
    if (this.#section.error !== null) {
      this.error = this.#section.error;
      this.#state = REFUSED;
      return at;
    }
    if (section === null) return at;
    const trailers = section.text === '' ? NO_FIELDS : parseTrailers(section);
    if (isRefusal(trailers)) {
      this.error = trailers;
      this.#state = REFUSED;
      // The last byte is withheld, so that a refused section is never passed on complete.
      return at - 1;
    }
    this.trailers = trailers;
    this.#state = ENDED;
    return at;
  }

  #refuse(detail: string): number {
    this.error = refuse('bad_chunk', detail);
    return REFUSED;
  }
}
