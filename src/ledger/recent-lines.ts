/**
 * The lines written since it was last known that their file is still there. Where it was removed
 * meanwhile they went nowhere, and are written again.
 */

export interface Line {
  /** With its newline. */
  readonly text: string;
  readonly bytes: number;
}

export class RecentLines {
  readonly #bytesMax: number;
  #lines: Line[] = [];
  #bytes = 0;

  /** @param bytesMax beyond it none are kept until the next look: they count as written */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#lines.length;
  }

  add(line: Line): void {
    this.#bytes += line.bytes;
    if (this.#bytes <= this.#bytesMax) this.#lines.push(line);
  }

  clear(): void {
    this.#lines = [];
    this.#bytes = 0;
  }

  take(): readonly Line[] {
    const lines = this.#lines;
    this.clear();
    return lines;
  }
}
