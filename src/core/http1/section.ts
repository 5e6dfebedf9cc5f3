/**
 * Finds the end of a section of lines (a head, or the trailers of a chunked body) across any split
 * of the bytes, looking at each byte once.
 *
 * Every control character but HTAB is refused on the way, and so is a CR or LF outside the pair
 * (RFC 9112 section 2.2), so what comes out is lines that end in CRLF and hold nothing but text; a
 * peer that speaks no HTTP is refused at its first odd byte. Bytes are copied only where a section
 * comes in more than one piece. What the lines say is not looked at here.
 */

import { CR, LF, TEXT } from './chars.ts';
import { refuse } from './refusal.ts';
import type { CodecError, CodecErrorCode } from './types.ts';

/**
 * A whole section: its lines, each with its CRLF, without the empty line at the end. The bytes are
 * there too, valid only until the next read: loops over them cost a third of loops over the text.
 */
export interface Section {
  /** One character a byte. */
  readonly text: string;
  readonly bytes: Buffer;
  /** Where in `bytes` the text begins. */
  readonly base: number;
}

/** What kind of lines: decides about an empty first line and the code of a refusal. */
export type SectionKind = 'request' | 'response' | 'trailers';

const LINE_START = 0;
const LINE_START_CR = 1;
const IN_LINE = 2;
const IN_LINE_CR = 3;
const ENDED = 4;
const REFUSED = 5;

/** The first allocation for a section in pieces; doubled as it grows. */
const HELD_BYTES_MIN = 1024;

/** Reads sections of one kind, one after another. */
export class SectionReader {
  /** Where the chunk goes on behind what `read` took; at a refusal, the byte that was refused. */
  position = 0;
  /** Set when the section was refused; final. */
  error: CodecError | null = null;
  readonly #kind: SectionKind;
  readonly #bytesMax: number;
  #state = LINE_START;
  #lines = 0;
  #taken = 0;
  /** One empty line before a request line was let pass (RFC 9112 section 2.2). */
  #skipped = false;
  #held: Buffer | null = null;

  /** @param bytesMax longest section, the empty line at its end included */
  constructor(kind: SectionKind, bytesMax: number) {
    this.#kind = kind;
    this.#bytesMax = bytesMax;
  }

  /** True when not a byte of the section has come. */
  get empty(): boolean {
    return this.#taken === 0;
  }

  /**
   * Reads on at `from`. Gives the section once the empty line at its end has come; before, and after
   * a refusal, null.
   */
  read(chunk: Buffer, from: number): Section | null {
    let start = from;
    let at = from;
    let end = Math.min(chunk.length, from + this.#bytesMax - this.#taken);
    let state = this.#state;
    while (at < end) {
      const byte = chunk[at] as number;
      if (TEXT[byte] === 1 && (state === LINE_START || state === IN_LINE)) {
        state = IN_LINE;
        do at += 1;
        while (at < end && TEXT[chunk[at] as number] === 1);
        continue;
      }
      state = this.#turn(state, byte);
      if (state === REFUSED) return this.#refuseByte(at);
      at += 1;
      if (state !== ENDED) continue;
      if (this.#lines > 0 || this.#kind === 'trailers') return this.#complete(chunk, start, at);
      if (this.#kind === 'response' || this.#skipped) return this.#refuseByte(at - 1);
      this.#restart();
      this.#skipped = true;
      state = LINE_START;
      start = at;
      end = Math.min(chunk.length, at + this.#bytesMax);
    }
    this.#state = state;
    return this.#incomplete(chunk, start, at);
  }

  /** Gives back the bytes of an incomplete section, and forgets them; null where there are none. */
  take(): Buffer | null {
    const held = this.#held === null ? null : this.#held.subarray(0, this.#taken);
    this.#restart();
    return held;
  }

  /** The state after a byte that is no text, or that comes between a CR and its LF. */
  #turn(state: number, byte: number): number {
    if (byte === CR) {
      if (state === IN_LINE) return IN_LINE_CR;
      return state === LINE_START ? LINE_START_CR : REFUSED;
    }
    if (byte !== LF) return REFUSED;
    if (state === LINE_START_CR) return ENDED;
    if (state !== IN_LINE_CR) return REFUSED;
    this.#lines += 1;
    return LINE_START;
  }

  #complete(chunk: Buffer, start: number, at: number): Section {
    this.position = at;
    const isWhole = this.#held === null;
    const bytes = isWhole ? chunk : this.#hold(chunk, start, at);
    const base = isWhole ? start : 0;
    const end = isWhole ? at : this.#taken;
    this.#restart();
    this.#skipped = false;
    return { text: bytes.toString('latin1', base, end - 2), bytes, base };
  }

  #incomplete(chunk: Buffer, start: number, at: number): null {
    this.position = at;
    if (at > start) this.#hold(chunk, start, at);
    if (this.#taken >= this.#bytesMax) {
      const code: CodecErrorCode = this.#kind === 'trailers' ? 'bad_trailer' : 'head_too_large';
      this.error = refuse(code, `more than ${this.#bytesMax} bytes`);
    }
    return null;
  }

  /** Keeps bytes of an incomplete section; doubling keeps the copying linear. */
  #hold(chunk: Buffer, start: number, end: number): Buffer {
    const needed = this.#taken + end - start;
    let held = this.#held;
    if (held === null || held.length < needed) {
      const size = Math.min(this.#bytesMax, Math.max(HELD_BYTES_MIN, 2 * needed));
      const larger = Buffer.allocUnsafe(size);
      held?.copy(larger, 0, 0, this.#taken);
      held = larger;
      this.#held = larger;
    }
    chunk.copy(held, this.#taken, start, end);
    this.#taken = needed;
    return held;
  }

  #refuseByte(at: number): null {
    this.position = at;
    const inStartLine = this.#lines === 0;
    let code: CodecErrorCode = inStartLine ? 'bad_start_line' : 'bad_field';
    if (this.#kind === 'trailers') code = 'bad_trailer';
    this.error = refuse(code, 'lines end in CRLF and hold no control characters (RFC 9112, 2.2)');
    return null;
  }

  #restart(): void {
    this.#state = LINE_START;
    this.#lines = 0;
    this.#taken = 0;
    this.#held = null;
  }
}
