/**
 * The lines written since it was last known that their file is still there. Where it was removed
 * meanwhile they went nowhere, and are written again.
 *
 * They are kept as bytes in one place that is used again and again: as texts, thousands a second would
 * outlive the young generation and be collected with the whole heap.
 */

export interface Line {
  /** With its newline. */
  readonly text: string;
  readonly bytes: number;
}

const NOTHING: Buffer = Buffer.alloc(0);
/** The first allocation; doubled as it grows. */
const BYTES_MIN = 4096;
const NEWLINE = 0x0a;

export class RecentLines {
  readonly #bytesMax: number;
  #store = NOTHING;
  #filled = 0;

  /** @param bytesMax beyond it none are kept until the next look: they count as written */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** How much is kept. */
  get bytes(): number {
    return this.#filled;
  }

  /** Keeps a copy of whole lines, each with its newline. */
  add(lines: Buffer): void {
    const needed = this.#filled + lines.length;
    if (needed > this.#bytesMax) return;
    if (needed > this.#store.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(BYTES_MIN, 2 * needed));
      this.#store.copy(larger, 0, 0, this.#filled);
      this.#store = larger;
    }
    lines.copy(this.#store, this.#filled);
    this.#filled = needed;
  }

  clear(): void {
    this.#filled = 0;
  }

  take(): readonly Line[] {
    const kept = this.#store.subarray(0, this.#filled);
    const lines: Line[] = [];
    let from = 0;
    for (let end = kept.indexOf(NEWLINE); end >= 0; end = kept.indexOf(NEWLINE, from)) {
      lines.push({ text: kept.toString('utf8', from, end + 1), bytes: end + 1 - from });
      from = end + 1;
    }
    this.clear();
    return lines;
  }
}
