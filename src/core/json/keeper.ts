/**
 * A bounded store for bytes that must outlive the piece they came in.
 *
 * A scanner that is fed pieces of any size keeps only what straddles them, and copies it: a socket
 * may use its buffer again. The store grows by doubling, so that one-byte pieces stay linear in time
 * and space.
 */
import assert from 'node:assert/strict';

const BYTES_FIRST = 256;

/** Collects bytes up to a bound; past it nothing is kept, and it says so. */
export class Keeper {
  #store: Buffer | null = null;
  #length = 0;
  #bytesMax = 0;
  #overflowed = false;

  /** Bytes kept since `begin`. */
  get length(): number {
    return this.#length;
  }

  /** More than the bound was offered; what was kept is void. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** Starts anew with a bound in bytes. */
  begin(bytesMax: number): void {
    assert(bytesMax >= 0);
    this.#length = 0;
    this.#bytesMax = bytesMax;
    this.#overflowed = false;
  }

  /** Copies `bytes[from..to)` behind what is kept. */
  add(bytes: Buffer, from: number, to: number): void {
    assert(from <= to);
    const count = to - from;
    if (this.#overflowed || count === 0) return;
    const length = this.#length + count;
    if (length > this.#bytesMax) {
      this.#overflowed = true;
      this.#store = null;
      this.#length = 0;
      return;
    }
    bytes.copy(this.#room(length), this.#length, from, to);
    this.#length = length;
  }

  /** What is kept: valid until the next `begin` or `add`. Empty after an overflow. */
  bytes(): Buffer {
    return this.#store === null ? Buffer.alloc(0) : this.#store.subarray(0, this.#length);
  }

  #room(length: number): Buffer {
    const store = this.#store;
    if (store !== null && store.length >= length) return store;
    let size = store === null ? BYTES_FIRST : store.length * 2;
    while (size < length) size *= 2;
    const grown = Buffer.allocUnsafe(size);
    if (store !== null) store.copy(grown, 0, 0, this.#length);
    this.#store = grown;
    return grown;
  }
}
