/**
 * Splits bytes into lines and lines into records: shared by reading and following. A line that is
 * no record (half written, or longer than a record can be) is counted, and reading goes on.
 */
import { LEDGER_LINE_BYTES_MAX } from '../core/limits.ts';

const NEWLINE = 0x0a;

/** Collects lines across pieces of a file. */
export class LineSplitter {
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** The line under way is too long and is thrown away up to its end. */
  #overlong = false;

  /** The lines that a piece completes, without newlines; null stands for one that was too long. */
  push(piece: Buffer): (string | null)[] {
    const lines: (string | null)[] = [];
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      this.#keep(piece.subarray(start, end));
      lines.push(this.#take());
      start = end + 1;
    }
    // A copy, since the piece's memory is read into again.
    if (start < piece.length) this.#keep(Buffer.from(piece.subarray(start)));
    return lines;
  }

  /** What follows the last newline, or undefined where nothing does. */
  end(): string | null | undefined {
    return this.#restBytes === 0 && !this.#overlong ? undefined : this.#take();
  }

  #keep(bytes: Buffer): void {
    this.#restBytes += bytes.length;
    if (this.#restBytes > LEDGER_LINE_BYTES_MAX) {
      this.#overlong = true;
      this.#rest = [];
    } else {
      this.#rest.push(bytes);
    }
  }

  #take(): string | null {
    const line = this.#overlong ? null : Buffer.concat(this.#rest).toString();
    this.#rest = [];
    this.#restBytes = 0;
    this.#overlong = false;
    return line;
  }
}

/** The record on a line; null for a damaged line, undefined for an empty one. */
export function parseRecord<T>(line: string | null): T | null | undefined {
  if (line === null) return null;
  if (line.trim() === '') return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return null;
    return typeof (value as { ts?: unknown }).ts === 'number' ? (value as T) : null;
  } catch {
    return null;
  }
}
