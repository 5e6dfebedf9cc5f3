/**
 * Credentials that show themselves: each begins with a mark that occurs nowhere else, so that a search
 * for the mark finds every one of them, in any place of a stream of bytes.
 */

export const CANARY = 'CANARY-';
/** Every canary is shorter. */
const CANARY_BYTES_MAX = 48;
const SHAPE = /^CANARY-[a-z]+-[a-z0-9]{12}/;
const NOTHING: Buffer = Buffer.alloc(0);

/** A credential of a lane or a client: longer than the program's bound for a search in bodies. */
export function canaryOf(owner: string, serial: number): string {
  return `${CANARY}${owner}-${serial.toString(36).padStart(12, '0')}`;
}

/** Searches a stream, also across the borders of its pieces. */
export class CanarySearch {
  readonly #onFound: (canary: string) => void;
  #tail: Buffer = NOTHING;

  constructor(onFound: (canary: string) => void) {
    this.#onFound = onFound;
  }

  feed(bytes: Buffer): void {
    if (this.#tail.length > 0) {
      this.#look(Buffer.concat([this.#tail, bytes.subarray(0, CANARY_BYTES_MAX)]));
    }
    this.#look(bytes);
    this.#tail =
      bytes.length >= CANARY_BYTES_MAX
        ? bytes.subarray(-CANARY_BYTES_MAX)
        : Buffer.concat([this.#tail, bytes]).subarray(-CANARY_BYTES_MAX);
  }

  #look(bytes: Buffer): void {
    for (let at = bytes.indexOf(CANARY); at >= 0; at = bytes.indexOf(CANARY, at + 1)) {
      const found = SHAPE.exec(bytes.toString('latin1', at, at + CANARY_BYTES_MAX));
      // One that is cut off by the end of a piece is found again with its tail.
      if (found !== null) this.#onFound(found[0]);
    }
  }
}
