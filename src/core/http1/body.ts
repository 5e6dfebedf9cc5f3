/**
 * Follows a body to its end by its framing, without copying a byte (RFC 9112 section 6.3).
 */
import assert from 'node:assert/strict';
import type { Fields, Framing } from '../message.ts';
import { ChunkedReader } from './chunked.ts';
import type { CodecError } from './types.ts';

const NO_TRAILERS: Fields = Object.freeze([]);

/** Reads bodies, one after another. */
export class BodyReader {
  #kind: Framing['kind'] = 'none';
  #remaining = 0;
  #chunked: ChunkedReader | null = null;
  #payload: readonly Buffer[] | null = null;

  /** Begins a body. */
  start(framing: Framing): void {
    assert(framing.kind !== 'stream', 'HTTP/1.1 has no such framing');
    this.#kind = framing.kind;
    this.#remaining = framing.kind === 'length' ? framing.length : 0;
    if (framing.kind !== 'chunked') return;
    this.#chunked ??= new ChunkedReader();
    this.#chunked.restart();
  }

  /**
   * Takes the bytes of the body that begin at `from` and gives the position behind them: the end of
   * the body, the byte that was refused, or the end of the chunk.
   */
  read(chunk: Buffer, from: number): number {
    if (this.#kind === 'close') return chunk.length;
    if (this.#kind === 'chunked' && this.#chunked !== null) {
      const to = this.#chunked.read(chunk, from);
      this.#payload = this.#chunked.payload;
      return to;
    }
    const taken = Math.min(this.#remaining, chunk.length - from);
    this.#remaining -= taken;
    return from + taken;
  }

  /** The payload slices of the last `read`; null where all that it took is payload. */
  get payload(): readonly Buffer[] | null {
    return this.#kind === 'chunked' ? this.#payload : null;
  }

  /** True when the body is complete by its own framing. */
  get ended(): boolean {
    if (this.#kind === 'chunked') return this.#chunked?.ended === true;
    return this.#kind !== 'close' && this.#remaining === 0;
  }

  /** True where only the end of the connection ends the body. */
  get untilClose(): boolean {
    return this.#kind === 'close';
  }

  get error(): CodecError | null {
    return this.#kind === 'chunked' && this.#chunked !== null ? this.#chunked.error : null;
  }

  /** The trailers of a chunked body that has ended. */
  get trailers(): Fields {
    return this.#kind === 'chunked' && this.#chunked !== null
      ? this.#chunked.trailers
      : NO_TRAILERS;
  }
}
